"""Power and log spectrogram: against librosa and by hand."""

import numpy as np
import pytest
import torch

from drsn_audio.config import FrontendConfig
from drsn_audio.frontends import LogSpectrogram, Spectrogram
from drsn_audio.frontends.linear import FLOOR

RATE = 16000


def test_power_agrees_with_librosa(signal, librosa_power):
    expected = librosa_power(signal, FrontendConfig())[1:]  # bin 0 lies under f_min_hz
    power = Spectrogram(FrontendConfig())(torch.from_numpy(signal)[None])[0][0, 0].numpy()
    np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-9 * max(1.0, expected.max()))


def test_log_agrees_with_librosa(signal, librosa_power):
    expected = np.log(librosa_power(signal, FrontendConfig())[1:] + FLOOR)
    spectrogram = LogSpectrogram(FrontendConfig())(torch.from_numpy(signal)[None])[0][0, 0].numpy()
    loud = expected > expected.max() - np.log(1e8)  # 80 dB below the loudest single precision ends
    np.testing.assert_allclose(spectrogram[loud], expected[loud], rtol=0, atol=0.02)


def test_power_of_a_full_scale_sine_by_hand():
    """On a bin's centre the periodic Hann window gives |X| = amplitude * window / 4: bin 32 of 31.25 Hz each."""
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)[None]
    power = Spectrogram(FrontendConfig())(tone)[0][0, 0]
    assert power[31, 10].item() == pytest.approx((512 / 4) ** 2, rel=1e-3)  # the first bin kept is bin 1
    assert set(power[:, :90].argmax(0).tolist()) == {31}


@pytest.mark.parametrize(
    ("f_min_hz", "f_max_hz", "rate", "first_hz", "bins"),
    [(20, 8000, 16000, 31.25, 256), (0, 8000, 16000, 0, 257), (300, 3400, 16000, 312.5, 99), (0, 4000, 8000, 0, 129)],
)
def test_bins_are_those_within_the_band(f_min_hz, f_max_hz, rate, first_hz, bins):
    config = FrontendConfig(f_min_hz=f_min_hz, f_max_hz=f_max_hz, sample_rate=rate)
    frontend = Spectrogram(config)
    assert frontend.first * 31.25 == first_hz
    assert frontend.bins == bins == frontend(torch.zeros(1, 500))[0].shape[2]
