"""Accuracy of sets of runs and its paired differences, with intervals, by column, noise kind and test.

All that is compared is resampled by the same draws of speakers and noise recordings, so that a difference is taken
replicate by replicate, as if its trials had been subtracted before.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.metrics.significance import bootstrap_p
from drsn_audio.sweeping.replicates import Group, Resampling
from drsn_audio.sweeping.scores import CLEAN, MEAN, Answers, Condition, column_name

LOW = "low"  # the column of 0 dB and below
SUMMARIES = (MEAN, LOW)

Key = tuple[str, str]  # a group: list of trials (its sha256), noise kind


class Estimate:
    """What one set of runs got right: of every group and SNR the mean, and its replicates [replicates]."""

    def __init__(self, drawn: Resampling, found: Mapping[Key, Mapping[float | None, tuple[float, np.ndarray]]]):
        self.drawn, self.found = drawn, found

    def figure(self, snrs_db: Sequence[float | None], kind: str = "", test: str = "") -> tuple[float, np.ndarray]:
        """Mean over SNRs and groups, all of one weight, and its replicates; `kind` and `test` take groups of these."""
        parts = [self.found[key][snr_db] for key in self.groups(snrs_db, kind, test) for snr_db in snrs_db]
        return float(np.mean([mean for mean, _ in parts])), np.mean([replicates for _, replicates in parts], axis=0)

    def groups(self, snrs_db: Sequence[float | None], kind: str = "", test: str = "") -> list[Key]:
        return [
            key
            for key, of_group in self.found.items()
            if kind in ("", key[1]) and test in ("", key[0]) and all(snr_db in of_group for snr_db in snrs_db)
        ]


class Estimates:
    """Makes them of the answers of all runs, each once."""

    def __init__(self, tests: Answers):
        self.tests = tests
        snrs = sorted({snr_db for _, snr_db in tests.conditions if snr_db is not None}, reverse=True)
        self.columns = columns_of([snr_db for _, snr_db in tests.conditions])
        self.snrs_db = snrs
        self.kinds = sorted({kind for kind, snr_db in tests.conditions if snr_db is not None})
        self._drawn: dict[frozenset[str], Resampling] = {}
        self._made: dict[frozenset[str], Estimate] = {}

    def of(self, names: Iterable[str]) -> Estimate:
        """Runs that were put to the same trials count as their average; different trials weigh the same."""
        names = frozenset(names)
        if names not in self._made:
            scores = self.tests.scores(sorted(names))
            drawn = self._draws(frozenset(scores))
            found: dict[Key, dict[float | None, tuple[float, np.ndarray]]] = {}
            for digest, by_condition in scores.items():
                for (kind, snr_db), values in by_condition.items():
                    found.setdefault((digest, kind), {})[snr_db] = drawn.means((digest, kind), values)
            self._made[names] = Estimate(drawn, found)
        return self._made[names]

    def interval(
        self, one: Estimate, column: str, kind: str = "", minus: Estimate | None = None, with_p: bool = False
    ) -> dict[str, Any]:
        """95 % interval of a column's mean, or of its difference to that of `minus`, which has the same trials:
        {"mean", "low", "high"}, and "p" of no difference; None where there is too little to resample.
        """
        snrs_db = self.columns[column]
        mean, means = one.figure(snrs_db, kind)
        if minus is not None:
            if minus.drawn is not one.drawn:
                raise ValueError("a difference needs the same trials")
            their_mean, theirs = minus.figure(snrs_db, kind)
            mean, means = mean - their_mean, means - theirs
        left = means[~np.isnan(means)]
        if left.size < means.size / 2 or not one.drawn.vary(one.groups(snrs_db, kind)):
            return {"mean": mean, "low": None, "high": None} | ({"p": None} if with_p else {})
        low, high = np.quantile(left, [0.025, 0.975])
        return {"mean": mean, "low": float(low), "high": float(high)} | ({"p": bootstrap_p(left)} if with_p else {})

    def run_mean(self, name: str) -> float:
        """A single run in the column "mean"; clean, where there is no noise."""
        (by_condition,) = self.tests.scores([name]).values()
        snrs_db = self.columns.get(MEAN, [None])
        return float(np.mean([values.mean() for (_, snr_db), values in by_condition.items() if snr_db in snrs_db]))

    def _draws(self, digests: frozenset[str]) -> Resampling:
        if digests not in self._drawn:
            groups: dict[Hashable, Group] = {}
            for digest in sorted(digests):
                for kind, snr_db in self.tests.conditions:
                    group = self._group(digest, (kind, snr_db))
                    known = groups.setdefault((digest, kind), group)
                    if not _same(group, known):
                        raise InputError(f"trials {digest[:16]}: {kind} has others at another SNR: test it again")
            self._drawn[digests] = Resampling(groups, self.tests.seed, self.tests.replicates)
        return self._drawn[digests]

    def _group(self, digest: str, condition: Condition) -> Group:
        trials = self.tests.trials_of(digest, condition)
        return Group(trials.speakers, None if condition[1] is None else trials.noise_sources)


def columns_of(snrs_db: Sequence[float | None]) -> dict[str, list[float | None]]:
    """SNRs -> columns and the SNRs of each: clean, each SNR from the highest, their mean, and that of 0 dB and below
    where it is another.
    """
    noisy = sorted({snr_db for snr_db in snrs_db if snr_db is not None}, reverse=True)
    low = [snr_db for snr_db in noisy if snr_db <= 0]
    columns: dict[str, list[float | None]] = {CLEAN: [None]} if None in snrs_db else {}
    for snr_db in noisy:
        columns[column_name(snr_db)] = [snr_db]
    if noisy:
        columns[MEAN] = [*noisy]
    if low and low != noisy:
        columns[LOW] = [*low]
    return columns


def _same(one: Group, other: Group) -> bool:
    if one.noises is None or other.noises is None:
        return one.noises is other.noises and np.array_equal(one.speakers, other.speakers)
    return np.array_equal(one.speakers, other.speakers) and np.array_equal(one.noises, other.noises)
