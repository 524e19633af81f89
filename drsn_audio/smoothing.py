"""Exponential averages over time, of any length, as tensors: what a stream would compute frame by frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 32  # frames at once


def decayed_sum(x: Tensor, decay: Tensor, initial: Tensor) -> Tensor:
    """x [..., F, T], decay [F, 1] in 0..1, initial [..., F, 1] -> y [..., F, T]:  y_t = decay * y_{t-1} + x_t.

    y_{-1} is `initial`. Computed in blocks, and between them by itself: the closed form by a cumulative sum divides
    by decay^t, which leaves float32 within a thousand frames. Gradients reach all three.
    """
    frames = x.shape[-1]
    if frames == 0:
        return x
    size = min(frames, BLOCK)
    place = torch.arange(size, device=x.device)
    age = place[:, None] - place
    weights = torch.where(age >= 0, decay[..., None] ** age.clamp(min=0), 0)  # [F, t, s]
    blocks = F.pad(x, (0, -frames % size)).unflatten(-1, (-1, size))  # [..., F, n, s]
    within = torch.einsum("...fns,fts->...fnt", blocks, weights)
    before = initial.expand(*x.shape[:-1], 1)
    if frames > size:
        ends = decayed_sum(within[..., :-1, -1], decay**size, initial)
        before = torch.cat([before, ends], dim=-1)
    return (within + before[..., None] * decay[..., None] ** (place + 1)).flatten(-2)[..., :frames]


def share_of_frame(time_ms: float, hop_ms: float) -> float:
    """Time constant of an exponential average -> the share of the newest frame in it."""
    return -torch.expm1(torch.tensor(-hop_ms / time_ms, dtype=torch.float64)).item()
