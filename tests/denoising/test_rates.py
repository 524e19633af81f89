"""Sound of any rate: as many samples as there were, each in its place, above the model's band, too."""

import numpy as np
import pytest

from drsn_audio.denoising.rates import at_rate
from drsn_audio.streaming.cleaning import Cleaner

from .conftest import BINS, HOP, RATE, FixedGains, hiss

RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def through(gain, sample_rate, wave, *sizes, channels=1):
    """Samples [N] or [N, C] in chunks of these sizes, the last one again and again."""
    sound = at_rate(Cleaner(FixedGains(gain, channels)), sample_rate)
    given, at, turn = [], 0, 0
    samples = wave.reshape(len(wave), channels)
    while at < len(wave):
        size = sizes[min(turn, len(sizes) - 1)]
        given.append(sound.feed(samples[at : at + size]))
        at, turn = at + size, turn + 1
    given.append(sound.flush())
    return np.concatenate(given).reshape(wave.shape)


def tone(hz, sample_rate, seconds=0.5):
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * time_s) * np.hanning(len(time_s))).astype(np.float32)


def chirp(sample_rate, seconds=0.5):
    """From 100 Hz to 0.48 of the rate, above the model's band where there is such."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    phase = 2 * np.pi * (100 * time_s + (0.48 * sample_rate - 100) * time_s**2 / (2 * seconds))
    return (0.5 * np.sin(phase) * np.hanning(len(time_s))).astype(np.float32)


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("size", [1, 2, 401, 4801])
def test_as_many_samples_come_back_in_their_places(sample_rate, size):
    for wave in (hiss(size, seed=size), chirp(sample_rate)):
        assert through(lambda _: 1.0, sample_rate, wave, 1000) == pytest.approx(wave, abs=1e-4)


@pytest.mark.parametrize("sample_rate", RATES)
def test_what_the_model_gives_is_in_its_place(sample_rate):
    """Without the upper quarter of what it hears nothing but the resampled output of the model is left."""
    upper = int(0.6 * 256 * min(1.0, sample_rate / RATE))
    gains = np.where(np.arange(BINS) < upper, 1.0, 0.0)
    low = tone(700, sample_rate)
    assert through(lambda _: gains, sample_rate, low, 999) == pytest.approx(low, abs=1e-3)
    high = tone(0.46 * min(sample_rate, RATE), sample_rate)  # which is in the quarter
    assert np.abs(through(lambda _: gains, sample_rate, low + high, 999) - low).max() < 0.01
    gone = np.zeros(BINS)
    assert np.abs(through(lambda _: gone, sample_rate, low + high, 999)).max() < 1e-6


@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
def test_above_the_band_sound_has_the_mean_gain_of_the_upper_quarter(sample_rate):
    gains = np.concatenate([np.zeros(192), np.full(33, 0.2), np.full(32, 0.6)])  # from 6 kHz on, mean 0.397
    high = tone(9500, sample_rate)
    mean = (33 * 0.2 + 32 * 0.6) / 65
    assert through(lambda _: gains, sample_rate, high, 800) == pytest.approx(mean * high, abs=1e-3)


def test_its_gain_changes_over_time_in_its_place():
    """Open up to frame 24, closed from 25 on: half of it between their middles, 256 samples of 16 kHz apart."""
    wave = np.full(24000, 0.5, np.float32) * np.where(np.arange(24000) % 2, 1, -1)  # 24 kHz, at 48 kHz
    made = through(lambda frame: float(frame < 25), 48000, wave.astype(np.float32), 5000)
    share = made / wave
    middle = 24 * HOP * 3  # of frame 24, in samples of 48 kHz: it ends with sample 25 * 256, and is 512 long
    assert share[3000:middle] == pytest.approx(1, abs=1e-3)
    assert share[middle : middle + 3 * HOP] == pytest.approx(1 - np.arange(3 * HOP) / (3 * HOP), abs=1e-3)
    assert share[middle + 3 * HOP : -100] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("sample_rate", RATES)
def test_any_chunks_give_the_same_and_channels_are_apart(sample_rate):
    wave = hiss(2500, seed=1, channels=2)
    wave[:, 1] = 0

    def gain(frame):
        return 0.3 + 0.5 * (frame % 3 == 0)

    whole = through(gain, sample_rate, wave, 2500, channels=2)
    assert through(gain, sample_rate, wave, 1, 700, 13, channels=2) == pytest.approx(whole, abs=1e-6)
    assert not whole[:, 1].any()
    assert whole[:, 0] == pytest.approx(through(gain, sample_rate, wave[:, 0], 2500), abs=1e-6)


def test_no_samples_give_none():
    for sample_rate in RATES:
        assert through(lambda _: 1.0, sample_rate, np.zeros(0, np.float32), 10).shape == (0,)
