"""Pictures of a comparison: accuracy against SNR, differences against SNR, and accuracy against size.

A model has its colour, marker and dashes in all of them: they are told apart without colour, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.reports.evidence import MEAN, titles
from drsn_audio.reports.plot import CLEAN_GAP, COLORS, label_snrs, make_figure, save_figure
from drsn_audio.reports.run import CLEAN, LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vPX<>*"
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
PANELS = 4  # side by side, of differences
SIZES = {"parameters": "parameters", "multiply_adds": "multiply-adds of one second"}
FINE = (*(k / 10 for k in range(10, 25)), *(k / 2 for k in range(5, 20)))  # of a decade, where an axis has little of it

Facts = Mapping[str, Any]


def plot_evidence(facts: Facts, folder: str | Path) -> list[Path]:
    """tables.json -> accuracy.png, differences.png and sizes.png in a folder; those of which there is something to see.

    Raises:
        InputError: a place that cannot be written to.
        ModuleNotFoundError: matplotlib is not installed.
    """
    folder, made = Path(folder), []
    if _snrs(facts):
        made.append(folder / "accuracy.png")
        plot_accuracies(facts, made[-1])
        if any(one["pairs"] for one in facts["differences"]):
            made.append(folder / "differences.png")
            plot_differences(facts, made[-1])
    if all(row[key] for row in facts["rows"] for key in SIZES):
        made.append(folder / "sizes.png")
        plot_sizes(facts, made[-1])
    return made


def plot_accuracies(facts: Facts, path: str | Path) -> None:
    """Accuracy against SNR with 95 % bands; below, how far each row is from the mean of its panel's.

    A panel for each sweep.
    """
    families = list(dict.fromkeys(row["family"] for row in facts["rows"]))
    snrs = _snrs(facts)
    figure = make_figure(2.6 + 3.2 * len(families), 5.8)
    grid = figure.subplots(2, len(families), sharex=True, sharey="row", squeeze=False)
    for (above, below), family in zip(grid.T, families, strict=True):
        rows = [row for row in facts["rows"] if row["family"] == family]
        mean = {column: np.mean([row["columns"][column]["mean"] for row in rows]) for column in facts["columns"]}
        for place, row in enumerate(rows):
            style = _style(facts, row["label"])
            _draw(above, row["columns"], snrs, style, row["name"], 0.6 * (place - (len(rows) - 1) / 2))
            away = {column: {"mean": row["columns"][column]["mean"] - mean[column]} for column in mean}
            _draw(below, away, snrs, style, row["name"])
        above.set_title(family, loc="left", fontweight="bold")
        for axes in (above, below):
            label_snrs(axes, list(snrs), LEVELS[facts["level"]])
        above.set_xlabel("")
    grid[0, 0].set_ylabel("accuracy (%), band: 95 % interval")
    grid[1, 0].set_ylabel("less the mean of all models (points)")
    handles = _legend(grid[0])
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, handlelength=3.5)
    save_figure(figure, path)


def plot_differences(facts: Facts, path: str | Path) -> None:
    """A panel for each comparison: the difference against SNR with its 95 % band, and each kind of noise."""
    found, snrs = [one for one in facts["differences"] if one["pairs"]], _snrs(facts)
    across = min(PANELS, len(found))
    down = math.ceil(len(found) / across)
    figure = make_figure(0.8 + 2.3 * across, 0.8 + 2.1 * down)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(found) :]:
        axes.set_axis_off()
    for axes, one in zip(grid.flat, found, strict=False):
        _draw(axes, one["columns"], snrs, (COLORS[0], "o", "-"), "all noise")
        for (kind, columns), color, dash in zip(one["kinds"].items(), COLORS[1:], DASHES[1:], strict=False):
            means = {column: {"mean": value["mean"]} for column, value in columns.items()}
            _draw(axes, means, snrs, (color, "", dash), kind)
        axes.axhline(0, color="0.3", linewidth=0.8)
        axes.set_title(f"{one['of']}\nless {one['to']} (pairs: {one['pairs']})", loc="left", fontsize=8)
        label_snrs(axes, list(snrs), LEVELS[facts["level"]])
        axes.tick_params(labelsize=7)
        axes.set_xlabel("SNR (dB)", fontsize=7)
    for axes in grid[:, 0]:
        axes.set_ylabel("points", fontsize=9)
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    save_figure(figure, path)


def plot_sizes(facts: Facts, path: str | Path) -> None:
    """Accuracy over all SNRs against parameters and against multiply-adds, a point a row; a line joins a label's.

    Models are made to be as large as each other: points of nearly one number are set a little apart.
    """
    figure = make_figure(9.4, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    labels = list(dict.fromkeys(row["label"] for row in facts["rows"]))
    for axes, (key, told) in zip(panels, SIZES.items(), strict=True):
        sizes = [row[key] for row in facts["rows"]]
        drawn = spread(sizes, (1.3 * max(sizes) / min(sizes)) ** 0.02)
        low, high = min(drawn) / 1.15, max(drawn) * 1.15
        for label in labels:
            _draw_sizes(axes, facts, label, drawn)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        marks = size_marks(low, high)
        axes.set_xticks(marks, [f"{mark / 1e6:g} M" if mark >= 1e6 else f"{mark / 1e3:g} k" for mark in marks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(told)
        axes.grid(color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("equal sizes are set a little apart", fontsize=8)
    panels[0].set_ylabel(f"accuracy (%), {titles(facts)[_main(facts)]}, bar: 95 % interval")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, handlelength=3.5)
    save_figure(figure, path)


def spread(sizes: Sequence[float], step: float) -> list[float]:
    """Sizes; of those less than a factor of `step` apart, places that far from each other around their mean."""
    order = sorted(range(len(sizes)), key=lambda index: sizes[index])
    groups: list[list[int]] = []
    for index in order:
        if groups and sizes[index] < sizes[groups[-1][-1]] * step:
            groups[-1].append(index)
        else:
            groups.append([index])
    places = list(sizes)
    for group in groups:
        middle = math.prod(sizes[index] for index in group) ** (1 / len(group))
        for place, index in enumerate(group):
            places[index] = middle * step ** (place - (len(group) - 1) / 2)
    return places


def size_marks(low: float, high: float) -> list[float]:
    """A few round numbers of a logarithmic axis, as fine as it needs."""
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), FINE):
        marks = [step * 10**power for power in range(12) for step in steps if low <= step * 10**power <= high]
        if len(marks) >= 3:
            return marks[:: -(-len(marks) // 6)]
    return [low, high]


def _draw_sizes(axes: Axes, facts: Facts, label: str, places: Sequence[float]) -> None:
    """The points of a label's rows; `places` are those of all rows."""
    rows = sorted((place, n) for n, place in enumerate(places) if facts["rows"][n]["label"] == label)
    mean, low, high = np.array([_percent(facts["rows"][n]["columns"][_main(facts)]) for _, n in rows]).T
    color, marker, dash = _style(facts, label)
    axes.errorbar(
        [place for place, _ in rows],
        mean,
        yerr=np.abs([mean - low, high - mean]),
        color=color,
        marker=marker,
        linestyle=dash,
        label=label,
        capsize=2,
        linewidth=1,
    )


def _draw(
    axes: Axes,
    columns: Mapping[str, Mapping[str, Any]],
    snrs: Mapping[float, str],
    style: tuple[str, str, Any],
    label: str,
    aside_db: float = 0.0,
) -> None:
    """A line over the SNRs, with its band where there are intervals, and clean as a point at the right end."""
    color, marker, dash = style
    there = {snr_db: _percent(columns[column]) for snr_db, column in snrs.items() if column in columns}
    mean, low, high = np.array(list(there.values()), dtype=float).T
    axes.fill_between(list(there), low, high, color=color, alpha=0.12, linewidth=0)
    axes.plot(list(there), mean, color=color, linestyle=dash, marker=marker, markersize=5, label=label, linewidth=1.4)
    if CLEAN in columns:
        at, (mean, low, high) = max(snrs) + CLEAN_GAP + aside_db, _percent(columns[CLEAN])
        axes.plot([at, at], [low, high], color=color, linewidth=1.2)
        axes.plot(at, mean, color=color, marker=marker or "_", markersize=5)


def _percent(found: Mapping[str, Any]) -> tuple[float, float, float]:
    """Mean and bounds; without an interval these are the mean."""
    mean = 100 * found["mean"]
    low, high = (mean if found.get(key) is None else 100 * found[key] for key in ("low", "high"))
    return mean, low, high


def _main(facts: Facts) -> str:
    return MEAN if MEAN in facts["columns"] else CLEAN


def _snrs(facts: Facts) -> dict[float, str]:
    """SNRs from the lowest, and their columns."""
    single = {snrs[0]: column for column, snrs in facts["columns"].items() if len(snrs) == 1 and snrs[0] is not None}
    return {snr_db: single[snr_db] for snr_db in sorted(single)}


def _style(facts: Facts, label: str) -> tuple[str, str, Any]:
    """Colour, marker, dashes: no two of the first 70 are alike."""
    place = list(dict.fromkeys(row["label"] for row in facts["rows"])).index(label)
    return COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)]


def _legend(panels: Sequence[Axes]) -> dict[str, Any]:
    """Labels of all panels, and the first line of each."""
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return found
