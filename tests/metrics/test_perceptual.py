"""What is known of PESQ, STOI and DNSMOS whatever their values: the same wave, its scale, more noise, no speech."""

import math

import numpy as np
import pytest

from drsn_audio.metrics.perceptual import dnsmos, pesq_wb, stoi

RATE = 16000
INSTALL = "pip install 'drsn-audio[enhance]'"


@pytest.fixture(scope="module")
def speech():
    """2 s of syllables: harmonics of a voice that come and go four times a second."""
    time_s = np.arange(2 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * k * time_s) / k for k in range(1, 25))
    return (0.1 * voice * np.maximum(0, np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


@pytest.fixture(scope="module")
def hiss(speech):
    return (0.05 * np.random.default_rng(0).standard_normal(len(speech))).astype(np.float32)


def test_stoi_of_the_same_wave_is_1_at_any_level(speech):
    pytest.importorskip("pystoi", reason=INSTALL)
    assert stoi(speech, speech, RATE) == pytest.approx(1, abs=1e-6)
    assert stoi(speech, 0.01 * speech, RATE) == pytest.approx(1, abs=1e-4)


def test_stoi_falls_with_noise_and_is_none_of_it(speech, hiss):
    pytest.importorskip("pystoi", reason=INSTALL)
    found = [stoi(speech, speech + gain * hiss, RATE) for gain in (0.1, 1, 10)]
    assert 1 > found[0] > found[1] > found[2]
    assert stoi(speech, hiss, RATE) < found[2] + 0.05
    assert stoi(speech, np.zeros_like(speech), RATE) == 0


@pytest.mark.parametrize("size", [100, 400, 3000, 5000])
def test_stoi_of_what_is_too_short_or_silent_is_no_number(speech, size):
    pytest.importorskip("pystoi", reason=INSTALL)
    assert math.isnan(stoi(speech[:size], speech[:size], RATE))
    assert math.isnan(stoi(np.zeros_like(speech), speech, RATE))


def test_pesq_of_the_same_wave_is_the_highest_at_any_level(speech, hiss):
    pytest.importorskip("pesq", reason=INSTALL)
    assert pesq_wb(speech, speech, RATE) == pytest.approx(4.644, abs=0.001)  # where P.862.2 maps 4.5 to
    assert pesq_wb(speech, 0.1 * speech, RATE) == pytest.approx(4.644, abs=0.01)
    found = [pesq_wb(speech, speech + gain * hiss, RATE) for gain in (0.01, 0.1, 1)]
    assert 4.644 > found[0] > found[1] > found[2] > 1


def test_pesq_without_speech_is_no_number(speech):
    pytest.importorskip("pesq", reason=INSTALL)
    silence = np.zeros_like(speech)
    for clean, processed in ((silence, speech), (speech, silence), (speech[:3000], speech[:3000])):
        assert math.isnan(pesq_wb(clean, processed, RATE))


def test_dnsmos_hears_noise_without_the_clean_wave(speech, hiss):
    pytest.importorskip("speechmos", reason=INSTALL)
    pytest.importorskip("librosa", reason=INSTALL)
    clean, noisy = dnsmos(speech, RATE), dnsmos(speech + hiss, RATE)
    assert all(1 <= score <= 5 for score in (*clean, *noisy))
    assert clean.background > noisy.background + 0.5
    # What exceeds full scale is scaled down to it.
    assert dnsmos(100 * speech, RATE) == pytest.approx(dnsmos(speech / np.abs(speech).max(), RATE), abs=1e-3)


def test_what_they_refuse(speech):
    pytest.importorskip("pystoi", reason=INSTALL)
    with pytest.raises(ValueError, match=r"clean \[32000\] and processed \[10\]: give both as \[N\]"):
        stoi(speech, speech[:10], RATE)
    with pytest.raises(ValueError, match="samples are NaN or infinite"):
        stoi(speech, speech * np.float32(np.nan), RATE)


@pytest.mark.parametrize("library", ["pesq", "speechmos"])
def test_models_of_16_khz_refuse_other_rates(speech, library):
    pytest.importorskip(library, reason=INSTALL)
    with pytest.raises(ValueError, match=r"8000 Hz: .* wants 16000 Hz, resample"):
        pesq_wb(speech, speech, 8000) if library == "pesq" else dnsmos(speech, 8000)
