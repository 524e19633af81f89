"""Answers of several runs -> how right each trial was, and means of that with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.evaluation.answers import TrialList, read_lists, unpack_bits
from drsn_audio.labels import SILENCE
from drsn_audio.metrics.bootstrap import bootstrap_replicates
from drsn_audio.metrics.significance import bootstrap_p
from drsn_audio.sweeping.config import Sweep
from drsn_audio.sweeping.results import read_asked

CLEAN, MEAN = "clean", "mean"  # columns beside the SNRs

Condition = tuple[str, float | None]  # noise kind, SNR in dB
Scores = dict[str, dict[Condition, np.ndarray]]  # sha256 of a list of trials -> how right each was, 0 to 1 [n]


class Column(NamedTuple):
    """Trials of one column; arrays [n]."""

    values: np.ndarray
    speakers: np.ndarray
    noises: np.ndarray | None  # None of clean speech
    groups: np.ndarray  # noise kind and test, all of one weight


class Answers:
    """The answers of all runs, read: `results` are their small JSONs by name.

    Columns are those of the conditions that every run has. `others` are the sweeps of the runs that are not of
    `sweep`, by name.

    Raises:
        InputError: lists of trials that are not there, or answers that do not fit them.
    """

    def __init__(
        self, sweep: Sweep, results: Mapping[str, Mapping[str, Any]], others: Mapping[str, Sweep] | None = None
    ):
        self.trials = {name: str(result["answers"]["trials"]) for name, result in results.items()}
        first_of = {digest: name for name, digest in reversed(self.trials.items())}
        self._asked = {
            digest: read_asked((others or {}).get(first_of[digest], sweep), digest)
            for digest in dict.fromkeys(self.trials.values())
        }
        self._lists: dict[str, dict[Condition, TrialList]] = {}
        self._right: dict[str, dict[Condition, np.ndarray]] = {}
        for name, result in results.items():
            try:
                self._right[name] = self._read(self.trials[name], result["answers"]["conditions"])
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise InputError(f"{name}: answers that cannot be read ({error}): --again {name}") from None
        shared = set.intersection(*(set(one) for one in self._right.values()))
        first = next(iter(self._right.values()))
        self.conditions = [condition for condition in first if condition in shared]
        settings = next(iter(results.values()))
        self.seed = int(settings["answers"]["seed"])
        self.replicates = int(settings["settings"]["evaluate"]["replicates"])
        self._told = {"level": settings["answers"]["level"], "draws": settings["answers"]["draws"]}

    def figures(self) -> dict[str, dict[str, float]]:
        """Run -> column -> accuracy, the mean of the noise kinds."""
        return {
            name: {column: _mean(self.column(self.scores([name]), column)) for column in self.columns()}
            for name in self._right
        }

    def columns(self) -> list[str]:
        snrs = dict.fromkeys(snr_db for _, snr_db in self.conditions)
        return [*sorted(map(column_name, snrs), key=lambda column: column != CLEAN), *([MEAN] if any_snr(snrs) else [])]

    def scores(self, names: Iterable[str]) -> Scores:
        """Runs -> for each list of trials the average of those that were put to it."""
        together: dict[str, list[dict[Condition, np.ndarray]]] = {}
        for name in names:
            together.setdefault(self.trials[name], []).append(self._right[name])
        return {
            digest: {key: np.mean([one[key] for one in group], axis=0) for key in self.conditions}
            for digest, group in together.items()
        }

    def column(self, scores: Scores, column: str) -> Column:
        """The trials of a column, of all lists and noise kinds, each of these a group.

        Clip and noise are the same at every SNR, so for the column "mean" a trial's score is its mean over the SNRs.
        """
        parts = []
        for digest, by_condition in scores.items():
            kinds: dict[str, list[Condition]] = {}
            for kind, snr_db in by_condition:
                if column_name(snr_db) == column or (column == MEAN and snr_db is not None):
                    kinds.setdefault(kind, []).append((kind, snr_db))
            for kind, conditions in kinds.items():
                values = np.mean([by_condition[key] for key in conditions], axis=0)
                trials = self._lists[digest][conditions[0]]
                parts.append((values, _speakers(trials, digest), trials.noise_sources, f"{digest} {kind}"))
        values, speakers, noises, groups = zip(*parts, strict=True)
        return Column(
            np.concatenate(values),
            np.concatenate(speakers),
            None if column == CLEAN else np.concatenate(noises),
            np.repeat(groups, [len(one) for one in values]),
        )

    def trials_of(self, digest: str, condition: Condition) -> TrialList:
        """Of a list, in the order of its scores; a silence has the name of its test beside its own."""
        trials = self._lists[digest][condition]
        return TrialList(_speakers(trials, digest), trials.noise_sources)

    def described(self, tests: Iterable[str] = ()) -> dict[str, Any]:
        """What a caption says of these tests, by the sha256 of their lists; of all where none is named."""
        named = list(tests) or list(self._asked)
        speakers = {name for digest in named for name in self._asked[digest]["speakers"] if not _silent(name)}
        noisy = [key for key in self.conditions if key[1] is not None]
        heard = {name for digest in named for key in noisy for name in self._lists[digest][key].noise_sources.tolist()}
        return {
            **self._told,
            "seed": self.seed,
            "replicates": self.replicates,
            "noise_kinds": sorted({kind for kind, snr_db in self.conditions if snr_db is not None}),
            "tests": named,
            "speakers": len(speakers),
            "noise_recordings": len(heard),
        }

    def _read(self, digest: str, conditions: Sequence[Mapping[str, Any]]) -> dict[Condition, np.ndarray]:
        lists = read_lists(self._asked[digest])
        places = self._lists.setdefault(digest, {})
        right = {}
        for one in conditions:
            key = (str(one["noise_kind"]), one["snr_db"])
            trials = lists[one["list"]]
            if one["trials"] != len(trials.speakers):
                raise ValueError(f"{one['trials']} answers to {len(trials.speakers)} trials")
            places[key] = trials
            right[key] = unpack_bits(one["correct"], one["trials"])
        return right


def column_name(snr_db: float | None) -> str:
    return CLEAN if snr_db is None else f"{snr_db:g} dB"


def any_snr(snrs: Iterable[float | None]) -> bool:
    return any(snr_db is not None for snr_db in snrs)


def interval(
    column: Column, seed: int, replicates: int, minus: Column | None = None, with_p: bool = False
) -> Mapping[str, float | None]:
    """95 % interval of a column's mean, or of its difference to the same trials of another, over speakers and noise
    recordings: {"mean", "low", "high"}, and "p" of no difference; None where there is too little to resample.
    """
    values = column.values if minus is None else column.values - minus.values
    mean, means = bootstrap_replicates(
        values, column.speakers, column.noises, groups=column.groups, seed=seed, replicates=replicates
    )
    if means is None or means.size < replicates / 2:
        return {"mean": mean, "low": None, "high": None} | ({"p": None} if with_p else {})
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": mean, "low": float(low), "high": float(high)} | ({"p": bootstrap_p(means)} if with_p else {})


def _mean(column: Column) -> float:
    return float(np.mean([column.values[column.groups == group].mean() for group in dict.fromkeys(column.groups)]))


def _silent(speaker: str) -> bool:
    return speaker.startswith(f"{SILENCE}-")


def _speakers(trials: TrialList, digest: str) -> np.ndarray:
    """Silences are numbered in each test anew: those of another test are others."""
    return np.array([f"{name} {digest}" if _silent(name) else name for name in trials.speakers])
