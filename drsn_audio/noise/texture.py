"""What synthesised noise is made of: coloured noise, slow drifts, bouts, and tones read from one period.

Everything here is at an RMS of about 1, float64, and draws from the generator that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.fft import next_fast_len

PERIOD = 8192  # samples of a stored period, a power of two


def convolve(wave: np.ndarray, filter: np.ndarray, mode: str = "full") -> np.ndarray:
    """Convolution by overlap and add; modes as numpy's."""
    from scipy.signal import oaconvolve  # imports half of scipy: half a second

    return oaconvolve(wave, filter, mode=mode)


def decibels(level_db: Any) -> Any:
    """dB -> factor on amplitudes."""
    return 10 ** (np.asarray(level_db) / 20)


def colour_filter(curve: Sequence[tuple[float, float]], sample_rate: int) -> np.ndarray:
    """Points (Hz, dB), joined over log frequency -> FIR [62 ms] that gives white noise that spectrum.

    Its energy is 1. Beyond the outermost points the curve goes on level.
    """
    taps = next_fast_len(sample_rate // 16)
    frequency_hz = np.fft.rfftfreq(taps, 1 / sample_rate)
    points_hz, points_db = zip(*curve, strict=True)
    log_hz = np.log(np.maximum(frequency_hz, 1.0))
    magnitude = decibels(np.interp(log_hz, np.log(points_hz), points_db))
    fir = np.roll(np.fft.irfft(magnitude, taps), taps // 2) * np.hanning(taps)
    return fir / np.sqrt(np.sum(fir**2))


def coloured_noise(num_samples: int, fir: np.ndarray, rng: Generator) -> np.ndarray:
    """Gaussian noise [N] with the spectrum of a `colour_filter`."""
    white = rng.standard_normal(num_samples + len(fir) - 1, dtype=np.float32)
    return convolve(white, fir.astype(np.float32), mode="valid")


def drift(num_samples: int, sample_rate: int, period_s: float, rng: Generator) -> np.ndarray:
    """A wandering curve [N] around 0, standard deviation about 1, that turns every period_s or so."""
    knots = rng.standard_normal(int(num_samples / sample_rate / period_s) + 3)
    place = (np.arange(num_samples) / sample_rate + period_s * rng.random()) / period_s
    return 1.22 * np.interp(place, np.arange(len(knots)), knots)


def bouts(num_samples: int, sample_rate: int, on_s: float, off_s: float, edge_s: float, rng: Generator) -> np.ndarray:
    """Work (1) and rest (0) in turn: a curve [N]; on_s and off_s are averages, edge_s the way between."""
    end_s = num_samples / sample_rate
    busy = rng.random() < on_s / (on_s + off_s)
    times, values = [-edge_s], [float(busy)]
    time = float(rng.uniform(0, on_s if busy else off_s))
    while time < end_s:
        times += [time, time + edge_s]
        values += [float(busy), float(not busy)]
        busy = not busy
        time += edge_s + (on_s if busy else off_s) * rng.uniform(0.3, 1.7)
    return np.interp(np.arange(num_samples) / sample_rate, times, values)


def one_period(amplitudes: np.ndarray, rng: Generator) -> np.ndarray:
    """Amplitudes of harmonics 1, 2, ... -> one period [PERIOD], RMS 1, with random phases."""
    spectrum = np.zeros(PERIOD // 2 + 1, dtype=complex)
    spectrum[1 : len(amplitudes) + 1] = amplitudes * np.exp(2j * np.pi * rng.random(len(amplitudes)))
    period = np.fft.irfft(spectrum)
    return period / max(float(np.sqrt(np.mean(period**2))), 1e-12)


def read_period(period: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """The tone at phases [N] counted in cycles: whatever the phase does, every harmonic follows it."""
    place = cycles * PERIOD
    whole = np.floor(place)
    index = whole.astype(np.intp) & (PERIOD - 1)
    rise = np.roll(period, -1) - period
    return period[index] + (place - whole) * rise[index]


def log_uniform(low: float, high: float, rng: Generator) -> float:
    """A number between low and high, every octave as likely as any other."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def harmonics_below(nyquist_hz: float, highest_hz: float, most: int = PERIOD // 8) -> np.ndarray:
    """1, 2, ... for the harmonics of a tone that rises to highest_hz, as many as fit under nyquist_hz."""
    return np.arange(1, int(np.clip(0.95 * nyquist_hz / highest_hz, 1, most)) + 1)


def running_cycles(frequency_hz: np.ndarray, sample_rate: int, rng: Generator) -> np.ndarray:
    """Frequency [N] in Hz -> phase [N] in cycles, from a random start."""
    return rng.random() + np.cumsum(frequency_hz) / sample_rate
