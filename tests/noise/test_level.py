"""Levels against the standard, sample by sample, and against signals whose level is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.noise.level import active_level, rms_db, speech_level_db

RATE = 8000


def reference_level(wave: np.ndarray, sample_rate: int) -> float:
    """ITU-T P.56 (12/2011) method B as it is written: sample by sample, thresholds 2^-15 .. 2^-1."""
    g = math.exp(-1 / (sample_rate * 0.03))
    hangover = math.ceil(0.2 * sample_rate)
    thresholds = [2.0**e for e in range(-15, 0)]
    counts, quiet_for = [0] * 15, [hangover] * 15
    p = q = energy = 0.0
    for x in wave.tolist():
        energy += x * x
        p = g * p + (1 - g) * abs(x)
        q = g * q + (1 - g) * p
        for j, threshold in enumerate(thresholds):
            if q >= threshold:
                counts[j] += 1
                quiet_for[j] = 0
            elif quiet_for[j] < hangover:
                counts[j] += 1
                quiet_for[j] += 1
    before = None
    for count, threshold in zip(counts, thresholds, strict=True):
        level, height = 10 * math.log10(energy / count), 20 * math.log10(threshold)
        if level - height <= 15.9:
            (level_0, height_0) = before
            share = (level_0 - height_0 - 15.9) / ((level_0 - height_0) - (level - height))
            return level_0 + share * (level - level_0)
        before = level, height
    raise AssertionError("no threshold is within the margin")


def speech_like(seed: int, seconds: float = 2.0) -> np.ndarray:
    """Noise in syllables and pauses."""
    rng = np.random.default_rng(seed)
    gate = np.repeat(rng.random(round(seconds * 10)) < 0.5, RATE // 10)
    gate[: RATE // 2] = True
    return 0.1 * gate * rng.standard_normal(gate.size)


def tone(seconds: float, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_standard_sample_by_sample(seed):
    wave = speech_like(seed)
    assert active_level(wave, RATE).active_db == pytest.approx(reference_level(wave, RATE), abs=1e-9)


def test_a_long_burst_in_silence_has_the_level_of_the_burst():
    burst = 0.1 * np.random.default_rng(0).standard_normal(30 * RATE)
    wave = np.concatenate([np.zeros(35 * RATE), burst, np.zeros(35 * RATE)])
    level = active_level(wave, RATE)
    assert level.active_db == pytest.approx(rms_db(burst), abs=0.1)
    assert level.rms_db == pytest.approx(rms_db(burst) - 5.23, abs=0.01)  # 10 log10(0.3)
    assert level.activity == pytest.approx(0.3, abs=0.005)


def test_a_tone_has_the_level_of_its_amplitude():
    # 0.5 / sqrt(2) is -9.03 dB.
    level = active_level(tone(10.0), RATE)
    assert level.active_db == pytest.approx(-9.03, abs=0.02)
    assert level.activity == pytest.approx(1, abs=0.005)


@settings(max_examples=20, deadline=None)
@given(gain_db=st.floats(-650, 400))
def test_a_gain_moves_the_level_by_itself_however_quiet(gain_db):
    # 0.1 dB: the interpolation starts from other thresholds.
    wave = speech_like(1)
    louder = active_level(wave * 10 ** (gain_db / 20), RATE)
    assert louder.active_db - active_level(wave, RATE).active_db == pytest.approx(gain_db, abs=0.1)


def test_a_gain_of_two_moves_the_level_exactly():
    wave = speech_like(2)
    expected = active_level(wave, RATE).active_db + 20 * math.log10(2)
    assert active_level(2 * wave, RATE).active_db == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seconds", [0.025, 0.05, 0.1, 0.2, 0.5, 1.0])
def test_a_short_tone_has_about_its_own_level(seconds):
    level = active_level(tone(seconds), RATE)
    assert level.active_db == pytest.approx(-9.03, abs=0.6)
    assert 0.85 < level.activity <= 1


def test_one_sample_counts_as_active():
    assert active_level(np.array([0.5]), RATE) == pytest.approx((-6.02, -6.02, 1.0), abs=0.01)


def test_a_click_is_active_for_the_hangover_and_the_top_of_its_envelope():
    # Its energy of 1 spread over 0.2 s = 1600 samples is -32.04 dB, over 0.28 s -33.5 dB.
    wave = np.zeros(RATE)
    wave[RATE // 2] = 1
    assert -33.5 < active_level(wave, RATE).active_db < -32.04


@pytest.mark.parametrize("wave", [np.zeros(RATE), np.zeros(0), np.zeros(1, np.float32)])
def test_silence_has_no_level(wave):
    assert active_level(wave, RATE) == (-math.inf, -math.inf, 0.0)


def test_never_below_the_rms():
    for seed in range(20):
        level = active_level(speech_like(seed, 1.0), RATE)
        assert level.active_db >= level.rms_db - 1e-9


def test_methods():
    wave = speech_like(0)
    assert speech_level_db(wave, RATE) == active_level(wave, RATE).active_db
    assert speech_level_db(wave, RATE, "rms") == rms_db(wave)
    with pytest.raises(ValueError, match="p56 or rms"):
        speech_level_db(wave, RATE, "peak")


def test_what_has_no_level_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        active_level(np.array([0.1, np.nan]), RATE)
    with pytest.raises(ValueError, match="one channel"):
        active_level(np.zeros((2, 10)), RATE)
    with pytest.raises(ValueError, match="sample_rate"):
        active_level(np.ones(10), 0)


def test_rms_of_a_square_wave_is_its_amplitude():
    assert rms_db(np.array([1.0, -1.0, 1.0, -1.0])) == 0
    assert rms_db(np.float32([0.1, -0.1])) == pytest.approx(-20, abs=1e-5)
