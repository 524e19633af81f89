"""The small JSONs of a sweep -> one table: means, deviations, intervals, and paired differences to the reference."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.evaluation.provenance import command_line, commit
from drsn_audio.sweeping.cells import SUMMARY, Cell, read_result
from drsn_audio.sweeping.config import Sweep
from drsn_audio.sweeping.differences import add_differences
from drsn_audio.sweeping.scores import Answers, interval

SCHEMA = 1
TABLES, COSTS = "tables", "costs"  # further files beside the cells': see evidence_command.py


def gather(sweep: Sweep, cells: Sequence[Cell]) -> dict[str, Any]:
    """What is there of a sweep -> the content of sweep.json.

    A row for each label of the compared axis: of every column (clean, each SNR as the mean of the noise kinds, and the
    mean of the SNRs; without answers the figures of run.json) the mean over its cells and their standard deviation.
    With answers also 95 % intervals over test speakers and noise recordings. Cells that were put to the same trials
    count as their average, trial by trial; different trials (folds) weigh the same.

    Raises:
        InputError: nothing is there yet; a file that cannot be read or is of another config; cells of which some
            have answers and some have not.
    """
    found = {cell.name: result for cell in cells if (result := read_result(cell)) is not None}
    if not found:
        raise InputError(f"{sweep.results}: none of the {len(cells)} cells is done yet: run the sweep first")
    answered = {"answers" in result for result in found.values()}
    if len(answered) > 1:
        lacking = next(name for name, result in found.items() if "answers" not in result)
        raise InputError(f"{lacking}: has no answers, others have: --again {lacking}")
    tests = Answers(sweep, found) if answered == {True} else None
    figures = tests.figures() if tests else {name: result["figures"] for name, result in found.items()}
    columns = [name for name in next(iter(figures.values())) if all(name in one for one in figures.values())]
    done = [cell for cell in cells if cell.name in found]
    rows = []
    for label in dict.fromkeys(cell.labels[sweep.compare] for cell in cells):
        mine = [cell for cell in done if cell.labels[sweep.compare] == label]
        if mine:
            rows.append(_row(sweep, label, mine, found, figures, columns, tests))
    if tests:
        add_differences(sweep, rows, done, tests, columns)
    return {
        "schema": SCHEMA,
        "command": command_line(),
        "commit": commit(),
        "config": sweep.config,
        "results": sweep.results,
        "compare": sweep.compare,
        "reference": sweep.reference,
        "kind": "accuracy" if tests else "figures",
        **(tests.described() if tests else {}),
        "columns": columns,
        "cells": len(cells),
        "missing": [cell.name for cell in cells if cell.name not in found],
        "strangers": strangers(sweep, cells),
        "rows": rows,
        "runs": [_run(cell, found[cell.name], figures[cell.name]) for cell in done],
    }


def strangers(sweep: Sweep, cells: Sequence[Cell]) -> list[str]:
    """Files in the folder of results that are none of these cells'."""
    known = {cell.result.name for cell in cells} | {f"{name}.json" for name in (SUMMARY, TABLES, COSTS)}
    return sorted(path.name for path in Path(sweep.results).glob("*.json") if path.name not in known)


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None of a single value."""
    return statistics.stdev(values) if len(values) > 1 else None


def spread(cells: Sequence[Cell], values: Mapping[str, float], axis: str) -> float | None:
    """Standard deviation over one axis, all others held: of each group of cells that differ in it alone, pooled.

    The root of the mean of the groups' variances, weighed by their degrees of freedom; None where no group has two.
    """
    groups: dict[tuple[str, ...], list[float]] = {}
    for cell in cells:
        held = tuple(label for name, label in cell.labels.items() if name != axis)
        groups.setdefault(held, []).append(values[cell.name])
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return None
    squares = sum((len(group) - 1) * statistics.variance(group) for group in several)
    return math.sqrt(squares / sum(len(group) - 1 for group in several))


def _row(
    sweep: Sweep,
    label: str,
    cells: Sequence[Cell],
    found: Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, Mapping[str, float]],
    columns: Sequence[str],
    tests: Answers | None,
) -> dict[str, Any]:
    results = [found[cell.name] for cell in cells]
    scores = tests.scores([cell.name for cell in cells]) if tests else None
    shown = {}
    for column in columns:
        values = {cell.name: figures[cell.name][column] for cell in cells}
        shown[column] = {"mean": float(np.mean(list(values.values()))), "deviation": deviation(list(values.values()))}
        if tests and scores:
            shown[column] |= interval(tests.column(scores, column), tests.seed, tests.replicates)
    last = columns[-1] if columns else ""
    of_last = {cell.name: figures[cell.name][last] for cell in cells} if last else {}
    others = [axis.name for axis in sweep.axes if axis.name != sweep.compare]
    seconds = [result["training_seconds"] for result in results if result["training_seconds"] is not None]
    return {
        "label": label,
        "cells": len(cells),
        **{key: _same([result[key] for result in results]) for key in ("parameters", "multiply_adds")},
        "training_seconds": float(np.mean(seconds)) if seconds else None,
        "columns": shown,
        "spread": {axis: spread(cells, of_last, axis) for axis in others} if last else {},
    }


def _same(values: Sequence[Any]) -> Any:
    """The value that all have; where they differ, None."""
    return values[0] if all(value == values[0] for value in values) else None


def _run(cell: Cell, result: Mapping[str, Any], figures: Mapping[str, float]) -> dict[str, Any]:
    keys = ("seed", "date", "commits", "checkpoint", "training_seconds", "dev")
    return {"cell": cell.name, "labels": cell.labels, "figures": dict(figures), **{key: result[key] for key in keys}}
