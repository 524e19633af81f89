"""The active speech level of ITU-T P.56 (12/2011), method B, as the standard puts it: sample by sample.

It shares no line with the package, which the tests compare with it. `active_level` is plain Python, about a
microsecond for each sample and threshold; `active_level_numpy` does the same for hours of recordings.

The mean of the wave is taken off first, unless it is a single sample: an offset is no sound. Three things are as the
package documents them, for the standard leaves them open: the thresholds are powers of two without end (the standard
stops at one bit of its converter); activity over the lowest of them lasts for the hangover or to the ends of a shorter
recording; where no threshold is within the margin the highest one reached counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import lfilter

T_S = 0.03  # time constant of both averages
H_S = 0.2  # hangover
M_DB = 15.9  # margin between the active level and the threshold
THRESHOLDS = 30  # each half of the one above it, down from the highest that the envelope reaches


def active_level(wave: Sequence[float], sample_rate: int) -> tuple[float, float, float]:
    """Samples -> active level and long-term level in dB re full scale, activity factor in 0..1."""
    mean = math.fsum(wave) / len(wave) if len(wave) > 1 else 0.0
    wave = [x - mean for x in wave]
    g = math.exp(-1 / (sample_rate * T_S))
    hangover = math.ceil(H_S * sample_rate)
    sq = p = q = 0.0
    envelope = []
    for x in wave:
        sq += x * x
        p = g * p + (1 - g) * abs(x)
        q = g * q + (1 - g) * p
        envelope.append(q)

    def activity_count(c: float) -> int:
        a, h = 0, hangover
        for q in envelope:
            if q >= c:
                a, h = a + 1, 0
            elif h < hangover:
                a, h = a + 1, h + 1
        return a

    return _level(sq, len(wave), max(envelope, default=0.0), hangover, activity_count)


def active_level_numpy(wave: np.ndarray, sample_rate: int) -> tuple[float, float, float]:
    """`active_level` of a wave [N], all samples at once."""
    wave = np.asarray(wave, dtype=np.float64)
    wave = wave - math.fsum(wave) / len(wave) if len(wave) > 1 else wave
    if not wave.any():
        return -math.inf, -math.inf, 0.0
    g = math.exp(-1 / (sample_rate * T_S))
    hangover = math.ceil(H_S * sample_rate)
    envelope = np.abs(wave)
    for _ in range(2):
        envelope = lfilter([1 - g], [1, -g], envelope)
    sample = np.arange(len(wave))

    def activity_count(c: float) -> int:
        last_over = np.maximum.accumulate(np.where(envelope >= c, sample, -hangover - 1))
        return int(np.count_nonzero(sample - last_over <= hangover))

    return _level(math.fsum(wave**2), len(wave), envelope.max(), hangover, activity_count)


def _level(
    sq: float, n: int, peak: float, hangover: int, activity_count: Callable[[float], int]
) -> tuple[float, float, float]:
    """Where the level over the samples active at a threshold lies the margin above that threshold."""
    if sq == 0:
        return -math.inf, -math.inf, 0.0
    long_term = 10 * math.log10(sq / n)
    highest = math.floor(math.log2(peak))
    below = None  # level and its height over the threshold below
    for exponent in range(highest - THRESHOLDS, highest + 1):
        a = max(activity_count(2.0**exponent), min(hangover, n))
        level = 10 * math.log10(sq / a)
        height = level - 20 * math.log10(2.0**exponent)
        if height <= M_DB:
            if below:
                level += (below[0] - level) * (M_DB - height) / (below[1] - height)
            break
        below = level, height
    return level, long_term, min(1.0, 10 ** ((long_term - level) / 10))
