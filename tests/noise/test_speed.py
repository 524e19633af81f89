"""Speed is pitch and length; what a recording cannot hold at its new speed does not fold back."""

from fractions import Fraction

import numpy as np
import pytest

from drsn_audio.noise.speed import change_speed

RATE = 16000


def tone(hz: float, samples: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(samples) / RATE).astype(np.float32)


def strongest(wave: np.ndarray, inside: slice = slice(400, -400)) -> tuple[float, float]:
    """Frequency of the strongest line in Hz, and of all others the strongest in dB re full scale."""
    window = np.blackman(len(wave[inside]))
    spectrum = 2 * np.abs(np.fft.rfft(wave[inside] * window)) / window.sum()
    hz = np.fft.rfftfreq(len(window), 1 / RATE)
    peak = hz[spectrum.argmax()]
    return peak, 20 * np.log10(spectrum[np.abs(hz - peak) > 20].max())


def test_speed_one_is_the_recording_itself():
    wave = tone(440)
    assert change_speed(wave, Fraction(1)) is wave


@pytest.mark.parametrize("speed", [Fraction(88, 100), Fraction(97, 100), Fraction(5, 4), Fraction(4, 5)], ids=str)
@pytest.mark.parametrize("hz", [100, 1000, 5000])
def test_a_tone_changes_pitch_and_length_and_nothing_is_added(speed, hz):
    faster = change_speed(tone(hz), speed)
    assert faster.dtype == np.float32
    assert len(faster) == -(-RATE * speed.denominator // speed.numerator)
    peak, rest_db = strongest(faster)
    assert peak == pytest.approx(hz * float(speed), abs=2)
    assert rest_db < -65
    assert np.abs(faster[400:-400]).max() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("hz", [6700, 7200, 7800])
def test_what_lies_over_half_the_rate_is_gone(hz):
    assert np.abs(change_speed(tone(hz), Fraction(5, 4))[400:-400]).max() < 1e-3


@pytest.mark.parametrize("samples", [1, 2, 87, 88, 89, 1000])
def test_short_recordings_and_their_places(samples):
    """Samples lie where they should: a slow tone, sampled anew, from the first sample to the last."""
    long = tone(20, 16000)
    speed = Fraction(22, 25)
    out = change_speed(long[:samples], speed)
    assert len(out) == -(-samples * 25 // 22)
    if samples == 1000:
        expected = np.sin(2 * np.pi * 20 * np.arange(len(out)) * float(speed) / RATE)
        np.testing.assert_allclose(out[30:-30], expected[30:-30], atol=2e-3)
