"""Raw PCM that comes through a pipe, little-endian; with a wav header it says itself what it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from drsn_audio.downmix import Downmix
from drsn_audio.errors import InputError
from drsn_audio.live.containers import CONVERT, recognise, refuse_container
from drsn_audio.live.source import about, resampled
from drsn_audio.live.wav_stream import WAV_MARK, ByteReader, is_wav, read_wav_header, skip_chunks

log = logging.getLogger("drsn_audio")

FORMATS = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}  # bytes of a sample
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
    """Bytes of a pipe as they come. A wav header is followed instead of `form`, at the beginning and wherever one
    comes later: files may be joined in one pipe. Then `form` is that of the first.

    Raises:
        InputError: the beginning of a file that is neither raw PCM nor wav, or a wav header that is torn or of an
            encoding that is not among FORMATS.
    """

    def __init__(self, pipe: BinaryIO, form: PcmFormat, name: str = "stdin"):
        self.name, self._pipe = name, ByteReader(pipe)
        refuse_container(self._pipe.peek, name)
        self._left: int | None = None  # bytes of the sound that are still to come; None: until the end or another wav
        if is_wav(self._pipe.peek(WAV_MARK)):
            form, self._left = self._read_header()
        self.form = form

    def blocks(self, sample_rate: int, chunk_s: float) -> Iterator[np.ndarray]:
        form, samples = self.form, 0
        while True:
            for block in resampled(self._decoded(form, chunk_s), form.sample_rate, sample_rate):
                samples += len(block)
                yield block
            if not self._find_wav(samples / sample_rate):
                break
            form, self._left = self._read_header()
            then = f"{self.name} from {samples / sample_rate:.2f} s on: another wav ({form.encoding})"
            log.info("%s", about(then, form.sample_rate, form.channels, sample_rate))
        if not samples:
            raise InputError(f"{self.name}: no sound came: check the command before the pipe")

    def _decoded(self, form: PcmFormat, chunk_s: float) -> Iterator[np.ndarray]:
        """The sound up to its end or to another wav."""
        size = form.frame_bytes
        most = size * max(1, round(chunk_s * form.sample_rate))
        torn, mix = b"", Downmix(form.sample_rate, form.channels)
        while new := self._read(most - len(torn)):
            data = torn + new
            whole = len(data) - len(data) % size
            torn = data[whole:]
            if whole:
                yield decode_pcm(data[:whole], form, mix)
        if torn:
            log.info("%s: ends with %d of the %d bytes of a sample, which are left out", self.name, len(torn), size)

    def _read(self, most: int) -> bytes:
        """What is there by now, at least a byte of it; nothing once all has come."""
        if self._left is None:
            return self._pipe.take_until_wav(most)
        data = self._pipe.take(min(most, self._left))
        self._left -= len(data)
        return data

    def _read_header(self) -> tuple[PcmFormat, int | None]:
        header = read_wav_header(self._pipe, self.name)
        try:
            return PcmFormat(header.sample_rate, header.channels, header.encoding), header.data_bytes
        except InputError as error:
            raise InputError(f"{self.name}: its wav header says {error}") from None

    def _find_wav(self, at_s: float) -> bool:
        """Skip what follows a wav's sound, up to the next wav; False at the end. What is no part of a wav is reported.

        Raises:
            InputError: sound of another kind follows.
        """
        skip_chunks(self._pipe)
        found = recognise(self._pipe.peek)
        if found and found[1] == CONVERT:
            raise InputError(f"{self.name}: at {at_s:.2f} s {found[0]} follows, not wav: {CONVERT}")
        skipped = 0
        while data := self._pipe.take_until_wav(1 << 16):
            skipped += len(data)
        if skipped:
            log.warning("%s: %d bytes after %.2f s are no part of a wav and left out", self.name, skipped, at_s)
        return bool(self._pipe.peek(1))

    def about(self, sample_rate: int) -> str:
        return about(f"{self.name} ({self.form.encoding})", self.form.sample_rate, self.form.channels, sample_rate)

    def losses(self) -> dict[str, float]:
        return {}  # who writes into a pipe waits while it is full

    def close(self) -> None:
        """The pipe is the caller's."""
