"""Soft thresholding and the mean magnitude, with their derivatives written out.

Both do little but read and write memory: autograd's own backward of them goes over x some twenty times. On a CPU they
take a few clips at a time, so that what one operation leaves is still in the cache for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

PIECE = 1 << 17  # values at a time: in float32 half a megabyte, of which three or four are at work


def soft_threshold(x: Tensor, tau: Tensor) -> Tensor:
    """sign(x) * max(|x| - tau, 0) for tau >= 0 that broadcasts to x; derivative 1 outside [-tau, tau], 0 inside."""
    return _SoftThreshold.apply(x, tau)


def mean_magnitude(x: Tensor, dim: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean of |x| over `dim` (axes kept) and x itself, to be used from there on: so the two derivatives join here."""
    return _MeanMagnitude.apply(x, dim)


class _SoftThreshold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, tau: Tensor) -> Tensor:
        y = torch.empty_like(x)
        for piece, limit, out in _pieces(x, tau.to(x.dtype), y):
            torch.sub(piece, piece.clamp(-limit, limit), out=out)
        ctx.save_for_backward(y)
        ctx.tau_shape = tau.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        (y,) = ctx.saved_tensors
        shape = ctx.tau_shape
        per_clip = len(shape) == y.dim() and shape[0] == len(y)
        into_x, into_tau = torch.empty_like(y), []
        for g, piece, out in _pieces(grad, y, into_x):
            torch.ops.aten.softshrink_backward.grad_input(g, piece, 0.0, grad_input=out)  # 0 where x was cut to zero
            into_tau.append(_sum_to(piece.sign().mul_(g), (len(piece), *shape[1:]) if per_clip else shape))
        total = torch.cat(into_tau) if per_clip else torch.stack(into_tau).sum(0)
        return into_x, -total


class _MeanMagnitude(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        kept = [1 if axis in dim else size for axis, size in enumerate(x.shape)]
        with torch.autocast(x.device.type, enabled=False):
            mean = torch.cat([_sum_to(piece.abs(), (len(piece), *kept[1:])) for (piece,) in _pieces(x)])
        ctx.count = x.numel() // max(1, mean.numel())
        return mean / ctx.count, x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_mean: Tensor, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        into_x = torch.empty_like(x)
        for g, piece, each, out in _pieces(grad, x, grad_mean / ctx.count, into_x):
            torch.addcmul(g, piece.sign(), each, out=out)
        return into_x, None


def _pieces(first: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """A few clips at a time of tensors [B, ...]; one without that axis, which broadcasts, comes whole each time."""
    rows = len(first) if first.dim() else 0
    if first.device.type != "cpu" or torch.compiler.is_compiling() or first.numel() <= PIECE:
        yield first, *others
        return
    step = max(1, PIECE * rows // first.numel())
    for begin in range(0, rows, step):
        piece = slice(begin, begin + step)
        yield first[piece], *(t[piece] if t.dim() == first.dim() and len(t) == rows else t for t in others)


def _sum_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x summed over the axes that `shape` lacks or has as 1."""
    if x.dim() == 4 and tuple(shape) == (*x.shape[:3], 1) and x.is_contiguous(memory_format=torch.channels_last):
        # Over time alone, between channels that lie closer: the sum takes five times as long as the product.
        return (x.new_ones(x.shape[3]) @ x.permute(0, 2, 3, 1)).transpose(1, 2).unsqueeze(3)
    return x.sum_to_size(shape)
