"""What was written -> error rates with their intervals, confused words, differences between two recognisers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from drsn_audio.datasets.noise_names import class_of
from drsn_audio.evaluation.transcripts import Transcripts
from drsn_audio.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean
from drsn_audio.metrics.wer import ErrorCounts, character_errors, confusions, word_errors
from drsn_audio.text import normalise_text

MOST_CONFUSED = 20  # of each kind, for each condition


def summarise(transcripts: Sequence[Transcripts], *, seed: int, replicates: int) -> list[dict[str, Any]]:
    """Transcripts -> run.json's conditions: each, then at each SNR the mean over noise kinds, all of the same weight.

    Of a mean, counts are sums over the kinds.
    """
    return [_condition(group, name, seed, replicates) for name, group in _groups(transcripts)]


def by_noise_class(transcripts: Sequence[Transcripts]) -> list[dict[str, Any]]:
    """Word error rate in each class of noise at each SNR, with its words and recordings."""
    found = []
    for one in transcripts:
        if one.snr_db is None:
            continue
        errors = word_errors(one.references, one.hypotheses)
        classes = np.array([class_of(source) for source in one.noise_sources])
        for name in sorted(set(classes)):
            part = ErrorCounts(errors.by_utterance[classes == name])
            found.append(
                {
                    "noise_kind": one.noise_kind,
                    "noise_class": name,
                    "snr_db": one.snr_db,
                    "wer": part.rate if part.length else None,
                    "words": part.length,
                    "trials": len(part.errors),
                    "noise_recordings": len(set(np.array(one.noise_sources)[classes == name])),
                }
            )
    return found


def word_differences(
    ours: Sequence[Transcripts], others: Sequence[Transcripts], *, seed: int, replicates: int
) -> list[dict[str, Any]]:
    """Word error rate of `ours` less that of `others` under each condition, paired, with its 95 % interval.

    Raises:
        ValueError: they were not put to the same trials.
    """
    found = []
    for (name, group), (_, other_group) in zip(_groups(ours), _groups(others), strict=True):
        if list(map(_trials, group)) != list(map(_trials, other_group)):
            raise ValueError(f"{name} at {group[0].snr_db} dB: a difference needs the same trials in both")
        said, speakers, noises, kinds = _joined(group)
        errors, other_errors = (
            word_errors(said, [text for one in part for text in one.hypotheses]) for part in (group, other_group)
        )
        interval = bootstrap_difference(
            errors.errors,
            other_errors.errors,
            speakers,
            noises,
            groups=kinds,
            weights=errors.lengths,
            seed=seed,
            replicates=replicates,
        )
        bounds = _bounds(interval, ("difference", "low", "high"))
        found.append({"noise_kind": name, "snr_db": group[0].snr_db, **bounds})
    return found


def _groups(transcripts: Sequence[Transcripts]) -> list[tuple[str, list[Transcripts]]]:
    """Each condition by itself; then, where there are several kinds of noise, all of them at each SNR: the mean."""
    found = [(one.noise_kind, [one]) for one in transcripts]
    kinds = {one.noise_kind for one in transcripts if one.snr_db is not None}
    for snr_db in dict.fromkeys(one.snr_db for one in transcripts if one.snr_db is not None):
        group = [one for one in transcripts if one.snr_db == snr_db]
        if len(kinds) > 1 and len(group) == len(kinds):
            found.append(("mean", group))
    return found


def _joined(group: Sequence[Transcripts]) -> tuple[list[str], list[str], list[str] | None, list[str]]:
    """References, speakers, noise recordings (none where clean) and noise kinds of all trials."""
    said, speakers, noises = (
        [value for one in group for value in getattr(one, name)] for name in ("references", "speakers", "noise_sources")
    )
    kinds = [one.noise_kind for one in group for _ in one.references]
    return said, speakers, None if group[0].snr_db is None else noises, kinds


def _trials(one: Transcripts) -> tuple[Any, ...]:
    return one.noise_kind, one.snr_db, one.ids, one.noise_sources


def _condition(group: Sequence[Transcripts], name: str, seed: int, replicates: int) -> dict[str, Any]:
    """One condition, or several noise kinds at one SNR together."""
    said, speakers, noises, kinds = _joined(group)
    written = [text for one in group for text in one.hypotheses]
    words, characters = word_errors(said, written), character_errors(said, written)
    rates = {
        key: bootstrap_mean(
            counts.errors,
            speakers,
            noises,
            groups=kinds,
            weights=counts.lengths,
            seed=seed,
            replicates=replicates,
        )
        for key, counts in (("wer", words), ("cer", characters))
    }
    return {
        "noise_kind": name,
        "snr_db": group[0].snr_db,
        **_bounds(rates["wer"], ("wer", "low", "high")),
        **_bounds(rates["cer"], ("cer", "cer_low", "cer_high")),
        "words": words.length,
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "characters": characters.length,
        "trials": len(said),
        "exact": words.exact,
        "speakers": len(set(speakers)),
        "noise_recordings": 0 if noises is None else len(set(noises)),
        "confused": _confused(said, written),
    }


def _confused(said: Sequence[str], written: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The words most often taken for others, left out and put in; "of" is how often the word was said."""
    found = confusions(said, written)
    times = Counter(word for text in said for word in normalise_text(text).split())
    return {
        "substituted": [
            {"said": word, "written": other, "times": count, "of": times[word]}
            for (word, other), count in _most(found.substituted)
        ],
        "deleted": [{"said": word, "times": count, "of": times[word]} for word, count in _most(found.deleted)],
        "inserted": [{"written": word, "times": count} for word, count in _most(found.inserted)],
    }


def _most(counts: Counter) -> list[tuple[Any, int]]:
    """The largest, equal ones in alphabetical order, whatever the order of the utterances."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSED]


def _bounds(interval: Interval, names: tuple[str, str, str]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in zip(names, interval, strict=True)}
