"""What a user of a live recogniser needs to know: which words it heard, how late, and how often it cried wolf.

Events are anything with `.label`, `.time` (seconds from the start of the stream) and `.score`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.text import Vocabulary, count_outside, normalise_text

TOLERANCE_S = 0.5
BURST_S = 1.0
ROUNDING_S = 1e-9  # times are sums of frames


class Spoken(NamedTuple):
    """A word that was said, and where; noise_source: the recording that lies under it."""

    word: str
    start_s: float
    end_s: float
    speaker: str = ""
    noise_source: str = ""


class Matches(NamedTuple):
    """hits: the event and the word that it tells, in the order of the words."""

    hits: list[tuple[Any, Spoken]]
    misses: list[Spoken]
    false_alarms: list[Any]


class Rate(NamedTuple):
    """Events an hour, with an interval."""

    per_hour: float
    low: float
    high: float


class Latency(NamedTuple):
    """From the end of a word to its event; NaN without hits."""

    median_s: float
    p95_s: float


def match_events(
    events: Iterable[Any],
    spoken: Iterable[Spoken],
    keywords: Collection[str],
    tolerance_s: float = TOLERANCE_S,
    burst_s: float = BURST_S,
) -> Matches:
    """Which events of one stream tell which spoken keywords.

    An event hits a word of its label if start <= time <= end + tolerance; each event and each word is in one hit at
    most. Where there is a choice, an event goes to the word whose time runs out first, which gives as many hits as
    there can be. What hits nothing is a false alarm, unless an event of the same label, hit or not, came no more than
    burst_s before: a burst counts once. An event ahead of the word is a false alarm even if a later one hits.

    Words are compared as `normalise_text` gives them, and carry the keyword's own spelling in what is returned. Words
    and events that are none of the keywords are passed over.
    """
    known = Vocabulary(keywords)
    named = ((word, known.find(word.word)) for word in spoken)
    ordered = sorted(
        (event for event in events if event.label in keywords), key=lambda event: (event.time, event.label)
    )
    words = sorted(
        (word._replace(word=keyword) for word, keyword in named if keyword is not None),
        key=lambda word: (word.start_s, word.end_s),
    )
    hit_by: dict[int, Any] = {}
    false_alarms = []
    for event, first in zip(ordered, _begin_bursts(ordered, burst_s), strict=True):
        open_words = [
            (word.end_s, index)
            for index, word in enumerate(words)
            if index not in hit_by
            and word.word == event.label
            and word.start_s - ROUNDING_S <= event.time <= word.end_s + tolerance_s + ROUNDING_S
        ]
        if open_words:
            hit_by[min(open_words)[1]] = event
        elif first:
            false_alarms.append(event)
    hits = [(hit_by[index], word) for index, word in enumerate(words) if index in hit_by]
    return Matches(hits, [word for index, word in enumerate(words) if index not in hit_by], false_alarms)


def outside_keywords(keywords: Collection[str], spoken: Iterable[Spoken]) -> dict[str, Any]:
    """Count the words that are none of the keywords, as `text.count_outside` does."""
    known = Vocabulary(keywords)
    words = (word.word for word in spoken)
    return count_outside([normalise_text(word)] if known.find(word) is None else [] for word in words)


def merge_bursts(events: Iterable[Any], burst_s: float = BURST_S) -> list[Any]:
    """The first event of each burst, by time: one that no event of its label precedes by burst_s or less."""
    ordered = _by_time(events)
    return [event for event, first in zip(ordered, _begin_bursts(ordered, burst_s), strict=True) if first]


def _by_time(events: Iterable[Any]) -> list[Any]:
    return sorted(events, key=lambda event: (event.time, event.label))


def _begin_bursts(ordered: Sequence[Any], burst_s: float) -> list[bool]:
    last: dict[str, float] = {}
    begins = []
    for event in ordered:
        begins.append(event.time - last.get(event.label, -math.inf) > burst_s + ROUNDING_S)
        last[event.label] = event.time
    return begins


def latency(hits: Iterable[tuple[Any, Spoken]]) -> Latency:
    """Median and 95th percentile of event.time - spoken.end_s, below 0 where a word was told before its end."""
    late_s = [event.time - word.end_s for event, word in hits]
    if not late_s:
        return Latency(math.nan, math.nan)
    median_s, p95_s = np.percentile(late_s, [50, 95])
    return Latency(float(median_s), float(p95_s))


def poisson_interval(count: int, hours: float, confidence: float = 0.95) -> Rate:
    """Rate of what happened `count` times in `hours`, with its exact interval: Garwood, Biometrika 28, 1936.

    Raises:
        ValueError: a negative count, or no time.
    """
    from scipy.special import gammaincinv

    check_heard(count, hours)
    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return Rate(count / hours, low / hours, float(gammaincinv(count + 1, 1 - tail)) / hours)


def least_rate(hours: float) -> float:
    """The lowest rate an hour that so many hours can show: 3 / hours.

    The rule of three: of what happens at this rate, nothing at all is seen in 5 % of such times. Hanley &
    Lippman-Hand, JAMA 249, 1983.
    """
    return 3 / hours


def claimable_rate(count: int, hours: float) -> float | None:
    """count / hours; None where that is below 3 / hours: then no rate is claimed, only that interval's upper end."""
    check_heard(count, hours)
    return count / hours if count >= 3 else None


def shifted_thresholds(thresholds: Mapping[str, float], shift: float) -> dict[str, float]:
    """Thresholds in (0, 1], all moved by `shift` in the log-odds domain: sigmoid(logit(threshold) + shift)."""
    return {word: value / (value + (1 - value) * math.exp(-shift)) for word, value in thresholds.items()}


class Det(NamedTuple):
    """Detection error trade-off over threshold shifts [S], ascending; counts are int [S].

    False alarms in `hours` of sound without keywords; misses among `spoken` keywords. After Martin et al., Eurospeech
    1997.
    """

    shifts: np.ndarray
    false_alarms: np.ndarray
    hours: float
    misses: np.ndarray
    spoken: int

    @property
    def rates(self) -> np.ndarray:
        """False alarms an hour [S]."""
        return self.false_alarms / self.hours

    @property
    def miss_rates(self) -> np.ndarray:
        """Share of the spoken keywords that were missed [S]."""
        return self.misses / self.spoken


class AtRate(NamedTuple):
    """What is missed at a rate of false alarms; place: in the shifts. Where nothing can be said: the reason alone."""

    place: int | None = None
    shift: float | None = None
    miss_rate: float | None = None
    per_hour: float | None = None
    reason: str | None = None


def det_curve(
    shifts: Sequence[float] | np.ndarray,
    false_alarms: Sequence[int] | np.ndarray,
    hours: float,
    misses: Sequence[int] | np.ndarray,
    spoken: int,
) -> Det:
    """Counts at each shift, in any order of the shifts.

    Raises:
        ValueError: other lengths of the three, a shift twice, no time, or counts that cannot be.
    """
    shift, alarms, missed = np.asarray(shifts, float), np.asarray(false_alarms), np.asarray(misses)
    if shift.ndim != 1 or not shift.size or not shift.shape == alarms.shape == missed.shape:
        raise ValueError(f"shapes {shift.shape}, {alarms.shape}, {missed.shape} of shifts and counts: give [S] of each")
    if np.unique(shift).size != shift.size:
        raise ValueError("a shift comes twice: give each once")
    check_heard(int(alarms.min()), hours)
    if missed.min() < 0 or missed.max() > spoken or spoken < 1:
        raise ValueError(f"{missed.min()} to {missed.max()} misses of {spoken} keywords: they must be 0 to all of them")
    order = np.argsort(shift)
    return Det(shift[order], alarms[order], float(hours), missed[order], int(spoken))


def miss_at_rate(det: Det, per_hour: float) -> AtRate:
    """Misses at the smallest shift from which on there are `per_hour` false alarms at most.

    "From which on": far below the thresholds false alarms grow rare again, as the recogniser never lets go of a word;
    that is no place to work at.
    """
    if per_hour < least_rate(det.hours):
        reason = (
            f"{det.hours:.3g} h without keywords cannot show {per_hour:g} false alarms/h: "
            f"listen to {3 / per_hour:.3g} h at least"
        )
        return AtRate(reason=reason)
    too_often = np.flatnonzero(det.rates > per_hour)
    index = int(too_often[-1]) + 1 if too_often.size else 0
    if index == det.shifts.size:
        return AtRate(
            reason=f"{det.rates[-1]:.3g} false alarms/h at the highest shift, {det.shifts[-1]:g}: "
            f"sweep further for {per_hour:g}/h"
        )
    return AtRate(index, float(det.shifts[index]), float(det.miss_rates[index]), float(det.rates[index]))


def check_heard(count: int, hours: float) -> None:
    if count < 0:
        raise ValueError(f"{count} false alarms: a count is 0 or more")
    if not (hours > 0 and math.isfinite(hours)):
        raise ValueError(f"{hours} hours heard: give a positive number")
