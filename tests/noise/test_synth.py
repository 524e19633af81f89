"""Synthesised noise: repeatable, of any length, at its level, rich, never the same place twice."""

import numpy as np
import pytest
from scipy.signal import welch

from drsn_audio.noise.level import rms_db
from drsn_audio.noise.scene import Place, record, scatter
from drsn_audio.noise.synth import SYNTHETIC_NOISES
from drsn_audio.noise.texture import PERIOD, bouts, colour_filter, coloured_noise, one_period, read_period
from drsn_audio.noise.vehicles import pass_by

from ..calls import calls_of

RATE = 16000
KINDS = sorted(SYNTHETIC_NOISES)
PLACES = ["factory", "street"]


def octave_levels(wave: np.ndarray) -> np.ndarray:
    """Density in dB in the octaves around 125, 500, 2000 and 6000 Hz."""
    frequency_hz, power = welch(wave, RATE, nperseg=1024)
    bands = [power[(frequency_hz > f / 1.4) & (frequency_hz < f * 1.4)].mean() for f in (125, 500, 2000, 6000)]
    return 10 * np.log10(bands)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_level_and_range(kind, seed):
    wave = SYNTHETIC_NOISES[kind](2 * RATE, RATE, seed)
    assert wave.dtype == np.float32
    assert wave.shape == (2 * RATE,)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() < 1
    assert rms_db(wave) == pytest.approx(-26, abs=0.5)
    assert wave.std() > 0.99 * np.sqrt(np.mean(wave**2))  # hardly any offset


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("num_samples", [1, 2, 399, 7001])
def test_any_length_at_any_rate(kind, sample_rate, num_samples):
    wave = SYNTHETIC_NOISES[kind](num_samples, sample_rate, 3)
    assert wave.shape == (num_samples,)
    assert np.isfinite(wave).all()
    assert wave.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_a_place(kind):
    make = SYNTHETIC_NOISES[kind]
    assert np.array_equal(make(RATE, RATE, 5), make(RATE, RATE, 5))
    assert not np.array_equal(make(RATE, RATE, 5), make(RATE, RATE, 6))
    np.random.seed(0)
    first = make(RATE, RATE, 5)
    np.random.seed(1)
    assert np.array_equal(first, make(RATE, RATE, 5))


@pytest.mark.parametrize("kind", PLACES)
def test_places_differ_in_colour_and_are_louder_at_the_bottom(kind):
    spectra = np.array([octave_levels(SYNTHETIC_NOISES[kind](2 * RATE, RATE, seed)) for seed in range(30)])
    relative = spectra - spectra.max(axis=1, keepdims=True)
    # The recordings of UrbanSound8K: 10 to 90 % span 25 to 40 dB at the top, medians fall by 20 to 40 dB.
    low, middle, high = np.percentile(relative[:, 3], [10, 50, 90])
    assert high - low > 15
    assert -45 < middle < -10
    assert np.median(relative[:, 0]) > np.median(relative[:, 2])


@pytest.mark.parametrize("kind", PLACES)
def test_noise_is_not_stationary(kind):
    swings_db = []
    for seed in range(20):
        frames = SYNTHETIC_NOISES[kind](4 * RATE, RATE, seed).reshape(40, -1)
        swings_db.append(np.std(20 * np.log10(np.sqrt(np.mean(frames**2, axis=1)) + 1e-6)))
    # Stationary Gaussian noise of this bandwidth has about 0.2 dB over 100 ms.
    assert np.median(swings_db) > 0.8
    assert np.max(swings_db) > 4


@pytest.mark.parametrize("kind", KINDS)
def test_cheap_enough_to_train_on(kind):
    """numpy makes the samples: Python is called a few thousand times for 20 s, not for each of 320,000."""
    SYNTHETIC_NOISES[kind](RATE, RATE, 0)  # imports what it needs
    assert calls_of(lambda: SYNTHETIC_NOISES[kind](20 * RATE, RATE, 0)) < 20_000


def test_long_noise_is_joined_from_takes_without_a_gap():
    hiss = Place([(0.0, lambda num_samples, rng: rng.standard_normal(num_samples))], np.ones(1))
    wave = record(hiss, 125 * 1000, 1000, np.random.default_rng(0))
    seconds = [rms_db(second) for second in wave.reshape(125, -1)]
    assert seconds == pytest.approx([-26] * 125, abs=0.7)
    assert abs(np.corrcoef(wave[:60_000], wave[60_000:120_000])[0, 1]) < 0.02


@pytest.mark.parametrize(("num_samples", "sample_rate"), [(0, RATE), (-1, RATE), (100, 4000)])
def test_what_cannot_be_made_is_refused(num_samples, sample_rate):
    with pytest.raises(ValueError, match="at least 1"):
        SYNTHETIC_NOISES["street"](num_samples, sample_rate, 0)


def test_doppler_shift_of_a_pass():
    # At a tenth of the speed of sound: 1000 / 0.9 = 1111 Hz coming, 1000 / 1.1 = 909 Hz going.
    seconds = np.arange(-20, 20, 1 / RATE)
    amplitude, left_s = pass_by(seconds, nearest_m=10.0, speed_m_s=34.3)
    heard_hz = 1000 * np.diff(left_s) * RATE
    assert heard_hz[0] == pytest.approx(1111.1, abs=0.5)
    assert heard_hz[-1] == pytest.approx(909.1, abs=0.5)
    assert amplitude.max() == pytest.approx(1)
    # Ten times as far is 20 dB less: sound that left at sqrt(100^2 - 10^2) / 34.3 = 2.9008 s.
    assert np.interp(2.9008, left_s, amplitude) == pytest.approx(0.1, abs=1e-3)


def test_coloured_noise_follows_its_curve():
    rng = np.random.default_rng(0)
    noise = coloured_noise(20 * RATE, colour_filter([(500, 0), (4000, -30)], RATE), rng)
    assert rms_db(noise) == pytest.approx(0, abs=0.3)
    frequency_hz, power = welch(noise, RATE, nperseg=1024)
    levels_db = 10 * np.log10(np.interp([300, 1000, 2000, 4000, 7000], frequency_hz, power))
    assert levels_db - levels_db[0] == pytest.approx([0, -10, -20, -30, -30], abs=1.5)


def test_a_stored_period_reads_as_its_harmonics():
    period = one_period(np.array([0.0, 1.0]), np.random.default_rng(0))
    assert period.shape == (PERIOD,)
    wave = read_period(period, 100 * np.arange(RATE) / RATE - 7.3)
    spectrum = np.abs(np.fft.rfft(wave)) / RATE * 2
    assert spectrum[200] == pytest.approx(np.sqrt(2), abs=1e-4)  # RMS 1, the second harmonic of 100 Hz
    assert np.delete(spectrum, 200).max() < 1e-4


def test_bouts_are_on_for_their_share():
    curve = bouts(1000 * 600, 1000, on_s=2.0, off_s=1.0, edge_s=0.05, rng=np.random.default_rng(0))
    assert curve.min() == 0
    assert curve.max() == 1
    assert curve.mean() == pytest.approx(2 / 3, abs=0.06)


def test_scattered_events_are_as_frequent_as_asked_and_may_begin_before():
    def one(seconds, rng):
        return np.ones_like(seconds)

    # One in 2 s, each 1 s long: on average half an event at any time, the first second included.
    rng = np.random.default_rng(0)
    waves = np.array([scatter(500, 100, 2.0, 1.0, one, rng) for _ in range(2000)])
    assert waves.mean() == pytest.approx(0.5, abs=0.05)
    assert waves[:, :50].mean() == pytest.approx(0.5, abs=0.06)
