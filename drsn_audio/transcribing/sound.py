"""Sounds of any length, that are heard a little at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drsn_audio.audio import AudioError
from drsn_audio.decoding.transcript import Word
from drsn_audio.errors import InputError
from drsn_audio.streaming.samples import LOUDEST, check_samples

Progress = Callable[[float], None]  # is told how many seconds of sound were heard anew


@dataclass
class Sound:
    """The number-th sound of a call. key: what it is to the caller, and to the user; blocks: float32 [N] each, as read.

    When it has been heard, `words` is what was said, or `error` why it could not be heard. `audible` is whether any
    sample of it was not zero.
    """

    number: int
    key: Any
    blocks: Iterator[np.ndarray]
    words: list[Word] = field(default_factory=list)
    error: AudioError | None = None
    samples: int = 0
    audible: bool = False

    def read(self) -> Iterator[np.ndarray]:
        """Its blocks, counted; where they end by an error, that is written into `error`."""
        try:
            for block in self.blocks:
                check_samples(block)
                self.samples += len(block)
                self.audible = self.audible or bool(block.any())
                yield block
        except AudioError as error:
            self.error = error
        except InputError:  # of check_samples
            reason = f"holds samples beyond {LOUDEST:g}, full scale is 1"
            self.error = AudioError(f"{self.key}: {reason}: repair or re-export it")


def chunks(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Blocks [N] -> the same sound in chunks [size], the last one shorter."""
    waiting = np.zeros(0, np.float32)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if len(waiting):
        yield waiting


def ordered(sounds: Iterable[Sound]) -> Iterator[Sound]:
    """Sounds as they come -> by their numbers, from 0 on."""
    early: dict[int, Sound] = {}
    number = 0
    for sound in sounds:
        early[sound.number] = sound
        while number in early:
            yield early.pop(number)
            number += 1
