"""Paired differences of each label of the compared axis to the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drsn_audio.metrics.significance import holm
from drsn_audio.sweeping.cells import Cell
from drsn_audio.sweeping.config import Sweep
from drsn_audio.sweeping.scores import Answers, interval


def add_differences(
    sweep: Sweep, rows: Sequence[dict[str, Any]], done: Sequence[Cell], tests: Answers, columns: Sequence[str]
) -> None:
    """Puts "difference" into each row but the reference's.

    A cell's partner has all other labels (fold, seed) as it has, and was put to the same trials; cells without one
    are left out and named. p, Holm's, are of the last column.
    """
    last, compared = columns[-1], []
    for row in rows:
        if row["label"] == sweep.reference:
            continue
        pairs, alone = pair(sweep, done, row["label"], tests)
        row["difference"] = {"pairs": len(pairs), "left_out": alone, "columns": {}}
        if not pairs:
            continue
        mine, theirs = (tests.scores(names) for names in zip(*pairs, strict=True))
        for column in columns:
            row["difference"]["columns"][column] = interval(
                tests.column(mine, column),
                tests.seed,
                tests.replicates,
                minus=tests.column(theirs, column),
                with_p=column == last,
            )
        if row["difference"]["columns"][last]["p"] is not None:
            compared.append(row["difference"]["columns"][last])
    for found, corrected in zip(compared, holm([found["p"] for found in compared]), strict=True):
        found["p_holm"] = corrected


def pair(sweep: Sweep, done: Sequence[Cell], label: str, tests: Answers) -> tuple[list[tuple[str, str]], list[str]]:
    """Names of a label's cells with their partners', and of all those of both that have none."""
    by_place: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in done:
        held = tuple(other for axis, other in cell.labels.items() if axis != sweep.compare)
        by_place.setdefault(held, {})[cell.labels[sweep.compare]] = cell.name
    pairs, alone = [], []
    for names in by_place.values():
        both = [names[one] for one in (label, sweep.reference) if one in names]
        if len(both) == 2 and tests.trials[both[0]] == tests.trials[both[1]]:
            pairs.append((both[0], both[1]))
        else:
            alone += both
    return pairs, alone
