"""Exponential averages: against a loop over frames, over any length, with gradients."""

import math
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.smoothing import BLOCK, SHORT, capped_sum, decayed_sum, running_mean, share_of_frame


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


@pytest.mark.slow
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


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("starts", [(2, 3, 1), (3, 1)])
def test_gradients_reach_values_decay_and_start(shared, starts):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, BLOCK + 5, generator=generator, dtype=torch.float64, requires_grad=True)
    decay = (0.2 + 0.7 * torch.rand(1 if shared else 3, 1, generator=generator, dtype=torch.float64)).requires_grad_()
    initial = torch.randn(starts, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decayed_sum, (x, decay, initial))


def test_a_time_constant_is_the_time_to_one_over_e():
    """400 ms at frames of 10 ms: after 40 frames an old value weighs 1/e; the newest frame is 2.5 % of the average."""
    share = share_of_frame(400, 10)
    assert (1 - share) ** 40 == pytest.approx(1 / math.e)
    assert share == pytest.approx(0.0247, abs=1e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(frames=st.integers(1, 3 * BLOCK + 1), shared=st.booleans(), in_blocks=st.booleans(), seed=st.integers(0, 99))
def test_one_decay_for_all_is_each_of_its_own(frames, shared, in_blocks, seed):
    """[1, 1] is computed otherwise than [F, 1], and on a GPU or exported otherwise than on a CPU, with the same result,
    in channels-last memory, too.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 5, frames, 3, generator=generator, dtype=torch.float64).movedim(3, 2)
    decay = torch.rand(1 if shared else 3, 1, generator=generator, dtype=torch.float64)
    initial = torch.randn(2, 5, 3, 1, generator=generator, dtype=torch.float64)
    expected = by_loop(x, decay.expand(3, 1), initial)
    with mock.patch.object(torch.compiler, "is_exporting", return_value=in_blocks):
        torch.testing.assert_close(decayed_sum(x, decay, initial), expected, rtol=1e-12, atol=1e-12)


def test_a_running_mean_by_hand():
    """Share 1/2, a past of total 3 and weight 1.5: (1.5 + 4) / (0.75 + 1), then (2.75 + 8) / (0.875 + 1)."""
    share, past = torch.tensor([[0.5]]), (torch.tensor([[3.0]]), torch.tensor([[1.5]]))
    mean, total, weight = running_mean(torch.tensor([[4.0, 8.0]]), share, *past)
    assert mean.flatten().tolist() == pytest.approx([5.5 / 1.75, 10.75 / 1.875])
    assert (total.item(), weight.item()) == pytest.approx((10.75, 1.875))


def test_without_a_past_the_first_frame_is_the_mean():
    nothing = torch.zeros(1, 1)
    mean, _, weight = running_mean(torch.full((1, 2000), 3.0), torch.tensor([[0.01]]), nothing, nothing)
    assert mean[0, [0, -1]].tolist() == pytest.approx([3, 3], rel=1e-5)
    assert weight.item() == pytest.approx(100)  # an endless past counts as 1 / share frames


@settings(max_examples=25, deadline=None, derandomize=True)
@given(frames=st.integers(1, 100), cap=st.floats(2, 50), start=st.floats(0.5, 60), seed=st.integers(0, 99))
def test_a_capped_sum_equals_the_recursion(frames, cap, start, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, frames, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 3, 1, generator=generator, dtype=torch.float64)
    count = torch.full((2, 3, 1), start, dtype=torch.float64).clamp(max=cap)
    sums, counts = capped_sum(x, count, cap, y)
    for t in range(frames):
        new = (count + 1).clamp(max=cap)
        y, count = (new - 1) / count * y + x[..., t : t + 1], new
        torch.testing.assert_close(sums[..., t : t + 1], y, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(counts[..., t : t + 1], count)


@pytest.mark.parametrize("bins", [1, 3])
def test_as_few_frames_as_a_stream_has_equal_the_recursion(bins):
    generator = torch.Generator().manual_seed(0)
    decay = torch.rand(bins, 1, generator=generator, dtype=torch.float64)
    for frames in range(1, SHORT + 2):
        x = torch.randn(2, 3, frames, generator=generator, dtype=torch.float64)
        initial = torch.randn(2, 3, 1, generator=generator, dtype=torch.float64)
        expected = by_loop(x, decay.expand(3, 1), initial)
        torch.testing.assert_close(decayed_sum(x, decay, initial), expected, rtol=1e-12, atol=1e-12)
