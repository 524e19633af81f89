"""The mean magnitude and the soft threshold, and their derivatives: the same as by autograd."""

import pytest
import torch
from torch.autograd import gradcheck

from drsn_audio.nn.threshold import mean_magnitude, soft_threshold

FORMATS = (torch.contiguous_format, torch.channels_last)


def signal(dtype=torch.float64) -> torch.Tensor:
    return torch.randn(5, 3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_worked_by_hand():
    x = torch.tensor([[[[1.0, -3.0]]]], requires_grad=True)
    mean, again = mean_magnitude(x, (3,))
    assert mean.item() == 2
    (10 * mean + (again * torch.tensor([100.0, 1000.0])).sum()).sum().backward()
    assert x.grad.flatten().tolist() == [105, 995]  # half the sign of x times 10, and what comes through x


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("shape", [(5, 3, 1, 1), (5, 3, 4, 1), (5, 1, 1, 1), (1, 3, 4, 1), (3, 1, 1), ()], ids=str)
def test_shapes_and_formats_change_nothing(shape, memory_format):
    x = signal().to(memory_format=memory_format).requires_grad_()
    tau = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    y = soft_threshold(x, tau)
    weight = signal() + 1
    (y * weight).sum().backward()
    expected = torch.sign(x) * torch.relu(x.abs() - tau)
    by_autograd = torch.autograd.grad((expected * weight).sum(), (x, tau))
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(x.grad, by_autograd[0])
    torch.testing.assert_close(tau.grad, by_autograd[1])


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dim", [(3,), (2, 3)])
def test_gradients_in_float64(dim, memory_format):
    x = signal().to(memory_format=memory_format).requires_grad_()
    torch.testing.assert_close(mean_magnitude(x, dim)[0], x.abs().mean(dim, keepdim=True))

    def both(x):
        mean, x = mean_magnitude(x, dim)
        return mean * x

    assert gradcheck(both, (x,))


@pytest.mark.parametrize("memory_format", FORMATS)
def test_half_precision(memory_format):
    x = signal(torch.bfloat16).to(memory_format=memory_format).requires_grad_()
    mean, again = mean_magnitude(x, (3,))
    torch.testing.assert_close(mean.float(), x.float().abs().mean(3, keepdim=True), rtol=1e-2, atol=0)
    y = soft_threshold(again, mean.float())
    assert y.dtype == torch.bfloat16
    y.sum().backward()
    assert x.grad.dtype == torch.bfloat16
    assert x.grad.isfinite().all()
