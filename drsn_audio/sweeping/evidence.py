"""What the runs of one sweep or several prove: the content of tables.json.

{"schema", "command", "commit", "sweeps": [{"path", "config", "cells", "missing": [run]}],
 "level", "draws", "seed", "replicates", "noise_kinds", "tests", "speakers", "noise_recordings": of the shared folds,
 "columns": {name: [SNR in dB, null where clean]}, "folds": {sha256 of its trials: label}, "shared": [fold],
 "ours": label, "rows": [row], "waiting": [rows without a run], "differences": [difference], "pairs": [difference]}

row: {"name", "label", "family", "parameters", "multiply_adds", "training_seconds", "runs", "folds": {fold: runs},
 "columns": {column: {"mean", "low", "high"}}, "kinds": {noise kind: {column: ...}}, "by_fold": {fold: mean},
 "over_folds", "over_seeds": standard deviations, "again": command, "cost": null or as model_costs.py has it}
difference: {"of", "to", "pairs", "folds", "left_out": [run], "columns": {column: {"mean", "low", "high"; of summaries
 also "p", "p_holm"}}, "kinds": {noise kind: {column: the same}}, "by_fold": {fold: mean}}

The rows' figures are of the shared folds alone, which every row was tested on; where there is none, each is of its
own. "by_fold" is in the column "mean", over all that is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.evaluation.provenance import command_line, commit
from drsn_audio.metrics.significance import holm
from drsn_audio.sweeping.estimates import SUMMARIES, Estimates
from drsn_audio.sweeping.gather import deviation, spread
from drsn_audio.sweeping.rows import (
    FOLD,
    SEED,
    Planned,
    Row,
    Run,
    guess_ours,
    pairs_of,
    partners_of,
    reproduce,
    rows_of,
    shared_tests,
)
from drsn_audio.sweeping.scores import CLEAN, MEAN, Answers

SCHEMA = 1

Costs = Mapping[str, Mapping[str, Any]]  # label -> as model_costs.py has it


def evidence(
    sweeps: Sequence[Planned],
    ours: str = "",
    pairs: Sequence[tuple[str, str]] = (),
    costs: Mapping[str, Costs] | None = None,
) -> dict[str, Any]:
    """`ours` is compared with every other row, `pairs` with each other; `costs` are those of each sweep, by its name.

    Raises:
        InputError: no run is there yet, one that cannot be read, a name that no row has, costs of other models.
    """
    planned = rows_of(sweeps)
    rows = [row for row in planned if row.runs]
    ours = ours or guess_ours(planned)
    against = partners_of(planned, ours)
    further = [pair for one, other in pairs for pair in partners_of(planned, one, other)]
    runs = [run for row in rows for run in row.runs]
    where = {run.name: row.planned.sweep for row in rows for run in row.runs}
    estimates = Estimates(Answers(rows[0].planned.sweep, {run.name: run.result for run in runs}, where))
    shared, folds, known = shared_tests(rows), _fold_names(runs), costs or {}
    return {
        "schema": SCHEMA,
        "command": command_line(),
        "commit": commit(),
        "sweeps": [_sweep(one) for one in sweeps],
        **estimates.tests.described(shared),
        "columns": estimates.columns,
        "folds": folds,
        "shared": [folds[test] for test in shared],
        "ours": ours,
        "rows": [
            _row(row, estimates, shared or sorted(row.tests), folds, known.get(row.planned.name, {})) for row in rows
        ],
        "waiting": [row.name for row in planned if not row.runs],
        "differences": differences(against, estimates, folds),
        "pairs": differences(further, estimates, folds),
    }


def differences(
    pairs: Sequence[tuple[Row, Row]], estimates: Estimates, folds: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Of each pair. p, Holm's, is corrected over the pairs, each summary by itself; of the
    noise kinds over pairs and kinds.
    """
    found = [_difference(one, other, estimates, folds) for one, other in pairs]
    for column in (name for name in SUMMARIES if name in estimates.columns):
        _correct([one["columns"][column] for one in found if one["pairs"]])
        _correct([of_kind[column] for one in found for of_kind in one["kinds"].values()])
    return found


def _row(
    row: Row, estimates: Estimates, tests: Sequence[str], folds: Mapping[str, str], costs: Costs
) -> dict[str, Any]:
    of_tests = estimates.of(run.name for run in row.on(tests))
    columns = list(estimates.columns)
    results = [run.result for run in row.runs]
    seconds = [result["training_seconds"] for result in results if result["training_seconds"] is not None]
    figures = {run.cell.name: estimates.run_mean(run.name) for run in row.runs}
    whole, last = estimates.of(run.name for run in row.runs), estimates.columns[_main(estimates)]
    by_fold = {folds[test]: whole.figure(last, test=test)[0] for test in folds if test in row.tests}
    return {
        "name": row.name,
        "label": row.label,
        "family": "/".join(row.family),
        **{key: _same(row, [result[key] for result in results]) for key in ("parameters", "multiply_adds")},
        "training_seconds": sum(seconds) / len(seconds) if seconds else None,
        "runs": len(row.runs),
        "folds": {folds[test]: len(row.on([test])) for test in folds if test in row.tests},
        "columns": {column: estimates.interval(of_tests, column) for column in columns},
        "kinds": {
            kind: {column: estimates.interval(of_tests, column, kind) for column in columns if column != CLEAN}
            for kind in _kinds(estimates)
        },
        "by_fold": by_fold,
        "over_folds": deviation(list(by_fold.values())),
        "over_seeds": spread([run.cell for run in row.runs], figures, SEED),
        "again": reproduce(row),
        "cost": _cost(row, results, costs),
    }


def _difference(one: Row, other: Row, estimates: Estimates, folds: Mapping[str, str]) -> dict[str, Any]:
    pairs, alone = pairs_of(one, other)
    found: dict[str, Any] = {"of": one.name, "to": other.name, "pairs": len(pairs), "left_out": alone}
    found |= {"folds": [], "columns": {}, "kinds": {}, "by_fold": {}}
    if not pairs:
        return found
    mine, theirs = (estimates.of(run.name for run in runs) for runs in zip(*pairs, strict=True))

    def columns(kind: str) -> dict[str, Any]:
        return {
            column: estimates.interval(mine, column, kind, minus=theirs, with_p=column in SUMMARIES)
            for column in estimates.columns
            if column != CLEAN or not kind
        }

    last = estimates.columns[_main(estimates)]
    for test in dict.fromkeys(run.test for run, _ in pairs):
        mean, their_mean = (estimate.figure(last, test=test)[0] for estimate in (mine, theirs))
        found["by_fold"][folds[test]] = mean - their_mean
    found["folds"] = list(found["by_fold"])
    return found | {"columns": columns(""), "kinds": {kind: columns(kind) for kind in _kinds(estimates)}}


def _correct(found: Sequence[dict[str, Any]]) -> None:
    """Puts "p_holm" beside "p"; None where there is no p, which then counts as none of the comparisons."""
    known = [one for one in found if one["p"] is not None]
    for one in found:
        one["p_holm"] = None
    for one, corrected in zip(known, holm([one["p"] for one in known]), strict=True):
        one["p_holm"] = corrected


def _main(estimates: Estimates) -> str:
    return MEAN if MEAN in estimates.columns else CLEAN


def _kinds(estimates: Estimates) -> list[str]:
    """A single kind is what all columns are of."""
    return estimates.kinds if len(estimates.kinds) > 1 else []


def _fold_names(runs: Sequence[Run]) -> dict[str, str]:
    """sha256 of a list of trials -> its fold's label; the first characters where no axis has this name, or where
    several lists have one label.
    """
    labels = {run.test: run.cell.labels.get(FOLD, run.test[:6]) for run in reversed(runs)}
    names = list(labels.values())
    told = {test: label if names.count(label) == 1 else f"{label}-{test[:6]}" for test, label in labels.items()}
    return dict(sorted(told.items(), key=lambda item: item[1]))


def _sweep(planned: Planned) -> dict[str, Any]:
    missing = [cell.name for cell in planned.cells if not cell.result.exists()]
    return {
        "path": str(planned.path),
        "config": planned.sweep.config,
        "cells": len(planned.cells),
        "missing": missing,
    }


def _same(row: Row, values: Sequence[Any]) -> Any:
    if any(value != values[0] for value in values):
        told = ", ".join(map(str, dict.fromkeys(values)))
        raise InputError(f"{row.name}: its runs are not of one size ({told}): give each size a label of its own")
    return values[0]


def _cost(row: Row, results: Sequence[Mapping[str, Any]], costs: Costs) -> Mapping[str, Any] | None:
    cost = costs.get(row.label)
    if cost is not None and cost["parameters"] != results[0]["parameters"]:
        raise InputError(
            f"{row.name}: its costs are of {cost['parameters']} parameters, its runs have {results[0]['parameters']}: "
            "measure them anew with benchmarks/model_costs.py"
        )
    return cost
