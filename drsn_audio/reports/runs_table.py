"""Trainings in a table for the terminal, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from rich.table import Table
from rich.text import Text

from drsn_audio.reports.runs import TrainingRun

SHARES = ("accuracy", "wer", "cer")  # shown in per cent
LOWER_IS_BETTER = ("wer", "cer", "loss")
COLORS = {"running": "cyan", "finished": "green", "stopped": "yellow", "failed": "red", "killed": "red"}
WRAPPED = ("what", "best")  # where a line is too short for all, between words
LEFT_OUT_FIRST = ("commit", "parameters", "begun", "epoch", "what", "time")


def runs_table(runs: Sequence[TrainingRun], width: int) -> Table:
    """For rich.print, in `width` columns; what there is no room for is left out, and named below. What a folder does
    not tell stays empty.
    """
    columns = {
        "run": [str(run.path) for run in runs],
        "what": [run.what for run in runs],
        "parameters": [f"{run.parameters:,}" if run.parameters else "" for run in runs],
        "step": [of(run.step, run.total_steps) for run in runs],
        "epoch": [of(run.epoch, run.epochs) for run in runs],
        "best": [describe_figure(run.figure, run.best) for run in runs],
        "status": [run.status for run in runs],
        "commit": [run.commit for run in runs],
        "begun": [run.date[:16].replace("T", " ") for run in runs],
        "time": [describe_seconds(run.seconds) for run in runs],
    }
    left_out = [name for name in LEFT_OUT_FIRST if _needed(columns) > width and columns.pop(name) is not None]
    note = f"no room here for {', '.join(left_out)}: widen the terminal, or --json" if left_out else None
    table = Table(caption=note, caption_justify="left")
    for name in columns:
        right = name in ("parameters", "step", "epoch", "best", "time")
        wrapped = name in WRAPPED or name == "run"
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=not wrapped)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*(Text(cell, style=COLORS.get(cell, "")) for cell in cells))
    return table


def _needed(columns: Mapping[str, Sequence[str]]) -> int:
    """Columns of the terminal."""
    widths = []
    for name, cells in columns.items():
        words = [word for cell in cells for word in cell.split()] if name in WRAPPED else cells
        widths.append(max(map(len, [name, *words])))
    return sum(widths) + 3 * len(widths) + 1


def sort_runs(runs: Sequence[TrainingRun], key: str) -> list[TrainingRun]:
    """By name, date or status; by best, the runs of each figure together, the best first; by step, parameters or
    seconds, the largest first. What is not known comes last.
    """
    if key == "name":
        return sorted(runs, key=lambda run: str(run.path))
    if key == "best":
        known = [run for run in runs if run.best is not None]
        known.sort(key=lambda run: (run.figure, worse(run.figure, run.best or 0.0)))
        return [*known, *(run for run in runs if run.best is None)]
    values = [(getattr(run, key), run) for run in runs]
    known_first = [pair for pair in values if pair[0] not in (None, "")]
    known_first.sort(key=lambda pair: pair[0], reverse=key in ("step", "parameters", "seconds"))
    return [run for _, run in known_first] + [run for value, run in values if value in (None, "")]


def worse(figure: str, value: float) -> float:
    """A number that is larger, the worse the value of a figure is."""
    return value if any(word in figure.split("_") for word in LOWER_IS_BETTER) else -value


def describe_figure(figure: str, value: float | None) -> str:
    """E.g. "accuracy 40.9 %", "si_sdr_improvement 4.98 dB"; "" where there is none."""
    name = figure.removeprefix("dev_").removesuffix("_db")
    return f"{name} {describe_value(figure, value)}" if value is not None else ""


def describe_value(figure: str, value: float | None) -> str:
    if value is None:
        return ""
    if any(word in figure.split("_") for word in SHARES):
        return f"{100 * value:.1f} %"
    return f"{value:.2f} dB" if figure.endswith("_db") else f"{value:.4g}"


def describe_seconds(seconds: float | None) -> str:
    """E.g. "0:20:22"."""
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))


def of(done: int, total: int | None) -> str:
    return f"{done}/{total}" if total else str(done or "")
