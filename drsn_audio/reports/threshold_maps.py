"""Pictures of thresholds.json: thresholds against the SNR, and where in frequency they move with the noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsn_audio.reports.plot import CLEAN_GAP, COLORS, MARKERS, label_snrs, make_figure, save_figure
from drsn_audio.reports.run import LEVELS
from drsn_audio.reports.threshold_answers import kinds_of, lowest_snr, name_of
from drsn_audio.reports.threshold_tables import threshold_tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AGAINST_SNR = {
    "alpha": "alpha",
    "tau": "tau",
    "zeroed": "set to zero (%)",
    "removed": "energy\nremoved (%)",
}
IN_PERCENT = ("zeroed", "removed")
MAPS = ("alpha", "tau")
DIVERGING = "PuOr_r"  # orange: up; told apart by the colour-blind
TICKS_HZ = (500, 1000, 2000, 4000, 8000)


def write_thresholds(facts: Mapping[str, Any], out: Path) -> list[Path]:
    """thresholds.json, thresholds.md, thresholds.png and, where thresholds are by frequency, bands.png in a folder.

    Raises:
        OSError, InputError: the folder cannot be written to.
        ModuleNotFoundError: matplotlib is not installed; numbers and tables are written then, too.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "thresholds.json", out / "thresholds.md"]
    paths[0].write_text(json.dumps(facts) + "\n")
    paths[1].write_text(threshold_tables(facts))
    paths.append(plot_against_snr(facts, out / "thresholds.png"))
    if any(block["bands_hz"] for block in facts["blocks"]):
        paths.append(plot_bands(facts, out / "bands.png"))
    return paths


def plot_against_snr(facts: Mapping[str, Any], path: Path) -> Path:
    """A row a measure, a column a kind of noise, a line a block with its 95 % band; clean at the right end."""
    kinds = kinds_of(facts)
    rows = [measure for measure in AGAINST_SNR if measure in facts["blocks"][0]["kinds"][kinds[0]]["levels"]]
    figure = make_figure(1.2 + 2.3 * len(kinds), 0.9 + 1.3 * len(rows))  # small files
    grid = figure.subplots(len(rows), len(kinds), sharex=True, sharey="row", squeeze=False)
    for measure, of_row in zip(rows, grid, strict=True):
        for kind, axes in zip(kinds, of_row, strict=True):
            for number, block in enumerate(facts["blocks"]):
                _draw_levels(axes, facts, block["kinds"][kind]["levels"][measure], measure, number)
        gate = measure == "alpha" and facts["model"]["name"] == "gate"
        of_row[0].set_ylabel("gate" if gate else AGAINST_SNR[measure])
    for kind, top, bottom in zip(kinds, grid[0], grid[-1], strict=True):
        top.set_title(kind, loc="left", fontweight="bold")
        label_snrs(bottom, sorted(snr for snr in facts["snr_db"] if snr is not None), LEVELS[facts["level"]])
        bottom.set_xlabel("SNR (dB)")
    for axes in grid[:-1].ravel():
        axes.grid(color="0.9", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(6, len(labels)), frameon=False)
    save_figure(figure, path)
    return path


def _draw_levels(axes: Axes, facts: Mapping[str, Any], levels: Any, measure: str, number: int) -> None:
    """One block's line, and its point in clean speech."""
    scale = 100 if measure in IN_PERCENT else 1
    snrs = [snr for snr in facts["snr_db"] if snr is not None]
    at = np.array([snr if snr is not None else max(snrs) + CLEAN_GAP for snr in facts["snr_db"]])
    mean, low, high = scale * np.array([[np.nan if x is None else x for x in one] for one in levels], dtype=float).T
    color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    axes.fill_between(at[:-1], low[:-1], high[:-1], color=color, alpha=0.15, linewidth=0)
    axes.plot(at[:-1], mean[:-1], color=color, marker=marker, markersize=4, label=f"block {number + 1}")
    axes.plot([at[-1]] * 2, [low[-1], high[-1]], color=color, linewidth=1.5)
    axes.plot(at[-1], mean[-1], color=color, marker=marker, markersize=4)


def plot_bands(facts: Mapping[str, Any], path: Path) -> Path:
    """A column a kind of noise: maps, a strip a block, of how far alpha and tau of each band are from clean speech at
    the lowest SNR, and of alpha's correlation with the SNR; under them the mean spectra of speech and noise.
    """
    kinds = kinds_of(facts)
    blocks = [block for block in facts["blocks"] if block["bands_hz"]]
    maps = [measure for measure in MAPS if measure in blocks[0]["kinds"][kinds[0]]["bands"]["change"]]
    heights = [0.5 + 0.3 * len(blocks)] * (len(maps) + 1) + [1.9]
    figure = make_figure(1.6 + 3.1 * len(kinds), 1.0 + sum(heights))
    grid = figure.subplots(len(heights), len(kinds), squeeze=False, sharex=True, sharey="row", height_ratios=heights)
    alpha, snr = name_of(facts, "alpha"), f"{lowest_snr(facts):g} dB"
    titles = {"alpha": f"{alpha}, {snr}\nminus clean", "tau": f"tau, {snr}\nover clean (%)"}
    for measure, of_row in zip(maps, grid, strict=False):
        cells = {kind: [_change(block, kind, measure) for block in blocks] for kind in kinds}
        _draw_map(figure, of_row, facts, cells, titles[measure])
    cells = {
        kind: [np.array(block["kinds"][kind]["bands"]["with_snr"]["alpha"], float) for block in blocks]
        for kind in kinds
    }
    _draw_map(figure, grid[len(maps)], facts, cells, f"rank correlation\nof {alpha} with SNR", 1.0, flipped=True)
    for kind, top, bottom in zip(kinds, grid[0], grid[-1], strict=True):
        top.set_title(kind, loc="left", fontweight="bold")
        _draw_spectra(bottom, facts, kind)
    grid[-1][0].set_ylabel("dB, at 0 dB SNR")
    figure.supxlabel(
        "orange: higher in noise; dots: the 95 % interval holds zero", fontsize="small", x=0.99, ha="right"
    )
    save_figure(figure, path)
    return path


def _change(block: Mapping[str, Any], kind: str, measure: str) -> np.ndarray:
    """[bands, 3]: mean and bounds; of tau in %."""
    found = np.array(block["kinds"][kind]["bands"]["change"][measure], dtype=float)
    return 100 * np.expm1(found) if measure == "tau" else found


def _order(block: Mapping[str, Any], kind: str) -> np.ndarray:
    return np.array(block["kinds"][kind]["bands"]["with_snr"]["alpha"], dtype=float)


def _draw_map(
    figure: Figure,
    row: Any,
    facts: Mapping[str, Any],
    cells: Mapping[str, list[np.ndarray]],
    title: str,
    largest: float | None = None,
    flipped: bool = False,
) -> None:
    """A panel a kind with a strip a block. Orange is always: up with the noise."""
    if largest is None:
        largest = max(float(np.abs(strip[:, 0]).max()) for strips in cells.values() for strip in strips) or 1.0
    bins = len(facts["spectra"]["edges_hz"]) - 1
    for axes, strips in zip(row, cells.values(), strict=True):
        for place, strip in enumerate(strips):
            edges = _strip_edges(bins, len(strip))
            colors = DIVERGING.removesuffix("_r") if flipped else DIVERGING
            image = axes.pcolormesh(
                edges, [place - 0.5, place + 0.5], strip[None, :, 0], cmap=colors, vmin=-largest, vmax=largest
            )
            unclear = ~((strip[:, 1] > 0) | (strip[:, 2] < 0))
            axes.plot((edges[:-1] + edges[1:])[unclear] / 2, np.full(unclear.sum(), place), "k.", markersize=2.5)
        axes.set_ylim(len(strips) - 0.5, -0.5)
        axes.set_yticks(range(len(strips)), [f"block {place + 1}" for place in range(len(strips))])
        axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=list(row), aspect=12, pad=0.01)
    bar.set_label(title, fontsize="small")


def _strip_edges(bins: int, bands: int) -> np.ndarray:
    """Edges [bands + 1], in rows of the spectrogram, of bands that are all of one size but for the last."""
    size = next(size for size in range(1, bins + 1) if -(-bins // size) == bands)
    return np.minimum(np.arange(bands + 1) * size, bins)


def _draw_spectra(axes: Axes, facts: Mapping[str, Any], kind: str) -> None:
    spectra = facts["spectra"]
    edges = np.array(spectra["edges_hz"], dtype=float)
    middle = np.arange(len(edges) - 1) + 0.5
    axes.plot(middle, spectra["noise_db"][kind], color=COLORS[1], label=kind)
    axes.plot(middle, spectra["speech_db"], color=COLORS[6], linestyle="--", label="speech")
    ticks = [hz for hz in TICKS_HZ if edges[0] <= hz <= edges[-1]]
    axes.set_xticks(np.interp(ticks, edges, np.arange(len(edges))), [f"{hz:g}" for hz in ticks])
    axes.set_xlim(0, len(edges) - 1)
    axes.set_xlabel("frequency (Hz)")
    axes.grid(color="0.9", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
