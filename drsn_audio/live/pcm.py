"""Raw PCM that comes through a pipe, little-endian; with a wav header it says itself what it is."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from drsn_audio.downmix import Downmix
from drsn_audio.errors import InputError
from drsn_audio.live.source import about, resampled

log = logging.getLogger("drsn_audio")

FORMATS = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}  # bytes of a sample
CONTAINERS = {b"fLaC": "FLAC", b"OggS": "ogg", b"ID3": "mp3", b"FORM": "AIFF", b"RF64": "RF64", b"RIFX": "RIFX"}
OPEN_ENDED = 0x7FFF0000  # sizes from here on, and 0, are those of programs that cannot know how much will follow
LOWEST_RATE, HIGHEST_RATE = 1000, 768_000  # Hz
MOST_CHANNELS = 64


@dataclass(frozen=True)
class PcmFormat:
    """`sample_rate` in Hz, `channels` interleaved, `encoding` one of FORMATS."""

    sample_rate: int
    channels: int = 1
    encoding: str = "s16le"

    def __post_init__(self) -> None:
        if not LOWEST_RATE <= self.sample_rate <= HIGHEST_RATE:
            raise InputError(f"a rate of {self.sample_rate} Hz: give {LOWEST_RATE} to {HIGHEST_RATE}")
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise InputError(f"{self.channels} channels: give 1 to {MOST_CHANNELS}")

    @property
    def frame_bytes(self) -> int:
        return FORMATS[self.encoding] * self.channels


def decode_pcm(data: bytes, form: PcmFormat, mix: Downmix | None = None) -> np.ndarray:
    """Whole frames of bytes -> float32 [N], full scale 1; `mix`, of this sound so far, makes one channel of several."""
    if form.encoding == "f32le":
        samples = np.frombuffer(data, "<f4")
    elif form.encoding == "s24le":
        high = np.zeros((len(data) // 3, 4), np.uint8)  # as the three upper bytes of 32 bits
        high[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = high.view("<i4")[:, 0] / np.float32(2**31)
    else:
        bits = 8 * FORMATS[form.encoding]
        samples = np.frombuffer(data, f"<i{bits // 8}") / np.float32(2 ** (bits - 1))
    mix = mix or Downmix(form.sample_rate, form.channels)
    return mix(samples.reshape(-1, form.channels)).astype(np.float32, copy=False)


def encode_pcm(samples: np.ndarray, encoding: str) -> bytes:
    """Samples [N], full scale 1 -> bytes; integers are rounded, and clip at full scale."""
    if encoding == "f32le":
        return samples.astype("<f4").tobytes()
    bits = 8 * FORMATS[encoding]
    full = 2.0 ** (bits - 1)
    whole = np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype("<i4")
    if encoding == "s24le":
        return whole[:, None].view(np.uint8)[:, :3].tobytes()
    return whole.astype(f"<i{bits // 8}").tobytes()


class PcmSource:
    """Bytes of a pipe as they come; a wav header at their beginning is followed instead of `form`.

    Raises:
        InputError: the beginning of a file that is neither raw PCM nor wav, or a wav header that is torn or of an
            encoding that is not among FORMATS.
    """

    def __init__(self, pipe: BinaryIO, form: PcmFormat, name: str = "stdin"):
        self.name, self._pipe = name, pipe
        self._first = pipe.read(4)  # waits for them
        self._left: int | None = None  # bytes of the sound that are still to come; None: all that comes
        for magic, kind in CONTAINERS.items():
            if self._first.startswith(magic):
                raise InputError(
                    f"{name}: is {kind}, not raw PCM: name the file instead, or convert it, ffmpeg -i - -f s16le -"
                )
        if self._first == b"RIFF":
            form, self._left = read_wav_header(pipe, name)
            self._first = b""
        self.form = form

    def blocks(self, sample_rate: int, chunk_s: float) -> Iterator[np.ndarray]:
        yield from resampled(self._decoded(chunk_s), self.form.sample_rate, sample_rate)

    def _decoded(self, chunk_s: float) -> Iterator[np.ndarray]:
        size = self.form.frame_bytes
        most = size * max(1, round(chunk_s * self.form.sample_rate))
        torn, first, samples = b"", self._first, 0
        mix = Downmix(self.form.sample_rate, self.form.channels)
        while new := first or self._read(most - len(torn)):
            first, data = b"", torn + new
            whole = len(data) - len(data) % size
            torn = data[whole:]
            if whole:
                yield decode_pcm(data[:whole], self.form, mix)
                samples += whole // size
        if torn:
            log.info("%s: ends with %d of the %d bytes of a sample, which are left out", self.name, len(torn), size)
        if not samples:
            raise InputError(f"{self.name}: no sound came: check the command before the pipe")

    def _read(self, most: int) -> bytes:
        """What is there by now, at least a byte of it; nothing once all has come."""
        if self._left is None:
            return self._pipe.read1(most)  # type: ignore[attr-defined]
        data = self._pipe.read1(min(most, self._left))  # type: ignore[attr-defined]
        self._left -= len(data)
        return data

    def about(self, sample_rate: int) -> str:
        return about(f"{self.name} ({self.form.encoding})", self.form.sample_rate, self.form.channels, sample_rate)

    def losses(self) -> dict[str, float]:
        return {}  # who writes into a pipe waits while it is full

    def close(self) -> None:
        """The pipe is the caller's."""


def read_wav_header(pipe: BinaryIO, name: str) -> tuple[PcmFormat, int | None]:
    """All between "RIFF" and the first sample -> the format, and how many bytes of sound follow (None: open)."""
    form = None
    _, kind = struct.unpack("<I4s", _exactly(pipe, 8, name))
    if kind != b"WAVE":
        raise InputError(f"{name}: is RIFF but not wav: convert it, ffmpeg -i - -f s16le -")
    while True:
        chunk, size = struct.unpack("<4sI", _exactly(pipe, 8, name))
        if chunk == b"data":
            break
        body = _exactly(pipe, size + size % 2, name)
        if chunk == b"fmt ":
            form = _wav_format(body, name)
    if form is None:
        raise InputError(f"{name}: a wav header without its format: convert it, ffmpeg -i - -f s16le -")
    return form, None if size == 0 or size >= OPEN_ENDED else size


def _wav_format(body: bytes, name: str) -> PcmFormat:
    """A wav file's fmt chunk: Microsoft's WAVEFORMATEX, or WAVEFORMATEXTENSIBLE, whose tag stands in its GUID."""
    if len(body) < 16:
        raise InputError(f"{name}: a torn wav header: send it again")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == 0xFFFE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    encoding = {(1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le", (3, 32): "f32le"}.get((tag, bits))
    if encoding is None:
        known = ", ".join(FORMATS)
        raise InputError(f"{name}: wav of kind {tag} with {bits} bits, only {known} are read: name the file instead")
    try:
        return PcmFormat(rate, channels, encoding)
    except InputError as error:
        raise InputError(f"{name}: its wav header says {error}") from None


def _exactly(pipe: BinaryIO, count: int, name: str) -> bytes:
    if count > 1 << 24:
        raise InputError(f"{name}: a wav header with a part of {count} bytes: it is torn, or not wav")
    data = pipe.read(count)
    if len(data) < count:
        raise InputError(f"{name}: ends within its wav header: check the command before the pipe")
    return data
