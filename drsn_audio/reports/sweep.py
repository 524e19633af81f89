"""sweep.json -> markdown: a row for each model of a sweep, differences to the reference, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.reports.run import LEVELS
from drsn_audio.reports.table import NO_VALUE, markdown

MEAN = "mean"  # the column over the SNRs
NAMED = 8  # names in a sentence; of more, their number


def sweep_tables(facts: Mapping[str, Any]) -> str:
    """What `gather` found -> tables with their captions."""
    accuracy = facts["kind"] == "accuracy"
    parts = [_caption(facts), _main_table(facts)]
    differences = [row for row in facts["rows"] if row.get("difference", {}).get("pairs")]
    if differences:
        parts += [_difference_caption(facts), _difference_table(facts, differences)]
    spreads = _spread_table(facts) if accuracy else ""
    if spreads:
        parts += [
            f"Standard deviation in the column {facts['columns'][-1]}, in points, over one thing with all others held.",
            spreads,
        ]
    return "\n\n".join([*parts, "\n".join(_notes(facts))]) + "\n"


def _main_table(facts: Mapping[str, Any]) -> str:
    accuracy, columns = facts["kind"] == "accuracy", facts["columns"]
    rows = []
    for row in facts["rows"]:
        cells = [_value(row["columns"][column], accuracy, column == columns[-1]) for column in columns]
        adds = row["multiply_adds"]
        size = [
            NO_VALUE if row["parameters"] is None else f"{row['parameters']:,}",
            NO_VALUE if adds is None else f"{adds / 1e6:.1f} M",
            NO_VALUE if row["training_seconds"] is None else f"{row['training_seconds']:.0f} s",
        ]
        rows.append([row["label"], str(row["cells"]), *cells, *size])
    header = [facts["compare"], "runs", *columns, "parameters", "multiply-adds", "training"]
    return markdown(header, rows)


def _difference_table(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    cells = []
    for row in rows:
        found = row["difference"]["columns"]
        last = found[facts["columns"][-1]]
        p = [NO_VALUE if last.get(key) is None else _p(last[key]) for key in ("p", "p_holm")]
        points = [_points(found[column]) for column in facts["columns"]]
        cells.append([row["label"], str(row["difference"]["pairs"]), *points, *p])
    return markdown([facts["compare"], "pairs", *facts["columns"], "p", "p, Holm"], cells)


def _spread_table(facts: Mapping[str, Any]) -> str:
    """Nothing where there is no second fold or seed."""
    spreads = {row["label"]: row["spread"] for row in facts["rows"]}
    axes = dict.fromkeys(axis for of_row in spreads.values() for axis, value in of_row.items() if value is not None)
    if not axes:
        return ""
    rows = [
        [label, *(NO_VALUE if of_row[axis] is None else f"{100 * of_row[axis]:.2f}" for axis in axes)]
        for label, of_row in spreads.items()
    ]
    return markdown([facts["compare"], *(f"over {axis}" for axis in axes)], rows)


def _caption(facts: Mapping[str, Any]) -> str:
    if facts["kind"] != "accuracy":
        return "Mean over runs ± their standard deviation."
    kinds = " and ".join(facts["noise_kinds"])
    return (
        "Accuracy in %: mean over runs ± their standard deviation"
        + (f"; noise: mean of {kinds}" if kinds else "")
        + f"; SNR by the {LEVELS[facts['level']]} of the speech. The last column has the 95 % interval, bootstrapped "
        f"over {facts['speakers']} test speakers and {facts['noise_recordings']} noise recordings. It does not cover "
        "the training seeds: a model trained again may fall outside."
    )


def _difference_caption(facts: Mapping[str, Any]) -> str:
    return (
        f"Difference to `{facts['reference']}`, in points [95 % interval], paired by run and trial. Each interval "
        f"stands for itself. p is that of no difference in the column {facts['columns'][-1]}; Holm's is corrected for "
        "all rows."
    )


def _notes(facts: Mapping[str, Any]) -> list[str]:
    missing, done = facts["missing"], facts["cells"] - len(facts["missing"])
    lacking = f"; missing: {_names(missing)}" if missing else ""
    lines = [f"- {done} of {facts['cells']} runs of `{facts['config']}`{lacking}."]
    lines += [
        f"- Left out of the difference for want of a partner: {_names(alone)} ({', '.join(labels)})."
        for alone, labels in _left_out(facts).items()
    ]
    if facts["strangers"]:
        lines.append(f"- In `{facts['results']}`, but of no cell: {_names(facts['strangers'])}.")
    if facts["kind"] == "accuracy":
        draws = "1 noise draw" if facts["draws"] == 1 else f"{facts['draws']} noise draws"
        tests = ", ".join(digest[:12] for digest in facts["tests"])
        lines.append(f"- {draws} a clip, seed {facts['seed']}; lists of trials (sha256): {tests}.")
    commits = dict.fromkeys(one for run in facts["runs"] for one in run["commits"])
    trained = f"; trained at {_names(list(commits))}" if commits else ""
    return [*lines, f"- `{facts['command']}`, commit {facts['commit'] or 'unknown'}{trained}."]


def _left_out(facts: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Cells without a partner -> rows in whose difference they are lacking."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in facts["rows"]:
        alone = tuple(row.get("difference", {}).get("left_out", ()))
        if alone:
            found.setdefault(alone, []).append(row["label"])
    return found


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _value(found: Mapping[str, Any], accuracy: bool, with_interval: bool) -> str:
    scale, digits = (100, 1) if accuracy else (1, 3)
    text = f"{scale * found['mean']:.{digits}f}"
    if found["deviation"] is not None:
        text += f" ± {scale * found['deviation']:.{digits}f}"
    if accuracy and with_interval:
        bounds = NO_VALUE if found["low"] is None else f"{100 * found['low']:.1f}, {100 * found['high']:.1f}"
        text += f" [{bounds}]"
    return text


def _points(found: Mapping[str, Any]) -> str:
    bounds = NO_VALUE if found["low"] is None else f"{100 * found['low']:+.1f}, {100 * found['high']:+.1f}"
    return f"{100 * found['mean']:+.1f} [{bounds}]"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
