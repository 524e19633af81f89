"""Gaussian, Laplacian and pink noise are what their names say."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import welch
from scipy.stats import kurtosis

from drsn_audio.errors import InputError
from drsn_audio.noise.colour import gaussian_noise, laplacian_noise, pink_noise
from drsn_audio.noise.level import rms_db

RATE = 16000
N = 20 * RATE
WHITE = [gaussian_noise, laplacian_noise]


def bands_db(wave: np.ndarray, edges_hz: list[float]) -> np.ndarray:
    """Density in dB, averaged between each edge and the next."""
    frequency_hz, power = welch(wave, RATE, nperseg=8192)
    return 10 * np.log10(
        [power[(frequency_hz >= low) & (frequency_hz < high)].mean() for low, high in pairwise(edges_hz)]
    )


@pytest.mark.parametrize(("make", "excess"), [(gaussian_noise, 0.0), (laplacian_noise, 3.0), (pink_noise, 0.0)])
def test_kurtosis(make, excess):
    assert kurtosis(make(N, RATE, 0)) == pytest.approx(excess, abs=0.25)


@pytest.mark.parametrize("make", WHITE)
def test_white_noise_is_flat_and_knows_nothing_of_its_past(make):
    wave = make(N, RATE, 0)
    levels_db = bands_db(wave, [50, 500, 2000, 4000, 6000, 7900])
    assert np.ptp(levels_db) < 0.4
    power = np.mean(wave**2)
    for lag in (1, 2, 7, 160):
        assert abs(np.mean(wave[lag:] * wave[:-lag]) / power) < 4 / np.sqrt(N)


def test_pink_noise_falls_by_three_decibels_an_octave():
    octaves_hz = [50 * 2**n for n in range(8)]  # to 6.4 kHz
    levels_db = bands_db(pink_noise(N, RATE, 0), [*octaves_hz, 7990])
    assert np.diff(levels_db[:-1]) == pytest.approx(np.full(6, -3.01), abs=0.5)
    # The slope over all of it: the last band, from 6.4 to 8 kHz, is 7.15 octaves above the first.
    centres = np.log2([np.sqrt(low * high) for low, high in zip(octaves_hz, [*octaves_hz[1:], 7990], strict=True)])
    assert np.polyfit(centres, levels_db, 1)[0] == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("make", [*WHITE, pink_noise])
def test_level_whatever_the_rate_and_length(make):
    for rate in (8000, 16000, 48000):
        assert rms_db(make(5 * rate, rate, 1)) == pytest.approx(-26, abs=0.4)
    short = [np.mean(make(100, RATE, seed) ** 2) for seed in range(300)]
    assert 10 * np.log10(np.mean(short)) == pytest.approx(-26, abs=1)


def test_a_laplacian_tail_is_held_below_full_scale(monkeypatch):
    monkeypatch.setattr("drsn_audio.noise.colour.AMPLITUDE", 0.5)  # else one would have to wait for 10^12 samples
    wave = laplacian_noise(N, RATE, 0)
    assert np.abs(wave).max() == pytest.approx(0.999)


@pytest.mark.parametrize("make", [*WHITE, pink_noise])
def test_nothing_is_refused(make):
    with pytest.raises(InputError, match="at least 1"):
        make(0, RATE, 0)
