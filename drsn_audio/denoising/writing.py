"""Files of denoised sound, written block by block, and whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf

from drsn_audio.audio import AudioError, AudioReader, libsndfile_format, rounded, time_of_day, writes
from drsn_audio.files import open_mode

FINE = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # samples that 16 bits would lose something of
HALF_DONE = ".half-"  # in the name of a file that is not whole yet, and 8 letters behind it
REFUSED = (sf.LibsndfileError, ValueError, TypeError, RuntimeError)


class Target(NamedTuple):
    """A file that is to be; `form` and `subtype` as libsndfile names them."""

    path: Path
    form: str
    subtype: str


def target_named(path: Path, reader: AudioReader) -> Target:
    """The format that the name's ending says, its samples as those of the file that is read, if it can have such.

    Raises:
        AudioError: an ending that libsndfile writes no file of.
    """
    form = libsndfile_format(path)
    if form not in sf.available_formats() or form == "RAW":
        raise AudioError(f"{path}: libsndfile writes no {path.suffix or 'file without an ending'}: use .wav")
    if path.suffix.lower() == ".opus":
        return Target(path, form, "OPUS")
    wanted = [reader.subtype, *["PCM_24"] * (reader.subtype in FINE)]
    writable = (kind for kind in wanted if writes(form, kind, reader.sample_rate, reader.channels))
    subtype = next(writable, sf.default_subtype(form))
    return Target(path, form, subtype)


def targets_like(path: Path, reader: AudioReader) -> list[Target]:
    """As the file that is read; where libsndfile writes no such file flac, with the whole name before its ending."""
    flac = Target(Path(f"{path}.flac"), "FLAC", "PCM_24" if reader.subtype in FINE else "PCM_16")
    if not writes(reader.form, reader.subtype, reader.sample_rate, reader.channels):
        return [flac]
    return [Target(path, reader.form, reader.subtype), flac]


class SoundWriter:
    """`with SoundWriter(target, rate, channels) as writer: writer.write(samples)`: after it, the file is there.

    Where the block is left by an exception, nothing is, and what was there before still is. Integer samples are rounded
    and clip at full scale.

    Raises:
        AudioError: libsndfile writes no such file, e.g. of that rate.
        OSError: the folder cannot be written to.
    """

    def __init__(self, target: Target, sample_rate: int, channels: int):
        self.target = target
        path = target.path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, self._temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}{HALF_DONE}")
        os.close(handle)
        try:
            name = os.fsencode(self._temporary) if os.name == "posix" else self._temporary
            self._file = sf.SoundFile(name, "w", sample_rate, channels, target.subtype, format=target.form)
        except REFUSED as error:
            self._drop()
            raise _unwritable(path, error) from None
        except BaseException:
            self._drop()
            raise

    def __enter__(self) -> SoundWriter:
        return self

    def write(self, samples: np.ndarray) -> None:
        """Samples float32 [N, C]. Raises AudioError where the disk is full, or the like."""
        try:
            self._file.write(rounded(samples, self.target.subtype))
        except REFUSED as error:
            raise _unwritable(self.target.path, error) from None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._keep()
        except REFUSED as error:
            raise _unwritable(self.target.path, error) from None
        finally:
            self._drop()

    def _keep(self) -> None:
        with open(self._temporary, "r+b") as file:  # equal samples are equal bytes
            if (at := time_of_day(file.read(512))) is not None:
                file.seek(at)
                file.write(bytes(4))
        os.chmod(self._temporary, open_mode())
        os.replace(self._temporary, self.target.path)

    def _drop(self) -> None:
        Path(self._temporary).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left in a folder and below it, in which nobody may be writing."""
    name = re.compile(rf"\..*{re.escape(HALF_DONE)}\w{{8}}")
    for parent, _, names in os.walk(folder):
        for left in filter(name.fullmatch, names):
            Path(parent, left).unlink(missing_ok=True)


def _unwritable(path: Path, error: Exception) -> AudioError:
    reason = str(error).split(": ", 1)[-1].strip().rstrip(".")
    return AudioError(f"{path}: libsndfile does not write this ({reason}): choose another format or place")
