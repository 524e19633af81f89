"""Soft thresholding and the mean magnitude, with their derivatives written out.

Both do little but read and write memory: autograd's own backward of them goes over x some twenty times. Here results
overwrite what has served, so that little new memory is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def soft_threshold(x: Tensor, tau: Tensor) -> Tensor:
    """sign(x) * max(|x| - tau, 0) for tau >= 0 that broadcasts to x; derivative 1 outside [-tau, tau], 0 inside."""
    return _SoftThreshold.apply(x, tau)


def mean_magnitude(x: Tensor, dim: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean of |x| over `dim` (axes kept) and x itself, to be used from there on: so the two derivatives join here."""
    return _MeanMagnitude.apply(x, dim)


class _SoftThreshold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, tau: Tensor) -> Tensor:
        limit = tau.to(x.dtype)
        y = torch.minimum(x, limit)  # clamp takes five times as long in bf16
        torch.maximum(y, -limit, out=y)
        torch.sub(x, y, out=y)
        ctx.save_for_backward(y)
        ctx.tau_shape = tau.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        (y,) = ctx.saved_tensors
        work = y.sign().mul_(grad)
        into_tau = -_sum_to(work, ctx.tau_shape)
        torch.ops.aten.softshrink_backward.grad_input(grad, y, 0.0, grad_input=work)  # 0 where x was cut to zero
        return work, into_tau


class _MeanMagnitude(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        kept = [1 if axis in dim else size for axis, size in enumerate(x.shape)]
        with torch.autocast(x.device.type, enabled=False):
            total = _sum_to(x.abs(), kept)
        ctx.count = x.numel() // max(1, total.numel())
        return total / ctx.count, x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_mean: Tensor, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        into_x = x.sign()
        torch.addcmul(grad, into_x, grad_mean / ctx.count, out=into_x)
        return into_x, None


def _sum_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x summed over the axes that `shape` lacks or has as 1."""
    if x.dim() == 4 and tuple(shape) == (*x.shape[:3], 1) and x.is_contiguous(memory_format=torch.channels_last):
        # Over time alone, between channels that lie closer: the sum takes five times as long as the product.
        return (x.new_ones(x.shape[3]) @ x.permute(0, 2, 3, 1)).transpose(1, 2).unsqueeze(3)
    return x.sum_to_size(shape)
