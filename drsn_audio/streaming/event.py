"""What a live stream says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Event:
    """Something that was recognised; seconds from the beginning of the stream.

    kind: keyword | partial (a word so far, which may grow) | final (a word, of which nothing changes). score: 0 to 1.
    start, end: the stretch of sound that the word lies in. time: when the event was given out.
    """

    kind: str
    label: str
    score: float
    start: float
    end: float
    time: float


class EventMaker(Protocol):
    """What hears the probabilities of a stream: a `Detector` of keywords, or a `Writer` of words."""

    labels: list[str]

    def step(self, probabilities: np.ndarray) -> list[Event]:
        """Next frames, [t, K] -> the events in them; any chunks give the same ones."""
        ...

    def finish(self) -> list[Event]:
        """The stream has ended -> what waited for that."""
        ...

    def reset(self) -> None: ...

    @property
    def state(self) -> dict[str, np.ndarray]: ...

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None: ...
