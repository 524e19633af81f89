"""Words out of a CTC model's probabilities, frame by frame: the greedy text, while it is said. numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from drsn_audio.decoding.alignment import word_times
from drsn_audio.decoding.greedy import Spike, greedy_spikes
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.probabilities import check_probabilities


class Writer:
    """Makes events of the probabilities [K] of a CTC model's labels, a frame each `frame_s` seconds.

    A "partial" event comes with each label that is added to a word, and says the word so far: it may grow. A "final"
    one seals a word, of which nothing changes afterwards. Joined by spaces, the labels of a stream's final events are
    the greedy text of the whole, whatever the chunks. So a word of letters or pieces is sealed when the next one
    begins or the stream ends, however long the pause is: another letter might follow it. A word that is a label of its
    own is sealed in the frame after it.

    `timing`: see `word_times`, by which the words have their start, end and score.
    """

    def __init__(self, units: Units, frame_s: float, timing: Mapping[str, Any] | None = None):
        self.units, self.frame_s, self.timing = units, frame_s, timing
        self.labels = units.labels
        self.reset()

    def reset(self) -> None:
        """Begin a stream."""
        self._heard = 0  # frames
        self._open: list[Spike] = []  # of the word that is not sealed, in frames of the stream
        self._total = 0.0  # of the probabilities of the last of them, which may go on
        self._after = 0.0  # the beginning of the word before, in seconds

    def step(self, probabilities: np.ndarray) -> list[Event]:
        """Next frames, probabilities [t, K], t >= 0 -> the events in them, in order. Any chunks give the same events.

        Raises:
            InputError: another shape, or values that are NaN or no probabilities; these frames are not heard.
        """
        frames = check_probabilities(probabilities, self.labels)
        events: list[Event] = []
        for spike in greedy_spikes(frames):
            values = frames[spike.first : spike.last + 1, spike.label]
            first = self._heard + spike.first
            if self._goes_on(spike.label, first):
                self._extend(values)
                continue
            events += self._seal_ended(first)
            if self.units.begins(spike.label):
                events += self._seal(first)
            self._open.append(Spike(spike.label, first, first - 1, 0.0))
            self._total = 0.0
            self._extend(values[:1])
            events += self._events("partial", first)
            self._extend(values[1:])
        self._heard += len(frames)
        return events + self._seal_ended(self._heard)

    def finish(self) -> list[Event]:
        """The stream has ended: what is left is sealed."""
        return self._seal(self._heard - 1)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that is remembered, copies: assigned to a writer of the same making, that goes on from here."""
        return {
            "frames": np.array([self._heard], np.int64),
            "spikes": np.array([spike[:3] for spike in self._open], np.int64).reshape(-1, 3),
            "probabilities": np.array([spike.probability for spike in self._open]),
            "sums": np.array([self._total, self._after]),
        }

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        """An empty one is that of a stream that begins. Raises InputError where it is that of another writer."""
        if not state:
            self.reset()
            return
        count = len(state.get("spikes", ()))
        shapes = {name: (np.shape(value), np.asarray(value).dtype) for name, value in state.items()}
        whole, real = np.dtype(np.int64), np.dtype(np.float64)
        right = {"frames": ((1,), whole), "spikes": ((count, 3), whole), "probabilities": ((count,), real)}
        known = shapes == {**right, "sums": ((2,), real)} and all(
            spike[0] < len(self.labels) for spike in state["spikes"]
        )
        if not known:
            raise InputError("the state is that of another writer: restore it with its own model")
        self._heard = int(state["frames"][0])
        self._total, self._after = state["sums"].tolist()
        labels, first, last = state["spikes"].T.tolist()
        self._open = list(map(Spike, labels, first, last, state["probabilities"].tolist()))

    def _goes_on(self, label: int, first: int) -> bool:
        """Whether the spike of a label from this frame on is the last one, in a further chunk."""
        return bool(self._open) and self._open[-1].label == label and self._open[-1].last == first - 1

    def _extend(self, values: np.ndarray) -> None:
        """The last spike goes on: its probabilities [t]. They are added in their order, so that chunks do not show."""
        spike = self._open[-1]
        self._total = float(np.cumsum([self._total, *values])[-1])
        last = spike.last + len(values)
        self._open[-1] = spike._replace(last=last, probability=self._total / (last - spike.first + 1))

    def _seal_ended(self, frame: int) -> list[Event]:
        """The word, if it is a label of its own, and its spike ended before this frame."""
        if self.units.kind == "words" and self._open and self._open[-1].last < frame - 1:
            return self._seal(self._open[-1].last + 1)
        return []

    def _seal(self, frame: int) -> list[Event]:
        events = self._events("final", frame)
        self._open = []
        self._after = events[0].start if events else self._after
        return events

    def _events(self, kind: str, frame: int) -> list[Event]:
        """The word that is not sealed, if there is one, as what is told in this frame of the stream."""
        time_s = (frame + 1) * self.frame_s
        return [
            Event(kind, word.text, min(1.0, word.confidence), word.start, word.end, time_s)
            for word in word_times(self._open, self.units, self.frame_s, self.timing, self._after)
        ]
