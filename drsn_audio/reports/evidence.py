"""tables.json of a comparison -> markdown: accuracy of each model, paired differences, folds, and how to make a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsn_audio.reports.run import LEVELS
from drsn_audio.reports.table import NO_VALUE, markdown

MEAN, LOW = "mean", "low"  # columns over several SNRs
NAMED = 8  # names in a sentence; of more, their number

Facts = Mapping[str, Any]


def evidence_tables(facts: Facts) -> str:
    """What `drsn_audio.sweeping.evidence.evidence` found -> tables with their captions."""
    parts = ["## Accuracy", accuracy_caption(facts), accuracy_table(facts)]
    compared = [one for one in facts["differences"] if one["pairs"]]
    parts += _differences(facts, f"`{facts['ours']}` less each other model", compared)
    parts += _differences(facts, "Further pairs", [one for one in facts["pairs"] if one["pairs"]])
    if facts["rows"][0]["kinds"]:
        parts += ["## Accuracy by noise", "As above, in one kind of noise.", _kinds_table(facts)]
    if len(facts["folds"]) > 1 or any(row["over_seeds"] is not None for row in facts["rows"]):
        parts += ["## Folds and seeds", _folds_caption(facts), _folds_table(facts)]
        if compared:
            parts += [f"The same of the differences of `{facts['ours']}` to each, in points.", _fold_differences(facts)]
    return "\n\n".join([*parts, "## Where the numbers come from", "\n".join(_notes(facts))]) + "\n"


def titles(facts: Facts) -> dict[str, str]:
    """Column -> its heading: "mean" is that of "20 to -10 dB"."""
    columns = facts["columns"].items()
    return {name: name if len(snrs) == 1 else f"{snrs[0]:g} to {snrs[-1]:g} dB" for name, snrs in columns}


def accuracy_table(facts: Facts) -> str:
    """Each row's size, accuracies and, where they were measured, costs."""
    costs = any(row["cost"] for row in facts["rows"])
    rows = []
    for row in facts["rows"]:
        adds, parameters = row["multiply_adds"], row["parameters"]
        cells = [
            row["name"],
            NO_VALUE if parameters is None else f"{parameters:,}",
            NO_VALUE if adds is None else f"{adds / 1e6:.1f} M",
            _done(row),
            *(_accuracy(row["columns"][column]) for column in facts["columns"]),
        ]
        rows.append(cells + (_cost(row["cost"]) if costs else []))
    header = ["model", "parameters", "multiply-adds", "folds x seeds", *titles(facts).values()]
    header += ["training, ms a clip", "inference, ms a clip", "in batches of 64"] if costs else []
    return markdown(header, rows)


def _differences(facts: Facts, title: str, found: Sequence[Facts]) -> list[str]:
    """Section with the table over all noise, and that by its kind; nothing where there is no pair."""
    if not found:
        return []
    names, summaries = titles(facts), summary_columns(facts)
    p_names = [f"p, {names[column]}" for column in summaries]
    parts = [f"## {title}", difference_caption(found), difference_table(facts, found)]
    if found[0]["kinds"]:
        noisy = [column for column in names if column in next(iter(found[0]["kinds"].values()))]
        rows = [
            [_pair(facts, one), kind, *(points(columns[column]) for column in noisy)]
            + [p_value(columns[column]) for column in summaries]
            for one in found
            for kind, columns in one["kinds"].items()
        ]
        caption = f"By kind of noise; p corrected for all {len(rows)} rows."
        parts += [caption, markdown(["model", "noise", *(names[column] for column in noisy), *p_names], rows, 2)]
    return parts


def difference_table(facts: Facts, found: Sequence[Facts]) -> str:
    """Over all noise, a row for each of the differences `found`."""
    names, summaries = titles(facts), summary_columns(facts)
    rows = [
        [_pair(facts, one), pair_count(one), *(points(one["columns"][column]) for column in names)]
        + [p_value(one["columns"][column]) for column in summaries]
        for one in found
    ]
    return markdown(["model", "pairs", *names.values(), *(f"p, {names[column]}" for column in summaries)], rows)


def summary_columns(facts: Facts) -> list[str]:
    """Those over several SNRs that there are, whose p stand in the tables."""
    return [column for column in (MEAN, LOW) if column in facts["columns"]]


def _kinds_table(facts: Facts) -> str:
    noisy = list(next(iter(facts["rows"][0]["kinds"].values())))
    rows = [
        [row["name"], kind, *(_accuracy(columns[column]) for column in noisy)]
        for row in facts["rows"]
        for kind, columns in row["kinds"].items()
    ]
    return markdown(["model", "noise", *(titles(facts)[column] for column in noisy)], rows, 2)


def _folds_table(facts: Facts) -> str:
    folds = list(facts["folds"].values())
    rows = [
        [
            row["name"],
            *(_share(row["by_fold"].get(fold)) for fold in folds),
            _share(row["over_folds"], 2),
            _share(row["over_seeds"], 2),
        ]
        for row in facts["rows"]
    ]
    return markdown(["model", *(f"fold {fold}" for fold in folds), "deviation over folds", "over seeds"], rows)


def _fold_differences(facts: Facts) -> str:
    folds = list(facts["folds"].values())
    rows = []
    for one in facts["differences"]:
        above = sum(value > 0 for value in one["by_fold"].values())
        values = [f"{100 * one['by_fold'][fold]:+.1f}" if fold in one["by_fold"] else NO_VALUE for fold in folds]
        rows.append([_pair(facts, one), *values, f"{above} of {len(one['by_fold'])}"])
    return markdown(["model", *(f"fold {fold}" for fold in folds), "above 0 in"], rows)


def accuracy_caption(facts: Facts) -> str:
    """What the numbers of `accuracy_table` are, and of whom."""
    kinds = " and ".join(facts["noise_kinds"])
    folds, shared = list(facts["folds"].values()), facts["shared"]
    if not shared:
        which = (
            "**The rows share no fold: each is over its own, and they cannot be compared with each other; only the "
            "differences below can.**"
        )
    elif len(shared) < len(folds):
        which = f"**Over fold {', '.join(shared)} alone, which all rows share, of {', '.join(folds)}.**"
    else:
        which = f"Over fold {', '.join(shared)}." if len(shared) > 1 else "One test."
    return (
        f"Accuracy in % [95 % interval], each SNR the mean of {kinds or 'no noise'}; SNR by the "
        f"{LEVELS[facts['level']]} of the speech. {which} Intervals are bootstrapped over {facts['speakers']} test "
        f"speakers and {facts['noise_recordings']} noise recordings; they do not cover the training seeds. Rows share "
        "their trials: whether two of them differ is what the paired differences say, not whether these overlap."
        + (f" {COSTS}" if any(row["cost"] for row in facts["rows"]) else "")
    )


COSTS = "Costs: processor time on one thread, in brackets times that of the reference model."


def difference_caption(found: Sequence[Facts]) -> str:
    """What the numbers of `difference_table` are, and what they leave out."""
    rows = ("all " if len(found) > 1 else "") + _count(len(found), "row")
    return (
        "In points [95 % interval], above 0 where the first is better, over runs of the same fold and seed and the "
        "same trials. Intervals and p are of these trained models: they do not cover how far other seeds of training "
        "would move them. Each interval stands for itself; p is that of no "
        f"difference, corrected by Holm's method for {rows}, each of its columns by itself."
    )


def _folds_caption(facts: Facts) -> str:
    column = titles(facts).get(MEAN, "clean")
    return f"Accuracy in % in the column {column}, of every fold that is there; deviations are in points."


def _notes(facts: Facts) -> list[str]:
    lines = []
    for sweep in facts["sweeps"]:
        missing = sweep["missing"]
        lacking = f"; missing: {_names(missing)}" if missing else ""
        lines.append(f"- `{sweep['path']}`: {sweep['cells'] - len(missing)} of {sweep['cells']} runs{lacking}.")
    if facts["waiting"]:
        lines.append(f"- Not in the tables, for no run of it is done: {_names(facts['waiting'])}.")
    found = [*facts["differences"], *facts["pairs"]]
    lines += [
        f"- Left out of {one['of']} less {one['to']}, for want of a partner: {_names(one['left_out'])}."
        for one in found
        if one["left_out"] and one["pairs"]
    ]
    draws = "1 noise draw" if facts["draws"] == 1 else f"{facts['draws']} noise draws"
    tests = ", ".join(digest[:12] for digest in facts["folds"])
    lines.append(
        f"- {draws} a clip and kind, seed {facts['seed']}; {facts['replicates']} replicates; lists of trials (sha256): "
        f"{tests}."
    )
    lines.append(f"- Tables: `{facts['command']}`, commit {facts['commit'] or 'unknown'}.")
    lines.append("- The runs of a row, trained and tested anew (which removes those that are there):")
    return lines + [f"  - {row['name']}: `{row['again']}`" for row in facts["rows"]]


def _pair(facts: Facts, one: Facts) -> str:
    """The other's name, where the heading names the first."""
    ours = one["of"] == facts["ours"] and one in facts["differences"]
    return one["to"] if ours else f"{one['of']} less {one['to']}"


def pair_count(one: Facts) -> str:
    """ "2 in 2 folds"."""
    return f"{one['pairs']} in {_count(len(one['folds']), 'fold')}"


def _done(row: Facts) -> str:
    """ "5 x 2"; where folds have different numbers of runs, both totals."""
    each = set(row["folds"].values())
    if len(each) == 1:
        return f"{len(row['folds'])} x {each.pop()}"
    return f"{_count(len(row['folds']), 'fold')}, {_count(row['runs'], 'run')}"


def _accuracy(found: Facts) -> str:
    bounds = NO_VALUE if found["low"] is None else f"{_share(found['low'])}, {_share(found['high'])}"
    return f"{_share(found['mean'])} [{bounds}]"


def points(found: Facts) -> str:
    """ "+1.7 [+1.0, +2.3]"."""
    bounds = NO_VALUE if found["low"] is None else f"{100 * found['low']:+.1f}, {100 * found['high']:+.1f}"
    return f"{100 * found['mean']:+.1f} [{bounds}]"


def p_value(found: Facts) -> str:
    """Corrected by Holm's method."""
    value = found["p_holm"]
    return NO_VALUE if value is None else f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _cost(cost: Facts | None) -> list[str]:
    if cost is None:
        return [NO_VALUE] * 3
    return [f"{cost[key]['ms']:.2f} (x {cost[key]['ratio']:.2f})" for key in ("training", "inference", "inference_64")]


def _share(value: float | None, digits: int = 1) -> str:
    return NO_VALUE if value is None else f"{100 * value:.{digits}f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
