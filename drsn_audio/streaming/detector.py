"""Events out of probabilities, frame by frame. numpy only.

Probabilities are averaged over the last frames (Chen, Parada, Heigold, "Small-footprint keyword spotting using deep
neural networks", ICASSP 2014, doi 10.1109/ICASSP.2014.6854370) and compared with a threshold for each keyword; an
event is given out where one stays at or above it for long enough. Hysteresis and a refractory time keep one word from
being told twice. Unlike the paper, a stream begins as if nothing had been said before: its first average is not that of
a single frame.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.streaming.event import Event
from drsn_audio.streaming.probabilities import check_probabilities

NO_KEYWORDS = ("silence", "unknown")  # SILENCE and UNKNOWN of drsn_audio.config, whose import needs omegaconf
LONGEST_S = 60  # of any duration: the detector remembers so much


@dataclass(frozen=True)
class DetectorConfig:
    """How events are made of probabilities.

    thresholds: keyword -> averaged probability from which it is heard, (0, 1]; a keyword without one is never heard.
    smoothing_s: length of the average. min_duration_s: how long it must stay at or above the threshold.
    release: a keyword that was told is armed again once its average has been below release * threshold, (0, 1].
    refractory_s: least time between two events of a keyword; refractory_others_s: between those of two keywords.
    window_s: length of the sound that a frame judges.

    Raises:
        InputError: a number out of range.
    """

    thresholds: dict[str, float]
    smoothing_s: float = 0.24
    min_duration_s: float = 0.0
    release: float = 0.8
    refractory_s: float = 0.5
    refractory_others_s: float = 0.0
    window_s: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.thresholds, Mapping):
            raise InputError(f"detector thresholds are {self.thresholds!r}: give keyword -> probability")
        for keyword, threshold in self.thresholds.items():
            if keyword in NO_KEYWORDS:
                raise InputError(f'"{keyword}" is no keyword and has no threshold: leave it out')
            _check_share(f'the threshold of "{keyword}"', threshold)
        _check_share("release", self.release)
        for field in fields(self):
            if field.name.endswith("_s"):
                _check_seconds(field.name, getattr(self, field.name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], labels: Sequence[str] | None = None) -> DetectorConfig:
        """What `to_dict` gave; fields that are not there have their defaults.

        Raises:
            InputError: an unknown field, no thresholds, a number out of range, or a keyword that is none of `labels`.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"a detector is described by {values!r}: give an object with thresholds")
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                raise InputError(f'a detector has no "{name}": {f"did you mean {near[0]}?" if near else known}')
        if "thresholds" not in values:
            raise InputError("a detector without thresholds hears nothing: give keyword -> probability")
        config = cls(**values)
        if labels is not None:
            _check_keywords(config, labels)
        return config


class Detector:
    """Makes events of the probabilities of labels [K], a frame each `frame_s` seconds.

    At most one event a frame: where several keywords would be told, the one whose average is the largest multiple of
    its threshold is (the first in `labels` of equal ones), and the others must sink below their release first.

    Raises:
        InputError: a threshold for what is none of the labels.
    """

    def __init__(self, labels: Sequence[str], frame_s: float, config: DetectorConfig):
        if not (frame_s > 0 and math.isfinite(frame_s)):
            raise InputError(f"frames last {frame_s} s: give a positive number")
        _check_keywords(config, labels)
        self.labels, self.frame_s, self.config = list(labels), frame_s, config
        self.keywords = [label for label in self.labels if label in config.thresholds]
        self._columns = [self.labels.index(keyword) for keyword in self.keywords]
        self._thresholds = np.array([config.thresholds[keyword] for keyword in self.keywords], np.float64)[:, None]
        self._average = max(1, round(config.smoothing_s / frame_s))  # frames
        self._duration = max(1, self._frames(config.min_duration_s))
        self._refractory = self._frames(config.refractory_s)
        self._refractory_others = self._frames(config.refractory_others_s)
        self.reset()

    def reset(self) -> None:
        """Begin a stream."""
        keywords = len(self.keywords)
        self._heard = 0  # frames
        # As far back as averages over the least duration look.
        self._recent = np.zeros((keywords, self._average + self._duration - 2))
        self._armed = np.ones(keywords, bool)
        self._quiet_until = np.zeros(keywords, np.int64)  # the frame, from the start of the stream

    def step(self, probabilities: np.ndarray) -> list[Event]:
        """Next frames, probabilities [t, K], t >= 0 -> the events in them, in order. Any chunks give the same events.

        Raises:
            InputError: another shape, or values that are NaN or no probabilities; these frames are not heard.
        """
        frames = check_probabilities(probabilities, self.labels)
        if not len(frames):
            return []
        known = np.concatenate([self._recent, frames.T[self._columns]], axis=1)  # float64 [keywords, past + t]
        smooth = self._smooth(known)
        above = smooth >= self._thresholds
        passes = _hold(above, self._duration)
        smooth = smooth[:, self._duration - 1 :]
        low = smooth < self.config.release * self._thresholds
        events = self._tell(smooth, passes, low)
        self._heard += len(frames)
        self._recent = known[:, known.shape[1] - self._recent.shape[1] :].copy()
        return events

    def finish(self) -> list[Event]:
        """The stream has ended: no keyword waits for that."""
        return []

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that is remembered, copies: assigned to a detector of the same making, that goes on from here."""
        return {
            "frames": np.array([self._heard], np.int64),
            "recent": self._recent.copy(),
            "armed": self._armed.copy(),
            "quiet_until": self._quiet_until.copy(),
        }

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        """An empty one is that of a stream that begins. Raises InputError where it is that of another detector."""
        if not state:
            self.reset()
            return
        own = self.state
        shapes = {name: (np.shape(value), np.asarray(value).dtype) for name, value in state.items()}
        if shapes != {name: (value.shape, value.dtype) for name, value in own.items()}:
            raise InputError("the state is that of another detector: restore it with its own settings")
        self._heard = int(state["frames"][0])
        self._recent, self._armed = np.array(state["recent"]), np.array(state["armed"])
        self._quiet_until = np.array(state["quiet_until"])

    def _frames(self, duration_s: float) -> int:
        """The least number of frames that last so long."""
        return math.ceil(duration_s / self.frame_s - 1e-6)

    def _smooth(self, known: np.ndarray) -> np.ndarray:
        """Mean of each frame and those before it, [keywords, t + duration - 1].

        Summed anew for each frame, in the same order: a running sum would drift, and depend on the chunks.
        """
        count = known.shape[1] - self._average + 1
        total = known[:, :count].copy()
        for shift in range(1, self._average):
            total += known[:, shift : shift + count]
        return total / self._average

    def _tell(self, smooth: np.ndarray, passes: np.ndarray, low: np.ndarray) -> list[Event]:
        """[keywords, t] each -> events. Goes from event to event; what lies between is skipped by numpy."""
        keywords, count = range(len(self.keywords)), smooth.shape[1]
        # The frame of this chunk from which a keyword may be told; `count`: not in this chunk.
        armed_from = [0 if self._armed[k] else _first(low[k], 0) for k in keywords]
        quiet_until = [int(frame) - self._heard for frame in self._quiet_until]
        upcoming = [_first(passes[k], max(armed_from[k], quiet_until[k])) for k in keywords]
        events = []
        while upcoming and (frame := min(upcoming)) < count:
            rivals = [k for k in keywords if upcoming[k] == frame]
            winner = max(rivals, key=lambda k: smooth[k, frame] / self._thresholds[k, 0])  # the first of equal ones
            events.append(self._event(winner, frame, smooth[winner, frame]))
            for k in rivals:
                armed_from[k] = _first(low[k], frame + 1)
            for k in keywords:
                refractory = self._refractory if k == winner else self._refractory_others
                quiet_until[k] = max(quiet_until[k], frame + refractory)
                begin = max(armed_from[k], quiet_until[k])
                if begin > upcoming[k]:
                    upcoming[k] = _first(passes[k], begin)
        self._armed = np.array([frame < count for frame in armed_from], bool)
        self._quiet_until = np.array([frame + self._heard for frame in quiet_until], np.int64)
        return events

    def _event(self, keyword: int, frame: int, score: float) -> Event:
        time_s = (self._heard + frame + 1) * self.frame_s
        start_s = max(0.0, time_s - self.config.window_s)
        return Event("keyword", self.keywords[keyword], min(1.0, float(score)), start_s, time_s, time_s)


def _hold(above: np.ndarray, duration: int) -> np.ndarray:
    """[keywords, t + duration - 1] -> whether each of the last t frames and the duration - 1 before it are above."""
    count = above.shape[1] - duration + 1
    held = above[:, :count].copy()
    for shift in range(1, duration):
        held &= above[:, shift : shift + count]
    return held


def _first(row: np.ndarray, begin: int) -> int:
    """The first true element [t] from `begin` on, else t. `argmax` stops at it."""
    if begin >= len(row):
        return len(row)
    found = max(begin, 0) + int(row[max(begin, 0) :].argmax())
    return found if row[found] else len(row)


def _check_share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise InputError(f"detector: {name} is {value!r}: give more than 0, 1 at most")


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LONGEST_S:
        raise InputError(f"detector: {name} is {value!r}: give 0 to {LONGEST_S} s")


def _check_keywords(config: DetectorConfig, labels: Sequence[str]) -> None:
    for keyword in config.thresholds:
        if keyword not in labels:
            near = difflib.get_close_matches(keyword, labels, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(labels)}"
            raise InputError(f'detector: "{keyword}" is no label of the model: {hint}')
