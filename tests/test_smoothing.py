"""Exponential averages: against a loop over frames, over any length, with gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.smoothing import BLOCK, decayed_sum, share_of_frame


def by_loop(x, decay, initial):
    y, out = initial[..., 0], []
    for frame in x.unbind(-1):
        y = decay[:, 0] * y + frame
        out.append(y)
    return torch.stack(out, -1)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(frames=st.integers(1, 3 * BLOCK + 1), bins=st.integers(1, 4), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_equals_the_recursion(frames, bins, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, bins, frames, generator=generator, dtype=torch.float64)
    decay = torch.rand(bins, 1, generator=generator, dtype=torch.float64)
    initial = torch.randn(batch, bins, 1, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(decayed_sum(x, decay, initial), by_loop(x, decay, initial), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.975, 1.0])
def test_a_hundred_thousand_frames_stay_finite_and_exact(decay):
    """A constant 1 sums to (1 - decay^n) / (1 - decay), in single precision, where decay^-n is far out of range."""
    frames = 100_000
    y = decayed_sum(torch.ones(1, 1, frames), torch.full((1, 1), decay), torch.zeros(1, 1, 1))[0, 0]
    n = torch.arange(1, frames + 1, dtype=torch.float64)
    expected = n if decay == 1 else (1 - decay**n) / (1 - decay)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=0)


def test_no_frames_are_no_frames():
    assert decayed_sum(torch.zeros(2, 3, 0), torch.full((3, 1), 0.5), torch.zeros(2, 3, 1)).shape == (2, 3, 0)


def test_gradients_reach_values_decay_and_start():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, BLOCK + 5, generator=generator, dtype=torch.float64, requires_grad=True)
    decay = (0.2 + 0.7 * torch.rand(3, 1, generator=generator, dtype=torch.float64)).requires_grad_()
    initial = torch.randn(2, 3, 1, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decayed_sum, (x, decay, initial))


def test_a_time_constant_is_the_time_to_one_over_e():
    """400 ms at frames of 10 ms: after 40 frames an old value weighs 1/e; the newest frame is 2.5 % of the average."""
    share = share_of_frame(400, 10)
    assert (1 - share) ** 40 == pytest.approx(1 / math.e)
    assert share == pytest.approx(0.0247, abs=1e-4)
