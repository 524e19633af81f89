"""Many sounds of any length, heard through one model in batches of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from drsn_audio.audio import AudioError, sliding_windows
from drsn_audio.decoding.detections import WindowAnswers

BATCH_WINDOWS = 64


@dataclass
class Sound:
    """A sound [N], block by block, and what was answered to its windows; `error` is why it could not be heard.

    key: what it is to the caller, and to the user.
    """

    key: Any
    blocks: Iterator[np.ndarray]
    answers: WindowAnswers
    error: AudioError | None = None


@dataclass(frozen=True)
class Listener:
    """`probabilities` maps windows, each [size] or shorter, to [W, K]. `size` and `hop` are in samples.

    `progress` is told, batch by batch, how many seconds of sound were heard anew.
    """

    probabilities: Callable[[Sequence[np.ndarray]], np.ndarray]
    sample_rate: int
    size: int
    hop: int
    min_duration_s: float = 0.0
    progress: Callable[[float], None] | None = None

    def hear(self, sounds: Iterable[Sound]) -> Iterator[Sound]:
        """The sounds, in order, each when it has its answers or its error. One batch is held in memory at a time."""
        waiting: list[Sound] = []
        batch: list[tuple[Sound, float, np.ndarray]] = []
        for sound in sounds:
            waiting.append(sound)
            for start_s, window in self._windows(sound):
                batch.append((sound, start_s, window))
                if len(batch) == BATCH_WINDOWS:
                    self._answer(batch)
                    batch = []
                    yield from waiting[:-1]
                    waiting = [sound]
            if len(waiting) == BATCH_WINDOWS:  # most of them gave no window
                self._answer(batch)
                batch = []
                yield from waiting
                waiting = []
        self._answer(batch)
        yield from waiting

    def _windows(self, sound: Sound) -> Iterator[tuple[float, np.ndarray]]:
        """(start in seconds, window) of a sound; what is wrong with it is written into it."""
        try:
            for start, window in sliding_windows(sound.blocks, self.size, self.hop):
                if len(window) < self.min_duration_s * self.sample_rate:
                    milliseconds = 1000 * len(window) / self.sample_rate
                    raise AudioError(f"{sound.key}: is {milliseconds:.1f} ms long, too short for a word")
                yield start / self.sample_rate, window
        except AudioError as error:
            sound.error = error

    def _answer(self, batch: Sequence[tuple[Sound, float, np.ndarray]]) -> None:
        if not batch:
            return
        new_s = 0.0
        for (sound, start_s, window), row in zip(batch, self.probabilities([item[2] for item in batch]), strict=True):
            end_s = start_s + len(window) / self.sample_rate
            new_s += end_s - sound.answers.duration_s
            sound.answers.add(start_s, end_s, row)
        if self.progress:
            self.progress(new_s)
