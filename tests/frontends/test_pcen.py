"""PCEN: against librosa, by hand, and what it is for."""

import librosa
import numpy as np
import pytest
import torch

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends import Pcen
from drsn_audio.frontends.mel import MELS
from drsn_audio.frontends.pcen import pcen, smooth_power
from drsn_audio.smoothing import share_of_frame

RATE = 16000
FLOOR = MELS["htk"][1]


def spectrogram(wave: np.ndarray | torch.Tensor, config: FrontendConfig = FrontendConfig()) -> np.ndarray:  # noqa: B008
    return Pcen(config)(torch.as_tensor(wave)[None])[0][0, 0].detach().numpy()


def test_agrees_with_librosa(signal, librosa_mel):
    power, share = librosa_mel(signal, FrontendConfig()), share_of_frame(400, 10)
    begin = (1 - share) * power[:, :1]  # as its state was before the first frame
    expected = librosa.pcen(power, b=share, gain=0.98, bias=2, power=0.5, eps=FLOOR, zi=begin)
    np.testing.assert_allclose(spectrogram(signal), expected, rtol=1e-3, atol=1e-3)


def test_by_hand():
    """Power 6 over an average of 3: 6 / 3 + 2 = 4, its root 2, less the root of 2."""
    values = (torch.full((1, 1, 1), value) for value in (6.0, 3.0, 1.0, 2.0, 0.5))
    power, smoothed, gain, bias, exponent = values
    assert pcen(power, smoothed, gain, bias, exponent, floor=0.0).item() == pytest.approx(2 - np.sqrt(2))


def test_the_average_by_hand():
    """It begins with the first frame, then moves a quarter of the way to each next one; or from what is given."""
    power, share = torch.tensor([[[4.0, 8.0, 0.0]]]), torch.full((1, 1), 0.25)
    assert smooth_power(power, share).flatten().tolist() == [4.0, 5.0, 3.75]
    assert smooth_power(power, share, torch.zeros(1, 1, 1)).flatten().tolist() == [1.0, 2.75, 2.0625]


def test_silence_gives_zero(signals):
    assert not spectrogram(signals["silence"]).any()


def test_loudness_hardly_matters(signals):
    """The same sound 20 dB lower, 4.6 less in every bin of a log-mel spectrogram, changes next to nothing here."""
    quiet, loud = spectrogram(signals["noise"] * np.float32(0.1)), spectrogram(signals["noise"])
    np.testing.assert_allclose(quiet, loud, rtol=0.1)


def test_what_begins_stands_out_and_what_stays_fades():
    """A tone of constant level, from 0.5 s on in faint noise, is most prominent where it begins."""
    time = torch.arange(2 * RATE) / RATE
    generator = torch.Generator().manual_seed(0)
    wave = 1e-3 * torch.randn(2 * RATE, generator=generator) + (time >= 0.5) * 0.1 * torch.sin(2000 * torch.pi * time)
    band = spectrogram(wave)[13]  # of 1 kHz
    assert band[50:55].max() > 4 * band[:45].max()
    assert band[50:55].max() > 4 * band[150:190].mean()


def test_every_value_is_learned():
    """Gain, bias, exponent and smoothing have gradients that agree with differences, each band of its own."""
    frontend = Pcen(FrontendConfig(n_mels=4)).double()
    power = torch.rand(2, 4, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = [p.detach().requires_grad_() for p in frontend.parameters()]
    assert [tuple(value.shape) for value in values] == [(4, 1)] * 4

    def function(share_logit, log_gain, log_bias, log_exponent):
        smoothed = smooth_power(power, share_logit.sigmoid())
        return pcen(power, smoothed, log_gain.exp(), log_bias.exp(), log_exponent.exp(), FLOOR)

    assert torch.autograd.gradcheck(function, values)


def test_a_time_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="smoothing_ms=0: give milliseconds, more than 0"):
        Pcen(FrontendConfig(smoothing_ms=0))
