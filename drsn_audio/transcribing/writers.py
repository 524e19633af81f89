"""Words of the logits of one sound, which come piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from drsn_audio.decoding.alignment import aligned_words
from drsn_audio.decoding.transcript import Word
from drsn_audio.decoding.units import Units
from drsn_audio.streaming import writer
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.transcribing.segments import LONGEST_S, MIN_PAUSE_S, SHORTEST_S, cut_place

if TYPE_CHECKING:
    from drsn_audio.decoding.beam import BeamDecoder

LEAST = 1e-30  # probability, for its logarithm


class Writing(NamedTuple):
    """What a model's logits are read by; see `decoding.alignment.word_times` for `timing`."""

    units: Units
    frame_s: float
    timing: Mapping[str, Any] | None = None
    temperature: float = 1.0


class Writer(Protocol):
    def feed(self, logits: np.ndarray) -> None:
        """The next logits [t, K], t >= 0."""
        ...

    def end(self) -> list[Word]:
        """All words, in seconds from the first frame."""
        ...


class GreedyWriter:
    """What a live stream writes: the text is that of the most probable label of each frame of the whole."""

    def __init__(self, writing: Writing):
        self._writer = writer.Writer(writing.units, writing.frame_s, writing.timing)
        self._temperature = writing.temperature
        self._words: list[Word] = []

    def feed(self, logits: np.ndarray) -> None:
        self._take(self._writer.step(probabilities(logits, self._temperature)))

    def end(self) -> list[Word]:
        self._take(self._writer.finish())
        return self._words

    def _take(self, events: Iterable[Event]) -> None:
        self._words += [
            Word(event.label, event.start, event.end, event.score) for event in events if event.kind == "final"
        ]


class BeamWriter:
    """By beam search, in stretches between pauses, so that neither time nor memory grows beyond them.

    They are cut as long sound is (`segments`), where the model hears nothing; the language model begins each anew.
    """

    def __init__(self, writing: Writing, decoder: BeamDecoder):
        self._writing, self._decoder = writing, decoder
        self._rows = np.zeros((0, len(writing.units.labels)), np.float32)
        self._first = 0  # their first frame
        self._words: list[Word] = []

    def feed(self, logits: np.ndarray) -> None:
        self._rows = np.concatenate([self._rows, probabilities(logits, self._writing.temperature)])
        longest, shortest, min_pause = (
            max(1, round(seconds / self._writing.frame_s)) for seconds in (LONGEST_S, SHORTEST_S, MIN_PAUSE_S)
        )
        while len(self._rows) >= longest:
            ahead = self._rows[:longest]
            self._take(cut_place(1 - ahead[:, 0], ahead.argmax(1) == 0, shortest, min_pause))

    def end(self) -> list[Word]:
        self._take(len(self._rows))
        return self._words

    def _take(self, frames: int) -> None:
        """Write the first of the frames that wait."""
        if not frames:
            return
        heard = np.log(self._rows[:frames].clip(LEAST))
        after = self._words[-1].start if self._words else 0.0
        units, frame_s, timing, _ = self._writing
        labels = self._decoder.decode(heard).labels
        self._words += aligned_words(heard, labels, units, frame_s, timing, self._first, after)
        self._rows, self._first = self._rows[frames:].copy(), self._first + frames
