"""Audio files: read, write, resample, find. soundfile and soxr underneath."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

EXTENSIONS = (".flac", ".wav", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".au", ".caf", ".rf64")


class AudioError(ValueError):
    """A file that cannot be used. The message is one line: the file, what is wrong, what to do."""


def read_audio(path: str | Path, sample_rate: int | None = None) -> tuple[np.ndarray, int]:
    """Any file that libsndfile reads -> (mono wave, float32 [N] in [-1, 1], sample rate in Hz).

    Channels are averaged. With `sample_rate`, the wave is resampled to it.

    Raises:
        AudioError: missing, unreadable, not audio, truncated to nothing, empty, or with NaN or infinite samples.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise AudioError(f"{path}: is a folder, not an audio file: name a file in it")
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file: check the path") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}): check the path and its permissions") from None
    try:
        wave, file_rate = sf.read(path, dtype="float32", always_2d=True)
    except (sf.LibsndfileError, RuntimeError) as error:
        reason = str(error).split(": ", 1)[-1].strip().rstrip(".")
        raise AudioError(f"{path}: not audio that libsndfile can read ({reason}): convert it to wav") from None
    mono = wave[:, 0] if wave.shape[1] == 1 else wave.mean(axis=1)
    if mono.size == 0:
        raise AudioError(f"{path}: holds no samples: record it again")
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds NaN or infinite samples: repair or re-export it")
    if sample_rate is not None and sample_rate != file_rate:
        return resample(mono, file_rate, sample_rate), sample_rate
    return np.ascontiguousarray(mono), file_rate


def resample(wave: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Wave [N] at from_rate -> float32 [about N * to_rate / from_rate], band-limited (soxr, high quality)."""
    if from_rate == to_rate:
        return wave.astype(np.float32, copy=False)
    return soxr.resample(wave.astype(np.float32, copy=False), from_rate, to_rate)


def write_audio(path: str | Path, wave: np.ndarray, sample_rate: int, subtype: str | None = None) -> None:
    """Write wave [N] (or [N, channels]) so that the file is either whole or not there.

    `subtype` is libsndfile's, e.g. "PCM_16", "FLOAT"; the format follows from the name's ending. Integer formats
    clip at full scale: scale before.

    Raises:
        AudioError: NaN or infinite samples, an ending, subtype or sample rate that libsndfile does not write, or a
            folder that cannot be written to.
    """
    path = Path(path)
    if not np.isfinite(wave).all():
        raise AudioError(f"{path}: refusing to write NaN or infinite samples: find where they come from")
    form = path.suffix.lstrip(".").upper()
    form = {"AIF": "AIFF", "OPUS": "OGG"}.get(form, form)
    if form not in sf.available_formats() or form == "RAW":
        raise AudioError(f"{path}: libsndfile writes no {path.suffix or 'file without an ending'}: use .wav")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror}): choose another place") from None
    try:
        sf.write(temporary, wave, sample_rate, subtype=subtype, format=form)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror}): choose another place") from None
    except (sf.LibsndfileError, ValueError) as error:
        reason = str(error).split(": ", 1)[-1].strip().rstrip(".")
        raise AudioError(f"{path}: libsndfile does not write this ({reason}): choose another format") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def find_audio(place: str | Path) -> Iterator[Path]:
    """A file, a folder (searched in depth, sorted) or a glob pattern -> audio files, one by one.

    A file named outright is passed on whatever its ending.

    Raises:
        AudioError: nothing there, or a folder without audio.
    """
    place = Path(place)
    if os.path.isdir(place):  # Path.is_dir and Path.exists raise where a name is too long
        found = [
            path
            for path in sorted(place.rglob("*"))
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
        ]
        if not found:
            raise AudioError(f"{place}: a folder without audio files ({', '.join(EXTENSIONS)}): check the path")
        yield from found
    elif os.path.exists(place) or not glob.has_magic(str(place)):
        yield place
    else:
        matches = sorted(glob.glob(str(place), recursive=True))
        if not matches:
            raise AudioError(f"{place}: no file matches this pattern: check it, and quote it for the shell")
        yield from (Path(match) for match in matches)
