"""Word error rate against SNR. The path's ending names the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.reports.plot import CLEAN_GAP, COLORS, MARKERS, label_snrs, make_figure, save_figure
from drsn_audio.reports.run import CLEAN, LEVELS, MEAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Facts = Mapping[str, Any]


def plot_word_errors(runs: Sequence[Facts], path: str | Path) -> None:
    """Word error rate against SNR with 95 % bands, clean at the right end.

    One run: a line for each noise kind. Several: a panel for each noise kind, a line for each run.

    Raises:
        InputError: clean speech alone, or an ending that is no picture's.
        ModuleNotFoundError: matplotlib is not installed.
    """
    conditions = [one for facts in runs for one in facts["conditions"] if one["snr_db"] is not None]
    kinds = sorted(dict.fromkeys(one["noise_kind"] for one in conditions), key=lambda kind: kind == MEAN)
    snrs_db = sorted({one["snr_db"] for one in conditions})
    if not kinds:
        raise InputError("the runs hold clean speech alone: evaluate with noise to plot against SNR")
    names = [facts["model"]["name"] for facts in runs]
    if len(runs) == 1:
        panels = [(names[0], [(kind, runs[0], kind) for kind in kinds])]
    else:
        panels = [(kind, [(name, facts, kind) for name, facts in zip(names, runs, strict=True)]) for kind in kinds]
    figure = make_figure(2.4 + 4 * len(panels), 4.2)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, lines) in zip(all_axes, panels, strict=True):
        axes.set_title(title, loc="left", fontweight="bold")
        for number, (label, facts, kind) in enumerate(lines):
            _draw_line(axes, facts, kind, label, number)
        for number, facts in enumerate(runs):
            # Side by side, so that the intervals do not hide each other.
            at = snrs_db[-1] + CLEAN_GAP + 0.6 * (number - (len(runs) - 1) / 2)
            _draw_clean(axes, facts, at, number if len(runs) > 1 else -1)  # black, where colours are kinds
        label_snrs(axes, snrs_db, LEVELS[runs[0]["level"]])
    all_axes[0].set_ylim(bottom=0)
    all_axes[0].set_ylabel("word error rate (%), band: 95 % interval")
    all_axes[0].legend(loc="upper right", frameon=False)
    save_figure(figure, path)


def _draw_line(axes: Axes, facts: Facts, noise_kind: str, label: str, number: int) -> None:
    """One noise kind of one run, with its band."""
    found = [one for one in facts["conditions"] if one["noise_kind"] == noise_kind]
    if not found:
        return
    snr, rate, low, high = np.array(sorted([one["snr_db"], *_percents(one)] for one in found), dtype=float).T
    color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    axes.fill_between(snr, low, high, color=color, alpha=0.15, linewidth=0)
    axes.plot(snr, rate, color=color, label=label, marker=marker, markersize=5)


def _draw_clean(axes: Axes, facts: Facts, at: float, number: int) -> None:
    """A point with its interval at `at` dB."""
    for one in facts["conditions"]:
        if one["noise_kind"] == CLEAN:
            rate, low, high = _percents(one)
            color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
            axes.plot([at, at], [low, high], color=color, linewidth=1.5)
            axes.plot(at, rate, color=color, marker=marker, markersize=5)


def _percents(condition: Facts) -> list[float]:
    return [100 * (np.nan if condition[key] is None else condition[key]) for key in ("wer", "low", "high")]
