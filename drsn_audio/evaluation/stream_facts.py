"""What is said of the answers to long test streams: the parts of run.json, see streams.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.evaluation.stream_events import TrialStream
from drsn_audio.metrics import streaming as metrics
from drsn_audio.metrics.bootstrap import bootstrap_mean
from drsn_audio.metrics.streaming import Matches, Spoken

WORDS = "words"  # the content of streams in which keywords are said


class Condition(NamedTuple):
    """Streams of words of one noise kind and SNR, by their numbers."""

    noise_kind: str
    snr_db: float | None
    streams: list[int]

    @property
    def named(self) -> dict[str, Any]:
        return {"noise_kind": self.noise_kind, "snr_db": self.snr_db}


class Trials(NamedTuple):
    """The keywords that were said, arrays [n]."""

    hit: np.ndarray
    speakers: np.ndarray
    noise_sources: np.ndarray


def group_conditions(streams: Sequence[TrialStream]) -> list[Condition]:
    """Of streams of words: clean first, then by kind, the easiest SNR first."""
    groups: dict[tuple[str, float | None], list[int]] = {}
    for number, stream in enumerate(streams):
        if stream.content == WORDS:
            groups.setdefault((stream.noise_kind, stream.snr_db), []).append(number)
    conditions = [Condition(*key, numbers) for key, numbers in groups.items()]
    return sorted(conditions, key=lambda one: (one.snr_db is not None, one.noise_kind, -(one.snr_db or 0)))


def trials_of(matches: Sequence[Matches]) -> Trials:
    said: list[tuple[bool, Spoken]] = []
    for one in matches:
        said += [(True, word) for _, word in one.hits] + [(False, word) for word in one.misses]
    return Trials(
        np.array([hit for hit, _ in said], bool),
        np.array([word.speaker for _, word in said], str),
        np.array([word.noise_source for _, word in said], str),
    )


def describe_condition(
    condition: Condition, streams: Sequence[TrialStream], matches: Sequence[Matches], sampling: Mapping[str, Any]
) -> dict[str, Any]:
    group = [matches[number] for number in condition.streams]
    hours = sum(streams[number].hours for number in condition.streams)
    alarms = sum(len(one.false_alarms) for one in group)
    late = metrics.latency([hit for one in group for hit in one.hits])
    return {
        **condition.named,
        **_accuracy(trials_of(group), condition.snr_db is not None, sampling),
        "hours": hours,
        "false_alarms": alarms,
        "false_alarms_per_hour": alarms / hours,
        "latency_median_s": _number(late.median_s),
        "latency_p95_s": _number(late.p95_s),
    }


def describe_means(
    conditions: Sequence[Condition], matches: Sequence[Matches], sampling: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """At each SNR that all noise kinds have, of which there are several."""
    kinds = {one.noise_kind for one in conditions}
    found = []
    for snr_db in dict.fromkeys(one.snr_db for one in conditions):
        group = [one for one in conditions if one.snr_db == snr_db]
        if len(kinds) > 1 and len(group) == len(kinds):
            parts = [trials_of([matches[number] for number in one.streams]) for one in group]
            kind = np.repeat([one.noise_kind for one in group], [len(part.hit) for part in parts])
            trials = Trials(*map(np.concatenate, zip(*parts, strict=True)))
            named = {"noise_kind": "mean", "snr_db": snr_db}
            found.append(named | _accuracy(trials, True, sampling, kind))
    return found


def _accuracy(
    trials: Trials, noisy: bool, sampling: Mapping[str, Any], groups: np.ndarray | None = None
) -> dict[str, Any]:
    mean, low, high = _interval(trials, trials.hit, noisy, sampling, groups)
    return {
        "keywords": len(trials.hit),
        "misses": int((~trials.hit).sum()),
        "accuracy": mean,
        "low": low,
        "high": high,
        "speakers": len(set(trials.speakers)),
        "noise_recordings": len(set(trials.noise_sources)) if noisy else 0,
    }


def _interval(
    trials: Trials, values: np.ndarray, noisy: bool, sampling: Mapping[str, Any], groups: np.ndarray | None = None
) -> list[float | None]:
    """Mean of values [n] with its interval over speakers and noise recordings; None where there is none."""
    if not len(values):
        return [None, None, None]
    noises = trials.noise_sources if noisy else None
    return [_number(bound) for bound in bootstrap_mean(values, trials.speakers, noises, groups=groups, **sampling)]


def describe_keyword_free(
    free: Sequence[int], streams: Sequence[TrialStream], matches: Sequence[Matches]
) -> list[dict[str, Any]]:
    """False alarms of all, by content, and by content and noise kind."""
    groups: dict[tuple[str, str | None], list[int]] = {}
    for number in free:
        content, kind = streams[number].content, streams[number].noise_kind
        keys: list[tuple[str, str | None]] = [("all", None), (content, None), (content, kind)]
        for key in keys:
            groups.setdefault(key, []).append(number)
    found = []
    for key in sorted(groups, key=lambda key: (key[0] != "all", key[0], key[1] or "")):
        numbers = groups[key]
        hours = sum(streams[number].hours for number in numbers)
        alarms = sum(len(matches[number].false_alarms) for number in numbers)
        rate = metrics.poisson_interval(alarms, hours)
        named = {"content": key[0], "noise_kind": key[1], "hours": hours, "false_alarms": alarms}
        found.append(named | rate._asdict() | {"claimed": metrics.claimable_rate(alarms, hours)})
    return found


def describe_words(
    keywords: Sequence[str], streams: Sequence[TrialStream], matches: Sequence[Matches]
) -> list[dict[str, Any]]:
    """Of each keyword, all streams together; false alarms where no keyword is said."""
    counts = {word: {"spoken": 0, "misses": 0, "false_alarms": 0} for word in keywords}
    for stream, found in zip(streams, matches, strict=True):
        for word in [*(hit for _, hit in found.hits), *found.misses]:
            counts[word.word]["spoken"] += 1
        for word in found.misses:
            counts[word.word]["misses"] += 1
        if stream.content != WORDS:
            for event in found.false_alarms:
                counts[event.label]["false_alarms"] += 1
    return [{"word": word, **count} for word, count in counts.items()]


def describe_curve(
    conditions: Sequence[Condition],
    free: Sequence[int],
    streams: Sequence[TrialStream],
    at: Mapping[float, Sequence[Matches]],
) -> dict[str, Any]:
    """Counts at every shift."""
    shifts = sorted(at)
    return {
        "shifts": shifts,
        "false_alarms": [sum(len(at[shift][number].false_alarms) for number in free) for shift in shifts],
        "hours": sum(streams[number].hours for number in free),
        "conditions": [
            {
                **condition.named,
                "keywords": len(trials_of([at[0.0][number] for number in condition.streams]).hit),
                "misses": [sum(len(at[shift][number].misses) for number in condition.streams) for shift in shifts],
            }
            for condition in conditions
        ],
    }


def describe_point(
    per_hour: float,
    conditions: Sequence[Condition],
    at: Mapping[float, Sequence[Matches]],
    curve: Mapping[str, Any],
    sampling: Mapping[str, Any],
) -> dict[str, Any]:
    """Misses where there are so many false alarms an hour without keywords."""
    none_missed = [0] * len(curve["shifts"])
    found = metrics.miss_at_rate(
        metrics.det_curve(curve["shifts"], curve["false_alarms"], curve["hours"], none_missed, 1), per_hour
    )
    misses = []
    if found.shift is not None:
        for condition in conditions:
            trials = trials_of([at[found.shift][number] for number in condition.streams])
            mean, low, high = _interval(trials, ~trials.hit, condition.snr_db is not None, sampling)
            misses.append(condition.named | {"miss_rate": mean, "low": low, "high": high})
    return {
        "wanted_per_hour": per_hour,
        "reason": found.reason,
        "shift": found.shift,
        "per_hour": found.per_hour,
        "conditions": misses,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
