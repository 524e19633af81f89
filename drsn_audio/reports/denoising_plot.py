"""How much better noisy speech gets, against its SNR. The path's ending names the format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.reports.plot import COLORS, MARKERS, make_figure, save_figure
from drsn_audio.reports.run import LEVELS, MEAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Facts = Mapping[str, Any]
PANELS = {"si_sdr_gain_db": "gain in SI-SDR (dB)", "stoi": "STOI", "pesq": "wideband PESQ"}
NOISY_COLOR = "0.45"


def plot_denoising(facts: Facts, path: str | Path) -> None:
    """A panel for each measure that is there, a line with its 95 % band for each system, over all noise kinds.

    Raises:
        InputError: nothing to draw, or an ending that is no picture's.
        ModuleNotFoundError: matplotlib is not installed.
    """
    kinds = {one["noise_kind"] for one in facts["conditions"]}
    kind = MEAN if MEAN in kinds else next(iter(kinds), MEAN)
    found = [one for one in facts["conditions"] if one["noise_kind"] == kind and one["snr_db"] != MEAN]
    panels = {name: title for name, title in PANELS.items() if any(one.get(name) for one in found)}
    if not panels:
        raise InputError("no measures against SNR in the facts: evaluate again")
    figure = make_figure(0.8 + 4 * len(panels), 4.2)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, title) in zip(all_axes, panels.items(), strict=True):
        for number, system in enumerate(dict.fromkeys(one["system"] for one in found)):
            if number or name != "si_sdr_gain_db":  # the noisy wave's own gain is 0
                _draw_line(axes, [one for one in found if one["system"] == system and one.get(name)], name, number)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_xticks(sorted({one["snr_db"] for one in found}))
        axes.set_xlabel(f"SNR (dB) by the {LEVELS[facts['level']]}", fontsize=9)
        axes.grid(color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    lines, labels = all_axes[-1].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False)
    where = "mean of all noise kinds" if kind == MEAN else kind
    figure.suptitle(f"{where}; bands: 95 % intervals", x=0.01, ha="left", fontsize=9)
    save_figure(figure, path)


def _draw_line(axes: Axes, conditions: list[Facts], name: str, number: int) -> None:
    if not conditions:
        return
    points = sorted([one["snr_db"], *_bounds(one[name])] for one in conditions)
    snr_db, value, low, high = np.array(points, dtype=float).T
    color = COLORS[(number - 1) % len(COLORS)] if number else NOISY_COLOR
    axes.fill_between(snr_db, low, high, color=color, alpha=0.15, linewidth=0)
    marker = MARKERS[(number - 1) % len(MARKERS)] if number else "."
    axes.plot(snr_db, value, color=color, label=conditions[0]["system"], marker=marker, markersize=5)


def _bounds(value: Facts) -> list[float]:
    return [np.nan if value[key] is None else value[key] for key in ("mean", "low", "high")]
