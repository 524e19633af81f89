"""A picture of what the thresholds of a network did with a sound: what they set to zero, under the spectrogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.reports.plot import make_figure, save_figure
from drsn_audio.reports.spectrogram import TINY, draw_spectrogram, spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = 256  # of the spectrogram, once its frequencies lie as those of the network do
TICKS_HZ = (500, 1000, 2000, 4000, 8000, 16000)
INCHES = {"top": 1.9, "block": 1.15, "joined": 0.5, "bars": 0.12}  # heights of rows


class Colors(NamedTuple):
    """A scale, the same for all blocks and pictures, so that they can be compared."""

    name: str
    low: float
    high: float


# Dark blue: taken away. Where more than four fifths were, there is nothing left to tell apart.
EFFECT_COLORS = {"alpha": Colors("YlGnBu", 0.0, 0.8), "gate": Colors("YlGnBu_r", 0.2, 1.0)}
MEAN_COLORS = Colors("plasma", 0.2, 0.8)  # the means of many lie nearer to each other than they themselves
ALPHA_COLORS = Colors("viridis", 0.0, 1.0)
EFFECT = {"alpha": "share of the channels that are set to zero", "gate": "share of the magnitude that is left"}
MEANING = {"alpha": "alpha = threshold / mean magnitude", "gate": "gate, which values are multiplied by"}


class BlockPanels(NamedTuple):
    """One block: C channels, F' bands, T' frames of frame_s seconds.

    alpha [C or 1, F' or 1]: thresholds over mean magnitudes, or the gate, averaged over time. over_time [F' or 1, T']:
    averaged over channels; None where one is for the whole sound. effect [F', T']: the share of channels that are set
    to zero; of a gate, which sets nothing to zero, the share of the magnitude that is left. rows_a_band: rows of the
    spectrogram that a band stands for. zeroed: share of all values.
    """

    name: str
    kind: str  # "alpha" | "gate"
    alpha: np.ndarray
    over_time: np.ndarray | None
    effect: np.ndarray
    channels: int
    frame_s: float
    rows_a_band: int
    zeroed: float


class Scene(NamedTuple):
    """What was heard: wave [N], from start_s of its sound on; the front-end's rows, and the edges [rows + 1] between
    them in Hz (None: they are no frequencies); words, each (text, start_s, end_s).
    """

    wave: np.ndarray
    sample_rate: int
    start_s: float
    rows: int
    edges_hz: np.ndarray | None
    words: Sequence[tuple[str, float, float]] = ()

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.wave) / self.sample_rate


def plot_thresholds(path: str | Path, blocks: Sequence[BlockPanels], scene: Scene, title: str) -> None:
    """A picture; the path's ending, .png, .svg or .pdf, is its format. See `draw_thresholds`.

    Raises:
        InputError: no blocks, an ending that is no picture's, a place that cannot be written.
        ModuleNotFoundError: matplotlib is not installed.
    """
    save_figure(draw_thresholds(blocks, scene, title), path)


def draw_thresholds(blocks: Sequence[BlockPanels], scene: Scene, title: str) -> Figure:
    """The spectrogram; under it, on the same axes, what each block set to zero, its alpha over time, where that
    changes, and, beside, its alpha over channels and frequency. Each has one scale of colours for all blocks.

    Raises:
        InputError: no blocks.
        ModuleNotFoundError: matplotlib is not installed.
    """
    if not blocks:
        raise InputError("no block has a threshold or a gate: there is nothing to draw")
    timed = any(block.over_time is not None for block in blocks)
    widths = [5.2, 5.2, 2.2] if timed else [7.0, 2.6]
    heights = [INCHES["top"], *(INCHES["joined" if len(b.effect) == 1 else "block"] for b in blocks), INCHES["bars"]]
    figure = make_figure(sum(widths) + 1.2, sum(heights) + 0.27 * len(heights) + 1.0)
    grid = figure.subplots(len(heights), len(widths), width_ratios=widths, height_ratios=heights)
    for axes in grid[0, :-1]:
        bar = _draw_spectrogram(axes, scene)
    _level_bar(grid[0, -1], bar)
    for row, block in zip(grid[1:-1], blocks, strict=True):
        _draw_block(row, block, scene)
    for axes in grid[:-1, :-1].flat:
        axes.set_xlim(scene.start_s, scene.end_s)
        axes.tick_params(labelbottom=axes in grid[-2, :-1])
    for axes in grid[-2, :-1]:
        axes.set_xlabel("time (s)")
    kind = blocks[0].kind
    _bar(grid[-1, 0], EFFECT_COLORS[kind], EFFECT[kind])
    if timed:
        _bar(grid[-1, 1], MEAN_COLORS, f"{MEANING[kind]}, mean of the channels")
    _bar(grid[-1, -1], ALPHA_COLORS, f"{kind}, mean over time" if timed else MEANING[kind])
    figure.suptitle(fill(title, round(9 * sum(widths))), weight="bold")
    return figure


def warp(power: np.ndarray, sample_rate: int, edges_hz: np.ndarray, rows: int = ROWS) -> np.ndarray:
    """Power [F, columns] from 0 Hz to half the rate -> its means [rows, columns] where the front-end's bins [F' + 1
    edges] lie evenly: what the model has as one bin is as high as any other.
    """
    bins = np.arange(len(power) + 1) - 0.5
    bound_hz = np.interp(np.linspace(0, len(edges_hz) - 1, rows + 1), np.arange(len(edges_hz)), edges_hz)
    at = np.clip(bound_hz * 2 * (len(power) - 1) / sample_rate, 0, len(power) - 1)
    total = np.vstack([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    below = np.stack([np.interp(at, bins, column) for column in total.T], axis=1)
    return np.diff(below, axis=0) / np.maximum(np.diff(at), 1e-9)[:, None]


def _draw_spectrogram(axes: Axes, scene: Scene) -> Any:
    """Returns the image, whose colours are dB."""
    power = spectrum(scene.wave, scene.sample_rate).power
    if scene.edges_hz is not None:
        power = warp(power, scene.sample_rate, scene.edges_hz)
    power_db = 10 * np.log10(np.maximum(power, TINY))
    loudest_db = float(power_db.max()) if power.any() else 0.0
    image = draw_spectrogram(axes, power_db, scene.end_s - scene.start_s, scene.sample_rate, loudest_db)
    if scene.edges_hz is not None:
        image.set_extent((scene.start_s, scene.end_s, 0, scene.rows))
        _frequency_axis(axes, scene)
    else:
        _, _, low, high = image.get_extent()
        image.set_extent((scene.start_s, scene.end_s, low, high))
    _title(axes, "what was heard")
    if not scene.wave.any():
        axes.text(0.5, 0.5, "silence", transform=axes.transAxes, ha="center", va="center", color="white", fontsize=12)
    top = axes.get_ylim()[1]
    for text, start_s, end_s in scene.words:
        if end_s - start_s < 0.99 * (scene.end_s - scene.start_s):  # else there is nothing to point at
            axes.vlines([start_s, end_s], 0, top, color="white", linewidth=0.8, linestyle=":")
            axes.text(
                (start_s + end_s) / 2, top, text, ha="center", va="top", color="white", fontsize=9,
                clip_on=True, bbox={"facecolor": "black", "alpha": 0.5, "linewidth": 0, "pad": 1},
            )  # fmt: skip
    return image


def _draw_block(row: Sequence[Axes], block: BlockPanels, scene: Scene) -> None:
    """A row of axes: what became zero, alpha over time where there are three, and alpha over channels."""
    bands, frames = block.effect.shape
    times = (scene.start_s, scene.start_s + frames * block.frame_s)
    order = np.argsort(block.alpha.mean(axis=1))  # their own order means nothing
    panels = [(block.effect, times, EFFECT_COLORS[block.kind])]
    if block.over_time is not None:
        panels.append((block.over_time, times, MEAN_COLORS))
    panels.append((block.alpha[order].T, (0, len(order)), ALPHA_COLORS))
    for axes, (values, across, colors) in zip(row, panels, strict=True):
        # What all bands have in common is as high as all of them.
        top = scene.rows if len(values) == 1 else len(values) * block.rows_a_band
        axes.imshow(
            values, cmap=colors.name, vmin=colors.low, vmax=colors.high, origin="lower", aspect="auto",
            interpolation="antialiased", extent=(*across, 0, top),
        )  # fmt: skip
        _frequency_axis(axes, scene)
        if bands == 1:
            axes.set_yticks([])
            axes.set_ylabel("all")
    what = f"{100 * block.zeroed:.0f} % set to zero" if block.kind == "alpha" else "nothing set to zero"
    _title(row[0], f"{block.name}: {what}", fontweight="bold")
    shape = (
        f"{block.channels} channels x {bands} bands" if bands > 1 else f"{block.channels} channels, all bands joined"
    )
    row[0].set_title(shape, loc="right", fontsize=8)
    mean = f"{block.kind} {block.alpha.mean():.2f}"
    each = "one for all" if len(order) == 1 else "by channel, sorted"
    if block.over_time is not None:
        _title(row[1], mean)
        _title(row[2], each)
    else:
        _title(row[1], f"{mean}, {each}")
    row[-1].set_xticks([])
    row[-1].tick_params(labelleft=False)
    row[-1].set_ylabel("")


def _title(axes: Axes, text: str, **options: Any) -> None:
    axes.set_title(text, loc="left", fontsize=10, **options)


def _frequency_axis(axes: Axes, scene: Scene) -> None:
    """Rows of the front-end, with the kHz that they are."""
    axes.set_ylim(0, scene.rows)
    if scene.edges_hz is None:
        axes.set_ylabel("coefficient")
        return
    edges_hz, place = scene.edges_hz, np.arange(scene.rows + 1)
    even = np.ptp(np.diff(edges_hz)[1:-1]) < 1e-6 * edges_hz[-1] if scene.rows > 3 else True
    step = max(1000, 2000 * round(edges_hz[-1] / 8000))
    wanted_hz = list(range(0, math.ceil(edges_hz[-1]) + 1, step)) if even else TICKS_HZ
    ticks_hz = [hz for hz in wanted_hz if edges_hz[0] <= hz <= edges_hz[-1]]
    axes.set_yticks(np.interp(ticks_hz, edges_hz, place), [f"{hz / 1000:g}" for hz in ticks_hz], fontsize=8)
    axes.set_ylabel("kHz")


def _level_bar(axes: Axes, image: Any) -> None:
    """The colours of the spectrogram, in the corner beside it."""
    axes.set_axis_off()
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((0.02, 0.0, 0.06, 1.0)), extend="min")
    bar.set_label("dB re a sine of full scale", fontsize=9)


def _bar(axes: Axes, colors: Colors, label: str) -> None:
    """A horizontal bar; its ends are pointed where values lie beyond."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    beyond = {(0.0, 1.0): "neither", (0.0, 0.8): "max", (0.2, 1.0): "min"}.get(colors[1:], "both")
    scale = ScalarMappable(Normalize(colors.low, colors.high), colors.name)
    axes.figure.colorbar(scale, cax=axes, orientation="horizontal", extend=beyond).set_label(label, fontsize=9)
