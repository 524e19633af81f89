"""run.json: what an evaluation found, and where each number comes from.

{"schema": 1, "command", "commit", "date": ISO 8601, "seed", "level": "p56" | "rms",
 "draws": noise draws a clip, "versions": {name: version},
 "model": {"name", "shrinkage", "parameters", "multiply_adds", "labels": [K]},
 "data": {"manifest", "sha256", "utterances", "speakers", "outside_vocabulary": see `text.count_outside`,
          "noise": [{"manifest", "sha256", "folds": [...], "kinds": [...], "recordings"}]},
 "conditions": [{"noise_kind": "clean" | kind | "mean" (over the kinds), "snr_db": null where clean,
                 "accuracy", "low", "high": shares of 1; null bounds where there is no interval,
                 "trials", "speakers", "noise_recordings",
                 "confusion": [K][K], truth in rows; not for the mean}],
 where the checkpoint has a reject threshold: "reject_below", and "with_threshold": conditions of the same form}

The answers of "conditions" are the most probable labels. Those of "with_threshold" are what `drsn-audio classify`
answers: a keyword below the threshold becomes "unknown".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from drsn_audio.errors import InputError

SCHEMA = 1
CLEAN, MEAN = "clean", "mean"
LEVELS = {"p56": "active level (ITU-T P.56)", "rms": "RMS"}
KEYS = {
    "run": ("schema", "command", "commit", "seed", "level", "draws", "model", "data", "conditions"),
    "model": ("name", "shrinkage", "labels"),
    "data": ("manifest", "sha256", "utterances", "speakers", "noise"),
    "noise": ("manifest", "sha256", "recordings"),
    "conditions": ("noise_kind", "snr_db", "accuracy", "low", "high", "trials"),
}


@dataclass(frozen=True)
class Condition:
    """One noise kind at one SNR; accuracy and bounds are shares of 1, bounds NaN where there are none."""

    noise_kind: str
    snr_db: float | None
    accuracy: float
    low: float
    high: float
    trials: int
    confusion: np.ndarray | None  # int [K, K], truth in rows


class Run:
    """A run.json that has been checked: `facts` as written, `conditions` by noise kind and SNR."""

    def __init__(self, facts: Mapping[str, Any], name: str = "run.json"):
        """`name` is what messages call it.

        Raises:
            InputError: another schema, a missing key, a condition given twice, or numbers that cannot be.
        """
        self.facts = facts
        self.name = name
        if isinstance(facts, Mapping) and facts.get("schema", SCHEMA) != SCHEMA:
            raise self._error(f"schema is {facts['schema']}, this version reads {SCHEMA}")
        self._require(facts, "run")
        if facts["level"] not in LEVELS:
            raise self._error(f"level is {facts['level']!r}, not one of {', '.join(LEVELS)}")
        self._require(facts["model"], "model")
        self._require(facts["data"], "data")
        for noise in facts["data"]["noise"]:
            self._require(noise, "noise")
        self.labels: list[str] = list(facts["model"]["labels"])
        self.conditions: dict[tuple[str, float | None], Condition] = {}
        for entry in facts["conditions"]:
            condition = self._condition(entry)
            key = condition.noise_kind, condition.snr_db
            if key in self.conditions:
                raise self._error(f"{describe(*key)} stands there twice")
            self.conditions[key] = condition
        if not self.conditions:
            raise self._error("no conditions")

    @property
    def title(self) -> str:
        """Model and shrinkage, as a table or a legend names the run."""
        name, shrinkage = self.facts["model"]["name"], self.facts["model"]["shrinkage"]
        return f"{name} ({shrinkage})" if shrinkage and shrinkage not in name else name

    @property
    def noise_kinds(self) -> list[str]:
        """In the order of the file, the mean last; without clean."""
        kinds = list(dict.fromkeys(kind for kind, _ in self.conditions if kind != CLEAN))
        return sorted(kinds, key=lambda kind: kind == MEAN)

    @property
    def snrs_db(self) -> list[float]:
        """Of all noise kinds, the easiest first; without clean."""
        return sorted({snr_db for _, snr_db in self.conditions if snr_db is not None}, reverse=True)

    def at(self, noise_kind: str, snr_db: float | None) -> Condition | None:
        """The condition of a table's cell; no SNR means clean, for every noise kind."""
        return self.conditions.get((CLEAN if snr_db is None else noise_kind, snr_db))

    def confusion(self, noise_kind: str, snr_db: float | None) -> np.ndarray:
        """Confusions of one condition, int [K, K], truth in rows.

        Raises:
            InputError: no such condition, or one without confusions (the mean).
        """
        condition = self.conditions.get((noise_kind, snr_db))
        if condition is None or condition.confusion is None:
            held = [describe(*key) for key, other in self.conditions.items() if other.confusion is not None]
            wanted = describe(noise_kind, snr_db)
            raise InputError(f"{self.name}: no confusions for {wanted}: choose one of {', '.join(held)}")
        return condition.confusion

    def _condition(self, entry: Mapping[str, Any]) -> Condition:
        self._require(entry, "conditions")
        kind, snr_db, trials = entry["noise_kind"], entry["snr_db"], entry["trials"]
        where = describe(kind, snr_db)
        if (kind == CLEAN) != (snr_db is None):
            raise self._error(f"{where}: clean, and nothing else, has no SNR")
        accuracy, low, high = (
            math.nan if entry[key] is None else float(entry[key]) for key in ("accuracy", "low", "high")
        )
        if not 0 <= accuracy <= 1 or low < 0 or high > 1 or low > high:
            raise self._error(f"{where}: accuracy {accuracy} [{low}, {high}] is no share of 1")
        confusion = None
        if entry.get("confusion") is not None:
            confusion = np.array(entry["confusion"])
            if confusion.shape != (len(self.labels), len(self.labels)) or confusion.sum() != trials:
                raise self._error(
                    f"{where}: confusions of shape {confusion.shape} with {confusion.sum()} trials "
                    f"do not fit {len(self.labels)} labels and {trials} trials"
                )
        snr_db = None if snr_db is None else float(snr_db)
        return Condition(kind, snr_db, accuracy, low, high, trials, confusion)

    def _require(self, entry: Any, kind: str) -> None:
        missing = [key for key in KEYS[kind] if not isinstance(entry, Mapping) or key not in entry]
        if missing:
            raise self._error(f"{kind}: no {', '.join(missing)}")

    def _error(self, what: str) -> InputError:
        return InputError(f"{self.name}: {what}: evaluate again")


def as_answered(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return run.json's content with the conditions that `drsn-audio classify` gives: with the reject threshold.

    Where no threshold was chosen these are the conditions as they are, and `facts` itself is returned.
    """
    if "with_threshold" not in facts:
        return facts
    return {**facts, "conditions": facts["with_threshold"], "threshold_applied": True}


def check_runs(runs: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Runs that may stand side by side.

    Raises:
        InputError: none, or SNRs that were set by different level methods.
    """
    checked = [Run(facts, f"run {number}") for number, facts in enumerate(runs, 1)]
    if not checked:
        raise InputError("no runs to compare: give one run.json at least")
    for run in checked[1:]:
        level, first = run.facts["level"], checked[0].facts["level"]
        if level != first:
            raise InputError(f"{run.name} sets SNRs by {level}, run 1 by {first}: evaluate both with one --level")
    return checked


def run_titles(runs: Sequence[Run]) -> list[str]:
    """A title for each run, numbered where models and shrinkages are the same."""
    titles = [run.title for run in runs]
    return [f"{title}, run {number}" if titles.count(title) > 1 else title for number, title in enumerate(titles, 1)]


def describe(noise_kind: str, snr_db: float | None) -> str:
    """A condition in words: "clean", "street at -5 dB"."""
    return noise_kind if snr_db is None else f"{noise_kind} at {snr_db:g} dB"


def describe_snr(snr_db: float | None) -> str:
    """A column's heading: "clean", "-5 dB"."""
    return CLEAN if snr_db is None else f"{snr_db:g} dB"
