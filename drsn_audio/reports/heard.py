"""Pictures of what a model hears, and of how much its blocks take away of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from drsn_audio.reports.plot import MARKERS, make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DARKEST, BRIGHTEST = 1.0, 99.9  # percentiles of the values that colours reach from and to
LABELS = {
    "alpha": "mean alpha = threshold / mean magnitude",
    "gate": "mean gate, by which a block is multiplied",
}


def draw_heard(panels: Mapping[str, np.ndarray], hop_s: float, frontend: str, title: str) -> Figure:
    """Spectrograms [F, T] by what each shows -> one picture, a panel each, all on one scale of colours.

    Values and bins are the front-end's own: after its compression, lowest frequency first.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    values = np.concatenate([panel.ravel() for panel in panels.values()])
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [DARKEST, BRIGHTEST]) if values.size else (0.0, 1.0)
    figure = make_figure(8, 1.2 + 2 * len(panels))
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, panel) in zip(rows, panels.items(), strict=True):
        bins, frames = panel.shape
        image = axes.imshow(
            panel, cmap="magma", vmin=low, vmax=max(high, low + 1e-6), origin="lower", aspect="auto",
            interpolation="nearest", extent=(0, frames * hop_s, -0.5, bins - 0.5),
        )  # fmt: skip
        axes.set_title(name, loc="left", fontweight="bold", fontsize=10)
        axes.set_ylabel("bin")
    rows[-1].set_xlabel("time (s)")
    figure.colorbar(
        image, ax=list(rows), aspect=40, pad=0.01, extend="both", label=f"value of the front-end, {frontend}"
    )
    figure.suptitle(fill(title, 90), fontsize=10)
    return figure


def draw_alphas(snr_db: Sequence[float], alphas: Mapping[str, np.ndarray], kind: str, title: str) -> Figure:
    """Alphas [S] of each block at S SNRs -> a line a block, the first dark and the last bright.

    kind: "alpha" or "gate", see `LABELS`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib import colormaps

    figure = make_figure(8, 4.2)
    axes = figure.subplots()
    colors = colormaps["viridis"](np.linspace(0, 0.9, len(alphas)))
    for number, (block, of_block) in enumerate(alphas.items()):
        axes.plot(
            snr_db, of_block, color=colors[number], marker=MARKERS[number % len(MARKERS)], markersize=4, label=block
        )
    axes.set_xticks(sorted(snr_db))
    axes.set_xlabel("SNR of the input (dB)")
    axes.set_ylabel(LABELS[kind])
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8, title="block")
    axes.set_title(fill(title, 80), loc="left", fontsize=10)
    return figure
