"""Audio files: read, write, resample, find. soundfile and soxr underneath."""

from __future__ import annotations

import functools
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from drsn_audio.audio.error import AudioError
from drsn_audio.audio.ffmpeg import FfmpegFile, find_ffmpeg
from drsn_audio.audio.linked import LinkedFile
from drsn_audio.audio.links import Link, find_links
from drsn_audio.audio.names import EXTENSIONS, FOREIGN, is_audio_name
from drsn_audio.audio.search import find_audio, is_manifest, is_one_file, search_root
from drsn_audio.downmix import Downmix
from drsn_audio.files import write_whole

__all__ = [
    "BLOCK_VALUES",
    "EXTENSIONS",
    "LOWEST_RATE",
    "AudioError",
    "AudioReader",
    "encode_audio",
    "find_audio",
    "is_audio_name",
    "is_manifest",
    "is_one_file",
    "libsndfile_format",
    "read_audio",
    "resample",
    "rounded",
    "search_root",
    "sliding_windows",
    "time_of_day",
    "write_audio",
    "writes",
]

BLOCK_VALUES = 1 << 18  # values of all channels that are read at once: 1 MB
LOWEST_RATE = 1000  # Hz; from a header that says 1 Hz, resampling would make 16,000 samples of each


class AudioReader:
    """An audio file, open for reading in blocks: memory does not grow with its length.

    `with AudioReader(path) as reader: for block in reader.blocks(16000): ...`. `sample_rate` in Hz, `channels`, and
    `form` and `subtype`, as libsndfile names them ("WAV", "PCM_16"), are the file's.

    Raises:
        AudioError: missing, no regular file, unreadable, not audio, or of a sample rate that no sound has.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file = _open(self.path)
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.form: str = self._file.format
        self.subtype: str = self._file.subtype
        if self.sample_rate < LOWEST_RATE:
            self._file.close()
            raise AudioError(f"{path}: says that it is of {self.sample_rate} Hz, which no speech is: mend its header")

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(self, sample_rate: int | None = None) -> Iterator[np.ndarray]:
        """Its samples from first to last, channels averaged (see `downmix`): float32 [N] in [-1, 1], each N > 0, once.

        With `sample_rate` they are resampled to it, as `resample` does to the whole.

        Raises:
            AudioError: truncated to nothing, empty, torn in the middle, or with NaN or infinite samples.
        """
        resampler = None
        if sample_rate not in (None, self.sample_rate):
            resampler = soxr.ResampleStream(self.sample_rate, sample_rate, 1, dtype="float32")
        given = 0
        for block in self._mono():
            wave = block if resampler is None else resampler.resample_chunk(block)
            if wave.size:
                given += wave.size
                yield wave
        if resampler is not None:
            wave = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            if wave.size:
                given += wave.size
                yield wave
        if not given:
            raise AudioError(f"{self.path}: holds no samples at {sample_rate or self.sample_rate} Hz: record it again")

    def frames(self) -> Iterator[np.ndarray]:
        """Its samples from first to last as they are: float32 [N, channels], each N > 0, once.

        Raises:
            AudioError: as `blocks` does.
        """
        nothing = True
        for block in self._read():
            nothing = False
            yield block
        if nothing:
            raise AudioError(f"{self.path}: holds no samples: record it again")

    def part(self, start: int, frames: int | None = None) -> np.ndarray:
        """So many samples from `start` on, or all of them, as they are: float32 [N, channels]; asked for once."""
        file = self._file.whole if isinstance(self._file, LinkedFile) else self._file
        if frames is not None and isinstance(file, sf.SoundFile) and (start <= 0 or _seeks(file)):
            if start > 0:  # after it, MP3 has other last bits
                file.seek(min(start, file.frames))
            return file.read(frames, dtype="float32", always_2d=True)
        parts, at = [np.zeros((0, self.channels), np.float32)], 0
        for block in self._read():
            parts.append(block[max(0, start - at) : None if frames is None else max(0, start + frames - at)])
            at += len(block)
            if frames is not None and at >= start + frames:
                break
        return np.concatenate(parts)

    def _mono(self) -> Iterator[np.ndarray]:
        mix = Downmix(self.sample_rate, self.channels)
        for block in self._read():
            yield mix(block)

    def _read(self) -> Iterator[np.ndarray]:
        frames, at = max(1, BLOCK_VALUES // self.channels), 0
        while True:
            try:
                block = self._file.read(frames, dtype="float32", always_2d=True)
            except (sf.LibsndfileError, RuntimeError) as error:
                raise _not_audio(self.path, error, f" from {at / self.sample_rate:.3f} s on" if at else "") from None
            if not len(block):
                return
            finite = np.isfinite(block).all(axis=1)
            if not finite.all():
                bad = (at + int(finite.argmin())) / self.sample_rate
                raise AudioError(f"{self.path}: holds NaN or infinite samples, at {bad:.3f} s: repair or re-export it")
            at += len(block)
            yield block


def _seeks(file: sf.SoundFile) -> bool:
    """Return True if seeking is exact; in an Opus stream cut from a longer one it lands 6.5 ms late."""
    return file.seekable() and not re.search(r"Granule pos offset *: *[1-9]", file.extra_info)


def _open(path: Path) -> sf.SoundFile | LinkedFile | FfmpegFile:
    if os.path.isdir(path):
        raise AudioError(f"{path}: is a folder, not an audio file: name a file in it")
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its writer
        raise AudioError(f"{path}: is a pipe or a device: write the sound to a file first")
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file: check the path") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}): check the path and its permissions") from None
    try:
        links = _links(path, status.st_size, status.st_mtime_ns)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from None
    try:
        if links:
            return LinkedFile(path, links)
        # As bytes, which need not be UTF-8; elsewhere soundfile has ways of its own.
        return sf.SoundFile(os.fsencode(path) if os.name == "posix" else path)
    except (sf.LibsndfileError, RuntimeError) as error:
        refusal = _not_audio(path, error)
    foreign = path.suffix.lower() in FOREIGN
    if not status.st_size or not (foreign or find_ffmpeg()):
        raise refusal
    try:
        return FfmpegFile(path)
    except AudioError as error:
        if foreign:
            raise
        reason = str(refusal).removesuffix(": convert it to wav")
        raise AudioError(f"{reason}; {str(error).removeprefix(f'{path}: ')}") from None


@functools.lru_cache(1024)  # a manifest may name many parts of one file
def _links(path: Path, size: int, _changed_ns: int) -> list[Link]:
    with path.open("rb") as file:
        return find_links(file, size)


def _not_audio(path: Path, error: Exception, where: str = "") -> AudioError:
    reason = str(error).split(": ", 1)[-1].strip().rstrip(".")
    return AudioError(f"{path}: not audio that libsndfile can read{where} ({reason}): convert it to wav")


def read_audio(path: str | Path, sample_rate: int | None = None) -> tuple[np.ndarray, int]:
    """Any file that libsndfile or ffmpeg reads -> (mono wave, float32 [N] in [-1, 1], sample rate in Hz).

    Channels are averaged. With `sample_rate`, the wave is resampled to it.

    Raises:
        AudioError: as AudioReader and its blocks do.
    """
    with AudioReader(path) as reader:
        wave = np.concatenate(list(reader.blocks(sample_rate)))
        return wave, sample_rate or reader.sample_rate


def sliding_windows(blocks: Iterable[np.ndarray], size: int, hop: int) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of a sound -> (start, window [size]), starts in samples: 0, hop, 2 hop..., and last one that ends with it.

    A sound that is no longer than `size` is one window, as long as it is. Windows may share memory.
    """
    wave, offset, start = np.zeros(0, np.float32), 0, 0  # what is kept, from the last window given on; the next one
    for block in blocks:
        kept = max(offset, start - hop)
        wave, offset = np.concatenate([wave[kept - offset :], block]), kept
        while start + size < offset + len(wave):
            yield start, wave[start - offset : start - offset + size]
            start += hop
    last = max(0, offset + len(wave) - size)
    yield last, wave[last - offset :]


def resample(wave: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Wave [N] at from_rate -> float32 [about N * to_rate / from_rate], band-limited (soxr, high quality)."""
    if from_rate == to_rate:
        return wave.astype(np.float32, copy=False)
    return soxr.resample(wave.astype(np.float32, copy=False), from_rate, to_rate)


def write_audio(path: str | Path, wave: np.ndarray, sample_rate: int, subtype: str | None = None) -> None:
    """Write wave [N] (or [N, channels]) so that the file is either whole or not there; see `encode_audio`.

    Raises:
        AudioError: what `encode_audio` refuses, or a folder that cannot be written to.
    """
    path = Path(path)
    data = encode_audio(path, wave, sample_rate, subtype)
    try:
        write_whole(path, data)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror}): choose another place") from None


def encode_audio(path: Path, wave: np.ndarray, sample_rate: int, subtype: str | None = None) -> bytes:
    """Wave [N] (or [N, channels]) -> the file that `path` is to be: equal samples are equal bytes, but in ogg and opus.

    `subtype` is libsndfile's, e.g. "PCM_16", "FLOAT"; the format follows from the name's ending. Samples of integer
    formats are rounded, and clip at full scale: scale before.

    Raises:
        AudioError: NaN or infinite samples; an ending, subtype or sample rate that libsndfile does not write.
    """
    if not np.isfinite(wave).all():
        raise AudioError(f"{path}: refusing to write NaN or infinite samples: find where they come from")
    form = libsndfile_format(path)
    if form not in _formats() or form == "RAW":
        raise AudioError(f"{path}: libsndfile writes no {path.suffix or 'file without an ending'}: use .wav")
    buffer = io.BytesIO()
    try:
        sf.write(buffer, rounded(wave, subtype or sf.default_subtype(form)), sample_rate, subtype=subtype, format=form)
    except (sf.LibsndfileError, ValueError, RuntimeError) as error:
        reason = str(error).split(": ", 1)[-1].strip().rstrip(".")
        raise AudioError(f"{path}: libsndfile does not write this ({reason}): choose another format") from None
    data = buffer.getvalue()
    at = time_of_day(data)
    return data if at is None else data[:at] + bytes(4) + data[at + 4 :]


def rounded(wave: np.ndarray, subtype: str) -> np.ndarray:
    """Floats as integers of a libsndfile `subtype` hold them; in wav it would cut off what is less than a step."""
    bits = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24}.get(subtype)
    if not bits or not np.issubdtype(wave.dtype, np.floating):
        return wave
    steps = 2.0 ** (bits - 1)
    return np.rint(wave * steps) / steps


def time_of_day(head: bytes) -> int | None:
    """Where the beginning of a file has the time of day, 4 bytes: files of floats get a chunk with the peak and it."""
    at = head.find(b"PEAK", 0, 512)
    return None if at < 0 else at + 12


def libsndfile_format(path: str | Path) -> str:
    """libsndfile's name of the format that a file's ending means; it need not be one that it knows."""
    ending = Path(path).suffix[1:].upper()
    return {"AIF": "AIFF", "AIFC": "AIFF", "OPUS": "OGG", "OGA": "OGG", "WAVE": "WAV", "SND": "AU"}.get(ending, ending)


@functools.lru_cache  # libsndfile is asked anew each time, which took a fifth of the time of mixing
def _formats() -> frozenset[str]:
    return frozenset(sf.available_formats())


@functools.lru_cache
def writes(form: str, subtype: str, sample_rate: int = 16000, channels: int = 1) -> bool:
    """Return True if libsndfile writes such a file and reads it again; `soundfile.check_format` accepts too many."""
    if form == "RAW" or form not in _formats() or not sf.check_format(form, subtype):
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"silence.{form.lower()}")
        try:
            sf.write(path, np.zeros((4096, channels), np.float32), sample_rate, subtype=subtype, format=form)
            sf.read(path, 1)
        except (sf.LibsndfileError, ValueError, TypeError, RuntimeError):
            return False
    return True
