"""Causal normalisation: by hand, against a loop, and what it takes away."""

import math

import pytest
import torch

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends import FRONTENDS, LogMel
from drsn_audio.frontends.causal_norm import NORMS, CausalNorm


def make(bins: int, scale: bool, **given) -> CausalNorm:
    return CausalNorm(bins, FrontendConfig(**given), scale)


@pytest.mark.parametrize("scale", [False, True])
def test_equals_the_weighted_average_written_out(scale):
    """Each frame against the average of all frames up to it, weighed by age, and of the prior."""
    generator = torch.Generator().manual_seed(0)
    norm = make(3, scale, norm_ms=50.0)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    x, share = torch.randn(2, 3, 70, generator=generator), 1 - math.exp(-10 / 50)
    prior, weight = norm.prior_mean[:, 0], norm.log_weight.exp()[:, 0]
    for t, out in enumerate(norm(x).unbind(2)):
        ages = torch.arange(t, -1, -1)
        weights = share * (1 - share) ** ages
        of_prior = weight * (1 - share) ** (t + 1)
        total = weights.sum() + of_prior
        mean = ((x[..., : t + 1] * weights).sum(2) + of_prior * prior) / total
        expected = x[..., t] - mean
        if scale:
            prior_square = norm.log_prior_variance.exp()[:, 0] + prior**2
            square = ((x[..., : t + 1] ** 2 * weights).sum(2) + of_prior * prior_square) / total
            expected = expected / (square - mean**2).clamp(min=1e-2).sqrt()
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)


def test_takes_away_gain_and_microphone():
    """Another gain and colour are a constant for each band of the log-mel spectrogram: a second later they are gone."""
    frontend = LogMel(FrontendConfig(norm="causal-mean", norm_ms=200.0))
    generator = torch.Generator().manual_seed(0)
    wave = 0.1 * torch.randn(1, 32000, generator=generator)
    before, after = frontend(wave)[0], frontend(0.2 * wave)[0]
    difference = (before - after).abs().detach()
    assert difference[..., 0].min() > 0.3
    assert difference[..., 100:].max() < 0.02


def test_minute_ten_is_as_second_ten():
    """60,000 frames of stationary noise: mean 0 and deviation 1 at the end as early on."""
    x = 3 + 2 * torch.randn(1, 4, 60_000, generator=torch.Generator().manual_seed(0))
    out = make(4, True)(x).detach()
    for part in (out[..., 1000:6000], out[..., -5000:]):
        assert part.mean().item() == pytest.approx(0, abs=0.05)
        assert part.std().item() == pytest.approx(1, abs=0.05)


def test_a_constant_is_not_blown_up():
    """Digital silence has no deviation: it gives numbers near 0 and gradients that are finite."""
    norm, x = make(2, True), torch.full((1, 2, 500), -13.8, requires_grad=True)
    out = norm(x)
    out.square().sum().backward()
    assert out[..., -1].abs().max() < 0.5
    assert x.grad.isfinite().all()


def test_what_hardly_moves_is_not_blown_up_either():
    """A hundredth more after five seconds of a constant is a tenth of the least deviation that is divided by."""
    x = torch.full((1, 2, 500), -13.8)
    x[..., -1] += 0.01
    step = (make(2, True, norm_ms=100.0)(x)[..., -1] - make(2, True, norm_ms=100.0)(x)[..., -2]).detach()
    assert step.min() > 0.05
    assert step.max() < 0.11


def test_an_unknown_norm_or_time_is_refused():
    with pytest.raises(
        ConfigError, match=r"model\.frontend\.norm='clip' is unknown: known are none, causal-mean, causal"
    ):
        LogMel(FrontendConfig(norm="clip"))
    with pytest.raises(ConfigError, match="norm_ms=-1: give 10 to 100000 milliseconds"):
        make(1, False, norm_ms=-1.0)
    assert list(NORMS) == ["none", "causal-mean", "causal"]


@pytest.mark.parametrize("name", ["logmel", "log-spectrogram"])
def test_single_precision_is_enough(name):
    """A loud tone in hiss: within 1e-4 of double precision, as a stream has to be of the whole."""
    generator = torch.Generator().manual_seed(0)
    wave = 0.5 * torch.sin(torch.arange(48000) * 0.4) + 1e-3 * torch.randn(48000, generator=generator)
    frontend = FRONTENDS[name](FrontendConfig(name=name))
    norm, features = make(frontend.bins, True), frontend(wave[None])[0][0]
    single, double = norm(features), norm.double()(features.double())
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)
