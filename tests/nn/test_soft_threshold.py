"""Soft thresholding: values, derivatives and their sums over every shape a threshold can have."""

import pytest
import torch
from torch.autograd import gradcheck

from drsn_audio.nn.shrinkage import soft_threshold

SHAPES = [(2, 3, 4, 5), (2, 3, 1, 1), (2, 3, 4, 1), (2, 1, 1, 1), (2, 3, 1, 5), (2, 1, 1, 5), (3, 1, 1), (1,), ()]


def test_values_by_hand():
    x = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    torch.testing.assert_close(soft_threshold(x, torch.tensor(1.0)), torch.tensor([-2.0, 0, 0, 0, 0, 0, 2.0]))


def test_threshold_zero_is_the_identity():
    x = torch.randn(50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(soft_threshold(x, torch.tensor(0.0)), x)


def test_derivative_is_one_outside_and_zero_inside():
    x = torch.tensor([-3.0, -1.0, -0.5, 0.5, 1.0, 3.0], requires_grad=True)
    tau = torch.ones(6, requires_grad=True)
    soft_threshold(x, tau).sum().backward()
    assert x.grad.tolist() == [1, 0, 0, 0, 0, 1]
    assert tau.grad.tolist() == [1, 0, 0, 0, 0, -1]  # a larger threshold pulls both sides towards zero


def test_one_threshold_for_many_values_collects_their_derivatives():
    x = torch.tensor([[2.0, 3.0, -4.0, 0.1]])
    tau = torch.tensor([[1.0]], requires_grad=True)
    (soft_threshold(x, tau) * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert tau.grad.item() == -1 - 10 + 100


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_in_float64(shape):
    generator = torch.Generator().manual_seed(1)
    tau = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.2
    x = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    x = torch.where((x.abs() - tau).abs() < 1e-3, x + 0.01, x)  # off the corners, where differences mean nothing
    assert gradcheck(soft_threshold, (x.requires_grad_(), tau.requires_grad_()))


def test_only_the_gradients_that_are_asked_for():
    x, tau = torch.tensor([2.0], requires_grad=True), torch.tensor([0.5])
    soft_threshold(x, tau).backward()
    assert x.grad.item() == 1


def test_not_a_number_stays_one():
    assert soft_threshold(torch.tensor([float("nan"), 1.0]), torch.tensor(0.5)).isnan().tolist() == [True, False]
