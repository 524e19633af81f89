"""A recording played faster or slower."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

# A low-pass filter flat to 0.84 of the lower of the two Nyquist frequencies, 60 dB down at it.
CUTOFF = 0.92
CROSSINGS = 20  # of zero, on each side
KAISER_BETA = 5.65


def change_speed(wave: np.ndarray, speed: Fraction) -> np.ndarray:
    """Wave [N] -> float32 [ceil(N / speed)], higher by the factor `speed` in pitch and shorter by it.

    Output samples repeat their places between input samples every `speed.denominator`, so that many at once are one
    row of a matrix product with the filter at those places. Use denominators of about 20 to 100.
    """
    if speed == 1:
        return wave
    step = speed.numerator
    filters, reach = _filters(speed)
    rows = -(-len(wave) // step)
    padded = np.zeros((rows - 1) * step + len(filters), np.float32)
    size = min(len(wave), len(padded) - reach)
    padded[reach : reach + size] = wave[:size]
    out = torch.from_numpy(padded).unfold(0, len(filters), step) @ filters
    return out.numpy().reshape(-1)[: -(-len(wave) * speed.denominator // step)]


@functools.lru_cache(maxsize=256)
def _filters(speed: Fraction) -> tuple[Tensor, int]:
    """[taps, speed.denominator], and how many samples the first tap lies before the row's first sample."""
    cutoff = CUTOFF * min(1.0, 1 / float(speed))
    reach = math.ceil(CROSSINGS / cutoff)
    tap = np.arange(-reach, speed.numerator + reach + 1)
    place = tap[:, None] - np.arange(speed.denominator) * float(speed)
    inside = np.sqrt(np.clip(1 - (place / reach) ** 2, 0, None))
    window = np.where(np.abs(place) <= reach, np.i0(KAISER_BETA * inside) / np.i0(KAISER_BETA), 0)
    return torch.from_numpy((cutoff * np.sinc(cutoff * place) * window).astype(np.float32)), reach
