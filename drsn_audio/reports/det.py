"""Picture of what is missed against what is falsely told: the detection error trade-off of live recognition.

After Martin, Doddington, Kamm, Ordowski, Przybocki, "The DET curve in assessment of detection task performance",
Eurospeech 1997, with false alarms counted an hour, as a stream has no trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.metrics.streaming import Det, least_rate
from drsn_audio.reports.plot import COLORS, make_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PERCENT = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
probit = np.vectorize(NormalDist().inv_cdf, otypes=[float])


def plot_det(curves: Mapping[str, Det], path: str | Path, title: str = "", operating_shift: float | None = 0.0) -> None:
    """Miss rate on a normal-deviate axis against false alarms an hour on a log axis: a line for each condition.

    The point at `operating_shift` is marked. Rates below 3 / hours, which so many hours cannot show, are shaded (the
    fewest hours of the curves count); no false alarm at all is drawn at the left end, as half of one. A miss rate of 0
    or 1 is drawn as half a miss from it.

    Raises:
        InputError: no curves, or an ending that is no picture's.
        ModuleNotFoundError: matplotlib is not installed.
    """
    if not curves:
        raise InputError("no curves to draw: give one condition at least")
    hours = min(det.hours for det in curves.values())
    figure = make_figure(7.2, 5.2)
    axes = figure.subplots()
    axes.set_xscale("log")
    drawn = [_draw_curve(axes, label, det, operating_shift, n) for n, (label, det) in enumerate(curves.items())]
    rates, deviates = np.concatenate(drawn, axis=1)
    _label_rates(axes, rates, hours, any((det.false_alarms == 0).any() for det in curves.values()))
    _label_misses(axes, deviates)
    if operating_shift is not None:
        axes.plot([], [], "o", color="black", markersize=8, label="at the chosen thresholds")
    axes.legend(loc="upper right", frameon=False)
    if title:
        axes.set_title(title, loc="left", fontweight="bold")
    save_figure(figure, path)


def _draw_curve(axes: Axes, label: str, det: Det, operating_shift: float | None, number: int) -> np.ndarray:
    """Returns what was drawn, [2, S]: false alarms an hour and normal deviates of miss rates."""
    rates = np.maximum(det.rates, 0.5 / det.hours)
    half = 0.5 / det.spoken
    deviates = probit(np.clip(det.miss_rates, half, 1 - half))
    color = COLORS[number % len(COLORS)]
    axes.plot(rates, deviates, color=color, label=label, linewidth=1.5)
    here = np.flatnonzero(det.shifts == operating_shift)
    axes.plot(rates[here], deviates[here], color=color, marker="o", markersize=8, linestyle="none")
    return np.stack([rates, deviates])


def _label_rates(axes: Axes, rates: np.ndarray, hours: float, with_zero: bool) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    left, right = rates.min() / 1.15, max(rates.max(), 2 * least_rate(hours)) * 1.15
    powers = 10.0 ** np.arange(np.ceil(np.log10(left)), np.floor(np.log10(right)) + 1)
    ticks = {tick: f"{tick:g}" for tick in np.outer(powers, [1, 3]).ravel() if left <= tick <= right}
    if with_zero:
        zero = 0.5 / hours
        ticks = {tick: name for tick, name in ticks.items() if tick > 1.5 * zero} | {zero: "0"}
    axes.xaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([ticks[tick] for tick in sorted(ticks)])
    axes.set_xlim(left, right)
    if left < least_rate(hours):
        axes.axvspan(left, least_rate(hours), color="0.93", zorder=0, linewidth=0)
        note = f"below 3 / {hours:.3g} h = {least_rate(hours):.2g}:\nno rate is claimed"
        axes.annotate(
            note, (least_rate(hours), 0), (-4, 6), ha="right", va="bottom", fontsize=8, color="0.35",
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip
    axes.set_xlabel("false alarms an hour, of all keywords")


def _label_misses(axes: Axes, deviates: np.ndarray) -> None:
    low, high = deviates.min() - 0.15, deviates.max() + 0.15
    ticks = [percent for percent in PERCENT if low <= probit(percent / 100) <= high]
    axes.set_yticks(probit(np.array(ticks) / 100), [f"{percent:g}" for percent in ticks])
    axes.set_ylim(low, high)
    axes.set_ylabel("missed keywords (%)")
    axes.grid(color="0.85", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
