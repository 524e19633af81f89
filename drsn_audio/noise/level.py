"""Levels of speech and noise: RMS, and the active speech level of ITU-T P.56."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from drsn_audio.errors import InputError

TIME_CONSTANT_S = 0.03
HANGOVER_S = 0.2
MARGIN_DB = 15.9


class ActiveLevel(NamedTuple):
    """`active_db` and `rms_db` in dB re full scale (20 log10 of the RMS), `activity` in 0..1."""

    active_db: float
    rms_db: float
    activity: float


def rms_db(wave: np.ndarray) -> float:
    """Wave [N] -> level in dB re full scale: 0 for a square wave of amplitude 1, -inf for silence.

    Raises:
        InputError: not one-dimensional, or NaN or infinite samples.
    """
    power = _mean_square(wave)
    return 10 * math.log10(power) if power > 0 else -math.inf


def active_level(wave: np.ndarray, sample_rate: int) -> ActiveLevel:
    """Active speech level of a wave [N], ITU-T P.56 (12/2011) method B: the RMS without the pauses.

    The active level over a threshold is sought that exceeds the threshold by 15.9 dB, interpolating between
    thresholds a factor of two apart. On clips of a second, where a syllable more or less may hang on that, a
    gain that is no power of two moves the level of some by a dB or two more. What the standard leaves open:

    - The thresholds are all powers of two, not sixteen of them, so the level may be as low as float32 holds.
    - Activity lasts for 0.2 s at least, or to the ends of a shorter clip, whose envelope has no time to rise.
    - Where no threshold is that close (a lone click), the highest that the envelope reaches counts.

    Returns:
        active_db is -inf and activity 0 for a wave that is empty or digitally silent.

    Raises:
        InputError: not one-dimensional, NaN or infinite samples, or a sample rate that is not positive.
    """
    if sample_rate <= 0:
        raise InputError(f"sample_rate is {sample_rate}: give it in Hz")
    long_term_db = rms_db(wave)
    if long_term_db == -math.inf:
        return ActiveLevel(-math.inf, -math.inf, 0.0)
    envelope = _envelope(wave, sample_rate)

    # No level lies below the RMS, so thresholds more than the margin below it cannot be the answer.
    lowest = math.floor((long_term_db - MARGIN_DB) / (20 * math.log10(2)))
    highest = math.floor(math.log2(envelope.max()))
    before = None
    for exponent in range(min(lowest, highest), highest + 1):
        threshold_db = 20 * exponent * math.log10(2)
        active = _active_samples(envelope, 2.0**exponent, math.ceil(HANGOVER_S * sample_rate))
        level_db = long_term_db + 10 * math.log10(wave.size / active)
        above_db = level_db - threshold_db
        if above_db <= MARGIN_DB:
            if before is not None:
                share = (before[1] - MARGIN_DB) / (before[1] - above_db)
                level_db = before[0] + share * (level_db - before[0])
            break
        before = level_db, above_db
    return ActiveLevel(level_db, long_term_db, min(1.0, 10 ** ((long_term_db - level_db) / 10)))


def speech_level_db(wave: np.ndarray, sample_rate: int, method: str = "p56") -> float:
    """Level of a speech wave [N] in dB re full scale by "p56" (active speech only) or "rms" (all of it)."""
    if method == "p56":
        return active_level(wave, sample_rate).active_db
    if method == "rms":
        return rms_db(wave)
    raise InputError(f"no level method {method!r}: choose p56 or rms")


def _mean_square(wave: np.ndarray) -> float:
    if wave.ndim != 1:
        raise InputError(f"a wave of shape {wave.shape}: give one channel, [N]")
    if wave.size == 0:
        return 0.0
    samples = wave.astype(np.float64, copy=False)
    # np.dot would start BLAS threads, which wait for each other on a busy machine.
    power = float(np.einsum("i,i->", samples, samples)) / wave.size
    if not math.isfinite(power):
        raise InputError("the wave holds NaN or infinite samples: repair it")
    return power


def _envelope(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Two exponential averages of |wave| in a row, float64 [N]."""
    keep = math.exp(-1 / (sample_rate * TIME_CONSTANT_S))
    once = lfilter([1 - keep], [1, -keep], np.abs(wave.astype(np.float64, copy=False)))
    return lfilter([1 - keep], [1, -keep], once)


def _active_samples(envelope: np.ndarray, threshold: float, hangover: int) -> int:
    """How many samples are at or over the threshold, or at most `hangover` samples after one that is."""
    over = np.flatnonzero(envelope >= threshold)
    held = np.minimum(np.diff(over, append=envelope.size), hangover + 1)
    return max(int(held.sum()), min(hangover, envelope.size))
