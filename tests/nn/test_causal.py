"""Averages that look back only: against loops, by hand, over any length, in blocks."""

import math

import pytest
import torch

from drsn_audio.memory import Memory
from drsn_audio.nn.causal import POOLS, CausalMean, Pooling

FRAMES = 6.0


def build(kind="causal", per_frequency=True, positive=True, channels=3, bins=4, frames=FRAMES) -> CausalMean:
    """In float64, every parameter away from its first value."""
    torch.manual_seed(0)
    module = CausalMean(channels, Pooling(kind, frames, bins), per_frequency=per_frequency, positive=positive).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, 0.5, 0.5)
    return module


def magnitudes(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kind", POOLS[1:])
@pytest.mark.parametrize("per_frequency", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_against_a_loop(kind, per_frequency, positive):
    """Frame by frame: the prior counts as so many frames, what is older fades, or all counts alike up to the cap."""
    x, module = magnitudes(2, 3, 4, 300), build(kind, per_frequency, positive)
    prior = module.prior.exp() if positive else module.prior  # [C, F or 1, 1]
    count = module.log_prior_frames.exp().expand(2, 3, 1, 1)
    if kind == "causal":
        share = module.share_logit.sigmoid()
        count = (1 - (1 - share) ** count) / share
    total, expected = (count * prior)[..., 0], []
    for frame in x.unbind(3):
        frame = frame if per_frequency else frame.mean(2, keepdim=True)
        if kind == "causal":
            total, count = (1 - share) * total + frame, (1 - share) * count + 1
        else:
            new = (count + 1).clamp(max=FRAMES)
            total, count = ((new - 1) / count)[..., 0] * total + frame, new
        expected.append(total / count[..., 0])
    torch.testing.assert_close(module(x, Memory()), torch.stack(expected, 3), rtol=0, atol=1e-10)


def test_a_cumulative_average_by_hand():
    """Prior 10 worth 2 frames, then 1s: 21/3, 22/4; from 4 frames on each new one is a quarter: 5.5 -> 4.375."""
    module = build("causal-cumulative", channels=1, bins=1, frames=4.0)
    with torch.no_grad():
        module.prior.fill_(math.log(10))
        module.log_prior_frames.fill_(math.log(2))
    mean = module(torch.ones(1, 1, 1, 3, dtype=torch.float64), Memory()).flatten().tolist()
    assert mean == pytest.approx([7, 5.5, 0.75 * 5.5 + 0.25])


@pytest.mark.parametrize("kind", POOLS[1:])
def test_a_hundred_thousand_frames(kind):
    """In single precision: a stationary input is followed to the end, and a new level is learnt at once, not frozen."""
    module = CausalMean(2, Pooling(kind, 50.0, 1), per_frequency=True, positive=True)
    x = 1 + 0.1 * torch.randn(1, 2, 1, 100_000, generator=torch.Generator().manual_seed(0))
    x[..., 90_000:] += 4
    with torch.no_grad():
        mean = module(x, Memory())
    assert mean.isfinite().all()
    assert (mean[..., 1000:90_000] - 1).abs().max() < 0.08
    assert (mean[..., 90_300:] - 5).abs().max() < 0.08


@pytest.mark.parametrize("kind", POOLS[1:])
def test_block_by_block_is_as_at_once(kind):
    x, module = magnitudes(2, 3, 4, 200), build(kind)
    tensors, parts = {}, []
    for part in x.split([1, 2, 40, 100, 57], 3):
        memory = Memory(tensors)
        parts.append(module(part, memory))
        tensors = memory.after()
    torch.testing.assert_close(torch.cat(parts, 3), module(x, Memory()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", POOLS[1:])
def test_prior_weight_and_time_are_learned(kind):
    module = build(kind)
    module(magnitudes(1, 3, 4, 4), Memory()).square().sum().backward()
    assert all((p.grad != 0).all() for p in module.parameters())
    assert hasattr(module, "share_logit") == (kind == "causal")
