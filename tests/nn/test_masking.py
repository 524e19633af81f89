"""Masks: valid frames only, in averages and in BatchNorm."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask, masked_mean

LENGTHS = torch.tensor([5, 3, 1])


def test_a_mask_by_hand():
    assert frame_mask(torch.tensor([2, 0, 3]), 3).flatten(1).tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    assert frame_mask(None, 3) is None
    assert apply_mask(torch.ones(1, 1, 1, 3), None).sum() == 3


def test_a_masked_mean_by_hand():
    x = torch.tensor([[1.0, 3.0, 100.0], [5.0, 7.0, 100.0]]).view(1, 1, 2, 3)
    mask = frame_mask(torch.tensor([2]), 3)
    assert masked_mean(x, mask, (3,)).flatten().tolist() == [2, 6]
    assert masked_mean(x, mask, (2, 3)).item() == 4
    assert masked_mean(x, None, (2, 3)).item() == 36
    assert masked_mean(x, frame_mask(torch.tensor([0]), 3), (2, 3)).item() == 0


def on_valid_frames(x: torch.Tensor) -> torch.Tensor:
    """x [B, C, F, T] -> [1, C, F, sum of lengths]."""
    return torch.cat([clip[..., :n] for clip, n in zip(x, LENGTHS, strict=True)], 2).unsqueeze(0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batch_norm_in_training_is_that_of_the_valid_frames(dtype):
    """Output, gradients of input, weight and bias, and running statistics: as nn.BatchNorm2d on them alone."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 3, 4, 2, 5, generator=generator, dtype=dtype)
    x = (3 * x + 2).requires_grad_()
    ours, reference = MaskedBatchNorm2d(4).to(dtype), nn.BatchNorm2d(4).to(dtype)
    mask = frame_mask(LENGTHS, 5, dtype)

    out = ours(x, mask)
    (out * weight * mask).sum().backward()
    gradient, x.grad = x.grad, None
    expected = reference(on_valid_frames(x))
    (expected * on_valid_frames(weight)).sum().backward()

    torch.testing.assert_close(on_valid_frames(out), expected)
    torch.testing.assert_close(gradient, x.grad)
    torch.testing.assert_close(ours.weight.grad, reference.weight.grad)
    torch.testing.assert_close(ours.bias.grad, reference.bias.grad)
    for (key, value), other in zip(ours.state_dict().items(), reference.state_dict().values(), strict=True):
        torch.testing.assert_close(value, other, msg=key)


def test_batch_norm_without_padding_or_in_eval_is_torch_s_own():
    x = torch.randn(3, 4, 2, 5, generator=torch.Generator().manual_seed(1))
    ours, reference = MaskedBatchNorm2d(4), nn.BatchNorm2d(4)
    assert torch.equal(ours(x), reference(x))
    ours.eval(), reference.eval()
    assert torch.equal(ours(x, frame_mask(LENGTHS, 5)), reference(x))


def test_batch_norm_keeps_the_memory_format():
    x = torch.randn(3, 4, 2, 5).to(memory_format=torch.channels_last)
    assert MaskedBatchNorm2d(4)(x, frame_mask(LENGTHS, 5)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_batch_norm_statistics_of_half_precision_are_exact_enough(dtype):
    """Sums over 40,000 values of size 5 exceed float16's range and bfloat16's eight bits: they are kept in float32."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(32, 1, 20, 100, generator=generator) + 5
    lengths = torch.randint(50, 101, (32,), generator=generator)
    half, full = MaskedBatchNorm2d(1), MaskedBatchNorm2d(1)
    out = half(x.to(dtype), frame_mask(lengths, 100, dtype))
    full(x.to(dtype).float(), frame_mask(lengths, 100))
    assert out.dtype == dtype
    torch.testing.assert_close(half.running_mean, full.running_mean, rtol=1e-4, atol=0)
    torch.testing.assert_close(half.running_var, full.running_var, rtol=1e-4, atol=0)


@pytest.mark.parametrize("grad_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_in_either_memory_format(memory_format, grad_format):
    """By finite differences: torch's own backward is wrong for some mixtures of the two where an axis is 1."""
    norm = MaskedBatchNorm2d(3).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 3, 4, 5, generator=generator, dtype=torch.float64).to(memory_format=memory_format)
    weight = torch.randn(3, 3, 4, 5, generator=generator, dtype=torch.float64).to(memory_format=grad_format)
    mask = frame_mask(torch.tensor([5, 3, 1]), 5, torch.float64)
    assert gradcheck(lambda x: (norm(x, mask) * weight).contiguous(memory_format=grad_format), (x.requires_grad_(),))


def test_a_single_value_a_channel_is_no_statistic():
    norm = MaskedBatchNorm2d(2).train()
    norm.running_mean, norm.running_var = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 9.0])
    y = norm(torch.tensor([3.0, 5.0]).view(1, 2, 1, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor([1.0, 1.0]), atol=1e-4, rtol=0)
    assert norm.running_mean.tolist() == [1.0, 2.0]
