"""Where live sound comes from; each source gives it in blocks, one channel, at the rate of the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np


class Source(Protocol):
    """`name` is for messages."""

    name: str

    def blocks(self, sample_rate: int, chunk_s: float) -> Iterator[np.ndarray]:
        """Blocks, float32 [N] at sample_rate in Hz, channels averaged, of chunk_s or less, N > 0."""
        ...

    def about(self, sample_rate: int) -> str:
        """What is listened to, and what is done with it for a model of this rate: one line."""
        ...

    def losses(self) -> dict[str, float]:
        """What came and was lost, by name; empty where that cannot happen."""
        ...

    def close(self) -> None: ...


class FileSource:
    """An audio file of any format, rate and number of channels, read as it is heard.

    Raises:
        AudioError: what `AudioReader` refuses.
    """

    def __init__(self, path: str):
        from drsn_audio.audio import AudioReader  # needs soundfile and soxr

        self.name = path
        self._reader = AudioReader(path)

    def blocks(self, sample_rate: int, chunk_s: float) -> Iterator[np.ndarray]:
        size = max(1, round(chunk_s * sample_rate))
        for block in self._reader.blocks(sample_rate):
            for start in range(0, len(block), size):
                yield block[start : start + size]

    def about(self, sample_rate: int) -> str:
        return about(self.name, self._reader.sample_rate, self._reader.channels, sample_rate)

    def losses(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        self._reader.__exit__()


def about(name: str, rate: int, channels: int, model_rate: int) -> str:
    """A source's name, rate in Hz and channels, and what is done with them for a model of another rate."""
    done = [f"resampled to {model_rate} Hz"] * (rate != model_rate) + ["channels averaged"] * (channels > 1)
    return f"{name}: {rate} Hz, {channels} channel{'s' * (channels > 1)}{''.join(f', {step}' for step in done)}"


def resampled(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """Blocks [N] at from_rate -> at to_rate, as one would of the whole; what the filter holds back comes at the end."""
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    for block in blocks:
        if len(wave := stream.resample_chunk(block)):
            yield wave
    if len(wave := stream.resample_chunk(np.zeros(0, np.float32), last=True)):
        yield wave


def paced(
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[np.ndarray]:
    """Blocks [N], each given out when a microphone would: once all of it has sounded."""
    began, samples = clock(), 0
    for block in blocks:
        samples += len(block)
        sleep(max(0.0, began + samples / sample_rate - clock()))
        yield block
