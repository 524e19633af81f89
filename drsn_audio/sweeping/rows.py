"""Rows of a table over one sweep or several: the runs of each model, the tests they share, the pairs they make."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from drsn_audio.config import ConfigError, nearest
from drsn_audio.errors import InputError
from drsn_audio.sweeping.cells import Cell, read_result
from drsn_audio.sweeping.config import Sweep

FOLD, SEED = "fold", "seed"  # axes whose labels a row goes over; every other label is part of what the row is


@dataclass(frozen=True)
class Planned:
    """A sweep, the path it was read from, and its cells."""

    path: Path
    sweep: Sweep
    cells: Sequence[Cell]
    words: tuple[str, ...] = ()  # overrides of the command line

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass
class Run:
    """A cell that is done; `name` is its own, behind that of its sweep where there are several."""

    name: str
    cell: Cell
    result: Mapping[str, Any]

    @property
    def test(self) -> str:
        """sha256 of its list of trials."""
        return str(self.result["answers"]["trials"])

    @property
    def place(self) -> tuple[str, str, str]:
        """What a partner must have, too."""
        return self.test, self.cell.labels.get(FOLD, ""), self.cell.labels.get(SEED, "")


@dataclass
class Row:
    """A model of a sweep: `label` of the compared axis, `family` of those that it is to be compared with first."""

    label: str
    planned: Planned
    others: tuple[str, ...]  # labels of further axes, such as a size
    cells: list[Cell] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    name: str = ""  # the label, with as much before it as tells it from others

    @property
    def family(self) -> tuple[str, ...]:
        return (self.planned.name, *self.others)

    @property
    def tests(self) -> set[str]:
        return {run.test for run in self.runs}

    def on(self, tests: Iterable[str]) -> list[Run]:
        kept = set(tests)
        return [run for run in self.runs if run.test in kept]


def rows_of(sweeps: Sequence[Planned]) -> list[Row]:
    """All rows that the sweeps plan, in their order, with the runs that are done.

    Raises:
        InputError: no run is done; a result that cannot be read, is of another config, or has no answers.
    """
    rows: dict[tuple[str, ...], Row] = {}
    for planned in sweeps:
        axes = [axis.name for axis in planned.sweep.axes if axis.name not in (FOLD, SEED, planned.sweep.compare)]
        for cell in planned.cells:
            label, others = cell.labels[planned.sweep.compare], tuple(cell.labels[axis] for axis in axes)
            row = rows.setdefault((planned.name, *others, label), Row(label, planned, others))
            row.cells.append(cell)
            result = read_result(cell)
            if result is not None:
                row.runs.append(Run(cell.name if len(sweeps) == 1 else f"{planned.name}/{cell.name}", cell, result))
    _name(list(rows.values()))
    runs = [run for row in rows.values() for run in row.runs]
    if not runs:
        places = ", ".join(dict.fromkeys(planned.sweep.results for planned in sweeps))
        raise InputError(f"{places}: no run is done yet: run the sweep first")
    lacking = next((run.cell for run in runs if "answers" not in run.result), None)
    if lacking is not None:
        raise InputError(f"{lacking.result}: has no answers: only recipes with answers.py can be compared by trial")
    levels = {str(run.result["answers"]["level"]): run for run in runs}
    if len(levels) > 1:
        told = " and ".join(f"{level} ({run.name})" for level, run in levels.items())
        raise InputError(f"SNRs by {told}: no table may mix these: give sweeps of one data.level")
    return list(rows.values())


def shared_tests(rows: Sequence[Row]) -> list[str]:
    """Lists of trials that every one of the rows was put to, in the order of the first; [] where there is none."""
    return list(dict.fromkeys(run.test for run in rows[0].runs if all(run.test in row.tests for row in rows)))


def pairs_of(one: Row, other: Row) -> tuple[list[tuple[Run, Run]], list[str]]:
    """Runs of the same fold and seed that were put to the same trials, and the names of those without a partner."""
    partners = {run.place: run for run in other.runs}
    pairs = [(run, partners[run.place]) for run in one.runs if run.place in partners]
    paired = {run.name for pair in pairs for run in pair}
    return pairs, [run.name for run in (*one.runs, *other.runs) if run.name not in paired]


def partners_of(rows: Sequence[Row], one: str, other: str = "") -> list[tuple[Row, Row]]:
    """Rows named `one` or so labelled, with `other`, or with every other row where none is named.

    Each is compared within its family; with a row of elsewhere where its own family has none of that name, and there
    is one alone.

    Raises:
        ConfigError: a name that no row has, or one that several have of which none is meant.
    """
    firsts = named(rows, one)
    if other:
        seconds = named(rows, other)
        return [(first, _partner(first, seconds)) for first in firsts]
    return [(_partner(row, firsts), row) for row in rows if row not in firsts]


def named(rows: Sequence[Row], name: str) -> list[Row]:
    """Raises ConfigError where no row is."""
    found = [row for row in rows if row.name == name] or [row for row in rows if row.label == name]
    if not found:
        raise ConfigError(f"{name}: no such model; {nearest(name, [row.name for row in rows])}")
    return found


def _partner(row: Row, candidates: Sequence[Row]) -> Row:
    others = [one for one in candidates if one is not row]
    found = [one for one in others if one.family == row.family] or others
    if not found:
        raise ConfigError(f"{row.name}: a model has no difference to itself: name two")
    if len(found) > 1:
        raise ConfigError(f"{found[0].label}: which of {', '.join(one.name for one in found)}? Name it in full")
    return found[0]


def guess_ours(rows: Sequence[Row]) -> str:
    """drsn-frequency; without it the first that is a DRSN by its name, and else the first."""
    labels = list(dict.fromkeys(row.label for row in rows))
    return next((one for one in labels if one == "drsn-frequency"), next((o for o in labels if "drsn" in o), labels[0]))


def reproduce(row: Row) -> str:
    """The command that does all of a row's runs anew, and no others that are done."""
    mine, all_names = [cell.name for cell in row.cells], [cell.name for cell in row.planned.cells]
    candidates = [f"{row.label}-*", f"{os.path.commonprefix(mine)}*"]  # noqa: RUF071 - names, not paths
    fitting = [one for one in candidates if [name for name in all_names if fnmatchcase(name, one)] == mine]
    again = [f"'{fitting[0]}'"] if len(mine) > 1 and fitting else mine
    given = [str(row.planned.path), *(f"--again {one}" for one in again), *map(shlex.quote, row.planned.words)]
    return " ".join(["python recipes/sweep.py", *given])


def _name(rows: Sequence[Row]) -> None:
    """The label where it is alone; else other labels before it, and where these do not tell, the sweep before all."""
    for parts in (lambda row: (row.label,), lambda row: (*row.others, row.label), lambda row: (*row.family, row.label)):
        names = ["/".join(parts(row)) for row in rows]
        for row, name in zip(rows, names, strict=True):
            if not row.name and names.count(name) == 1:
                row.name = name
