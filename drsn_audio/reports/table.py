"""Tables of one run or several, for markdown and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from drsn_audio.metrics.keyword import balanced_accuracy, precision, recall
from drsn_audio.reports.run import (
    CLEAN,
    LEVELS,
    MEAN,
    Condition,
    Run,
    as_answered,
    check_runs,
    describe,
    describe_snr,
    run_titles,
)

NO_VALUE = "n/a"


def markdown_table(facts: Mapping[str, Any]) -> str:
    """run.json -> accuracy by noise kind and SNR with intervals, under a line that names command and data."""
    run = Run(facts)
    rows = [[kind, *_cells(run, kind, run.snrs_db)] for kind in _rows(run)]
    return f"{_caption(run)}\n\n{markdown(['noise', *_columns(run.snrs_db)], rows)}"


def terminal_table(facts: Mapping[str, Any]) -> Table:
    """Return the numbers of `markdown_table` for rich.print, turned, so that they fit 80 columns.

    They are those with the reject threshold, where the run has one.
    """
    run = Run(as_answered(facts))
    caption = Text(_caption(run).replace("`", ""))
    table = Table(title=Text(run.title), caption=caption, caption_justify="left", min_width=72)
    table.add_column("SNR", justify="right")
    for kind in _rows(run):
        table.add_column(Text(kind), justify="right")
    by_kind = [_cells(run, kind, run.snrs_db) for kind in _rows(run)]
    for snr, *cells in zip(_columns(run.snrs_db), *by_kind, strict=True):
        table.add_row(snr, *map(Text, cells))
    return table


def comparison_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Several run.json -> one markdown table by noise kind and run, and a line for each run.

    Raises:
        InputError: no runs, or SNRs that were set by different level methods, which no table may mix.
    """
    checked = check_runs(runs)
    snrs_db = sorted({snr_db for run in checked for snr_db in run.snrs_db}, reverse=True)
    kinds = dict.fromkeys(kind for run in checked for kind in _rows(run))
    titles = run_titles(checked)
    rows = [
        [kind, title, *_cells(run, kind, snrs_db)]
        for kind in sorted(kinds, key=lambda kind: kind == MEAN)
        for run, title in zip(checked, titles, strict=True)
        if kind in _rows(run)
    ]
    lines = [f"- {title}: {_source(run)}" for run, title in zip(checked, titles, strict=True)]
    differing = _differences(checked)
    if differing:
        lines.append(f"- The runs differ in {', '.join(differing)}: they were not put to the same trials.")
    table = markdown(["noise", "model", *_columns(snrs_db)], rows, 2)
    return "\n".join([_measure(checked[0]), "", table, "", *lines])


def class_table(facts: Mapping[str, Any], noise_kind: str, snr_db: float | None) -> str:
    """run.json -> recall and precision of every class under one condition, markdown.

    Raises:
        InputError: the run has no confusions for this condition.
    """
    run = Run(facts)
    confusion = run.confusion(noise_kind, snr_db)
    found, right = recall(confusion), precision(confusion)
    rows = [
        [label, str(confusion[k].sum()), percent(found[k]), percent(right[k])] for k, label in enumerate(run.labels)
    ]
    accuracy, balanced = confusion.trace() / confusion.sum(), balanced_accuracy(confusion)
    summary = (
        f"{run.title}, {describe(noise_kind, snr_db)}: "
        f"accuracy {percent(accuracy)} %, balanced accuracy {percent(balanced)} %."
    )
    return f"{summary}\n\n{markdown(['class', 'trials', 'recall %', 'precision %'], rows)}"


def confused_pairs(facts: Mapping[str, Any], noise_kind: str, snr_db: float | None, most: int = 10) -> str:
    """run.json -> the `most` frequent confusions under one condition, markdown.

    Raises:
        InputError: the run has no confusions for this condition.
    """
    run = Run(facts)
    confusion = run.confusion(noise_kind, snr_db)
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[: min(most, np.count_nonzero(wrong))]
    rows = [
        [run.labels[k], run.labels[j], str(wrong[k, j]), percent(wrong[k, j] / confusion[k].sum())]
        for k, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
    ]
    summary = f"{run.title}, {describe(noise_kind, snr_db)}: {wrong.sum()} of {confusion.sum()} answers are wrong."
    return f"{summary}\n\n{markdown(['said', 'answered', 'times', '% of said'], rows, 2)}"


def _differences(runs: Sequence[Run]) -> list[str]:
    """In what the trials of the runs are not the same."""

    def trials(run: Run) -> dict[str, Any]:
        facts = run.facts
        noise = [(part["sha256"], part.get("folds"), part.get("kinds")) for part in facts["data"]["noise"]]
        speech = facts["data"]["sha256"]
        return {
            "speech": speech,
            "noise": noise,
            "seed": facts["seed"],
            "draws": facts["draws"],
            "labels": run.labels,
        }

    first = trials(runs[0])
    return [name for name in first if any(trials(run)[name] != first[name] for run in runs[1:])]


def _rows(run: Run) -> list[str]:
    """Noise kinds; clean alone where nothing else was evaluated."""
    return run.noise_kinds or [CLEAN]


def _columns(snrs_db: Sequence[float]) -> list[str]:
    return [describe_snr(snr_db) for snr_db in (None, *snrs_db)]


def _cells(run: Run, noise_kind: str, snrs_db: Sequence[float]) -> list[str]:
    """Clean first, which is the same in every row."""
    return [_cell(run.at(noise_kind, snr_db)) for snr_db in (None, *snrs_db)]


def _cell(condition: Condition | None) -> str:
    if condition is None:
        return NO_VALUE
    interval = NO_VALUE
    if not math.isnan(condition.low):
        interval = f"{percent(condition.low)}, {percent(condition.high)}"
    return f"{percent(condition.accuracy)} [{interval}]"


def percent(share: float) -> str:
    return NO_VALUE if math.isnan(share) else f"{100 * share:.1f}"


def _caption(run: Run) -> str:
    return f"{_measure(run)}{_threshold(run)} {run.title}: {_source(run)}"


def _threshold(run: Run) -> str:
    """Return a sentence on the reject threshold, where the checkpoint has one."""
    if "reject_below" not in run.facts:
        return ""
    if run.facts.get("threshold_applied"):
        below = run.facts["reject_below"]
        return f' As `drsn-audio classify` answers: a keyword below probability {below:.3f} becomes "unknown".'
    return " Without the reject threshold: the most probable label is the answer."


def _measure(run: Run) -> str:
    return (
        "Accuracy in % [95 % interval over speakers and noise recordings]; "
        f"SNR by the {LEVELS[run.facts['level']]} of the speech."
        + (" The mean weighs all noise kinds the same." if MEAN in run.noise_kinds else "")
    )


def _source(run: Run) -> str:
    """Size, data, command, commit and seed."""
    facts, data = run.facts, run.facts["data"]
    parameters = facts["model"].get("parameters")
    size = f"{parameters:,} parameters; " if parameters else ""
    recordings = "; ".join(
        f"{noise['recordings']} recordings of `{noise['manifest']}` (sha256 {noise['sha256'][:12]}"
        + (f", folds {', '.join(map(str, noise['folds']))})" if noise.get("folds") else ")")
        for noise in data["noise"]
    )
    draws = f"{facts['draws']} noise draws each from {recordings}" if recordings else "no noise"
    return (
        f"{size}{data['utterances']} utterances of {data['speakers']} speakers of `{data['manifest']}` "
        f"(sha256 {data['sha256'][:12]}), {draws}; "
        f"`{facts['command']}`, commit {facts['commit'] or 'unknown'}, seed {facts['seed']}."
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """The first `names` columns to the left, numbers to the right; padded, to be read as it is, too."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if k < names else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = ["-" * width + ("-" if k < names else ":") for k, width in enumerate(widths)]
    return "\n".join([lines[0], f"|-{'|-'.join(rule)}|", *lines[1:]])
