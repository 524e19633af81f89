"""A picture of what a denoiser does: spectrograms one under the other, on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.reports.plot import make_figure, save_figure
from drsn_audio.reports.spectrogram import TINY, draw_spectrogram, spectrum


def plot_before_after(path: str | Path, waves: Mapping[str, np.ndarray], sample_rate: int, title: str) -> None:
    """Waves by name, each [N], such as clean, noisy and denoised -> a picture; its ending names the format.

    The loudest point of all of them has the brightest colour, so that a colour is the same level in each.

    Raises:
        InputError: no samples, NaN or infinite ones, an ending that is no picture's, a place that cannot be written.
        ValueError: waves of different lengths.
        ModuleNotFoundError: matplotlib is not installed.
    """
    if len({wave.shape for wave in waves.values()}) != 1 or next(iter(waves.values())).ndim != 1:
        raise ValueError(
            f"waves of shapes {[list(wave.shape) for wave in waves.values()]}: give some of one length, [N]"
        )
    powers = [spectrum(wave, sample_rate).power for wave in waves.values()]
    loudest = float(np.max(powers))  # NaN, where one is
    if not math.isfinite(loudest):
        raise InputError(f"{path}: the waves hold NaN or infinite samples: find where they come from")
    loudest_db = 10 * math.log10(loudest) if loudest > 0 else 0.0
    figure = make_figure(9, 1 + 2.2 * len(waves))
    panels = figure.subplots(len(waves), 1, sharex=True, squeeze=False)[:, 0]
    duration_s = next(iter(waves.values())).size / sample_rate
    for axes, name, power in zip(panels, waves, powers, strict=True):
        power_db = 10 * np.log10(np.maximum(power, TINY))
        image = draw_spectrogram(axes, power_db, duration_s, sample_rate, loudest_db)
        axes.set_title(name, loc="left", fontweight="bold")
    panels[-1].set_xlabel("time (s)")
    panels[-1].set_xlim(0, duration_s)
    figure.colorbar(image, ax=panels, aspect=40, pad=0.01, label="dB re a sine of full scale", extend="min")
    figure.suptitle(fill(title, 95))
    save_figure(figure, path)
