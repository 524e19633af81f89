"""A picture of a mix: spectrograms of speech, noise and mix on one scale, and their levels over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.reports.plot import COLORS, make_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

RANGE_DB = 80.0  # from the loudest point of the three spectrograms down to the darkest colour
LEVEL_RANGE_DB = 60.0
WINDOW_S = 0.032
COLUMNS = 1200  # at most: about as many as the picture has pixels
OVERLAP = 16  # of windows, at most, where a recording is short
BLOCK_FRAMES = 1 << 12  # transformed at once
TINY = 1e-30  # of a full-scale power: digital silence has a colour, too
PANELS = ("speech", "noise", "mix")


class Spectrum(NamedTuple):
    """power [F, columns]: 1 for a sine of amplitude 1 in its bin; mean_square [columns]: of the samples."""

    power: np.ndarray
    mean_square: np.ndarray


def plot_mix(
    path: str | Path,
    clean: np.ndarray,
    noise: np.ndarray,
    noisy: np.ndarray,
    sample_rate: int,
    title: str,
    levels: Mapping[str, float],
) -> None:
    """Clean speech, its noise and the mix, each [N], N > 0 -> a picture; its ending, .png, .svg or .pdf, is its format.

    levels: dB by name, such as {"speech (P.56)": -26.3, "noise (RMS)": -31.3, "SNR": 5.0}. A name's first word tells
    where it is shown: "speech" and "noise" over their spectrograms, and as lines among the levels over time; any
    other over the mix. Where there is no noise, or no speech, the picture says so.

    Raises:
        InputError: no samples, NaN or infinite ones, an ending that is no picture's, a place that cannot be written.
        ValueError: waves of different lengths.
        ModuleNotFoundError: matplotlib is not installed.
    """
    waves = [np.asarray(wave) for wave in (clean, noise, noisy)]
    if len({wave.shape for wave in waves}) > 1 or waves[0].ndim != 1:
        raise ValueError(f"waves of shapes {[list(wave.shape) for wave in waves]}: give three of one length, [N]")
    spectra = [spectrum(wave, sample_rate) for wave in waves]
    powers_db = [10 * np.log10(np.maximum(each.power, TINY)) for each in spectra]
    loudest = float(np.max([each.power.max() for each in spectra]))  # NaN, where one is
    if not math.isfinite(loudest):
        raise InputError(f"{path}: the waves hold NaN or infinite samples: find where they come from")
    loudest_db = 10 * math.log10(loudest) if loudest > 0 else 0.0

    figure = make_figure(9, 8)
    *panels, below = figure.subplots(4, 1, sharex=True, height_ratios=(3, 3, 3, 2))
    duration_s = clean.size / sample_rate
    for axes, name, power_db in zip(panels, PANELS, powers_db, strict=True):
        image = draw_spectrogram(axes, power_db, duration_s, sample_rate, loudest_db)
        axes.set_title(_panel_title(name, levels), loc="left", fontweight="bold")
    for axes, wave, text in zip(panels, waves, ("silence", "no noise", "silence"), strict=True):
        if not wave.any():
            axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="white", fontsize=12)
    figure.colorbar(image, ax=panels, aspect=40, pad=0.01, label="dB re a sine of full scale", extend="min")
    _draw_levels(below, spectra, duration_s, levels)
    below.set_xlim(0, duration_s)
    figure.suptitle(fill(title, 95))
    save_figure(figure, path)


def spectrum(wave: np.ndarray, sample_rate: int) -> Spectrum:
    """Wave [N] -> its short-term spectrum, at most 1200 columns whatever N.

    Windows of 32 ms (Hann, centred) 2 ms apart; where that would be more columns, each is the mean power of windows
    half a window apart. Only some windows are in memory at a time.

    Raises:
        InputError: no samples.
    """
    if not wave.size:
        raise InputError("a wave without samples: there is nothing to draw")
    size = 2 * max(1, round(WINDOW_S * sample_rate / 2))
    window = np.hanning(size + 1)[:-1]
    columns = min(COLUMNS, -(-wave.size * OVERLAP // size))
    frames = max(1, math.ceil(wave.size / columns / (size / 2)))  # a column
    power, mean_square = np.empty((size // 2 + 1, columns)), np.empty(columns)
    for first in range(0, columns, max(1, BLOCK_FRAMES // frames)):
        column = np.arange(first, min(columns, first + max(1, BLOCK_FRAMES // frames)))
        middle = (column[:, None] + (np.arange(frames) + 0.5) / frames) * wave.size / columns
        squares = np.abs(np.fft.rfft(_pieces(wave, middle.astype(int) - size // 2, size) * window)) ** 2
        squares = squares.mean(axis=1)
        # Parseval: the bins between the first and the last stand for two.
        total = 2 * squares.sum(axis=1) - squares[:, 0] - squares[:, -1]
        mean_square[column] = total / size / np.sum(window**2)
        power[:, column] = (squares * (2 / window.sum()) ** 2).T
    return Spectrum(power, mean_square)


def _pieces(wave: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    """float64 [*starts.shape, size]: from each start on, zeros where the wave [N] has no samples."""
    low, high = int(starts.min()), int(starts.max()) + size
    inside = wave[max(0, low) : high].astype(np.float64)
    padded = np.pad(inside, (max(0, -low), max(0, high - wave.size)))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[starts - low]


def draw_spectrogram(
    axes: Axes, power_db: np.ndarray, duration_s: float, sample_rate: int, loudest_db: float
) -> AxesImage:
    """Power [F, columns] in dB: a bin's colour reaches half a bin to either side of its frequency."""
    highest_khz = sample_rate / 2000
    half_khz = highest_khz / (len(power_db) - 1) / 2
    image = axes.imshow(
        power_db,
        cmap="magma",
        vmin=loudest_db - RANGE_DB,
        vmax=loudest_db,
        origin="lower",
        aspect="auto",
        extent=(0, duration_s, -half_khz, highest_khz + half_khz),
    )
    axes.set_ylim(0, highest_khz)
    axes.set_ylabel("frequency (kHz)")
    return image


def _panel_title(panel: str, levels: Mapping[str, float]) -> str:
    """E.g. "speech -26.3 dB (P.56)"."""
    parts = []
    for name, value_db in levels.items():
        word, _, method = name.partition(" ")
        if panel == (word if word in PANELS else "mix") and value_db > -math.inf:
            prefix = "" if word == panel else f"{word} "
            parts.append(f"{prefix}{round(value_db, 1) + 0.0:.1f} dB {method}".rstrip())
    return " ".join([panel, ", ".join(parts)]).rstrip() if panel != "mix" else ", ".join([panel, *parts])


def _draw_levels(axes: Axes, spectra: list[Spectrum], duration_s: float, levels: Mapping[str, float]) -> None:
    """Short-term levels of speech and noise, and dashed lines where `levels` puts them."""
    top_db = -math.inf
    for name, each, color in zip(PANELS, spectra[:2], COLORS, strict=False):
        level_db = 10 * np.log10(np.maximum(each.mean_square, TINY))
        if each.mean_square.any():
            top_db = max(top_db, level_db.max())
            time_s = (np.arange(len(level_db)) + 0.5) * duration_s / len(level_db)
            axes.plot(time_s, level_db, color=color, linewidth=1, label=name)
        for key, value_db in levels.items():
            if key.partition(" ")[0] == name and math.isfinite(value_db):
                axes.axhline(value_db, color=color, linewidth=1, linestyle="--")
    top_db = top_db + 3 if math.isfinite(top_db) else 0.0
    axes.set_ylim(top_db - LEVEL_RANGE_DB, top_db)
    if axes.lines:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderpad=0, ncols=2, frameon=False)
    axes.set_title("levels over 32 ms; dashed: as above", loc="left", fontweight="bold")
    axes.set_ylabel("dB re full scale")
    axes.set_xlabel("time (s)")
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
