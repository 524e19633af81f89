"""Running averages over time, of any length, as tensors: what a stream would compute frame by frame."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 32  # frames at once
SHORT = 8  # frames that are one product with what is before them: a stream's are so few
CAPPED_BLOCK = 32  # whose weights differ from row to row


def decayed_sum(x: Tensor, decay: Tensor, initial: Tensor) -> Tensor:
    """x [..., F, T], decay [F or 1, 1] in 0..1, initial [..., F, 1] -> [..., F, T]:  y_t = decay * y_{t-1} + x_t.

    y_{-1} is `initial`. One decay for all is, on a CPU, computed frame by frame: a pass over x and no more. Else it is
    computed in blocks, and between them by itself: the closed form by a cumulative sum divides by decay^t, which leaves
    float32 within a thousand frames. Gradients reach all three.
    """
    frames = x.shape[-1]
    if frames == 0:
        return x
    if frames <= SHORT:
        return _short_decayed_sum(x, decay, initial)
    if len(decay) == 1 and x.device.type == "cpu" and not torch.compiler.is_exporting():
        return _FrameByFrame.apply(x, decay, initial)
    size = min(frames, BLOCK)
    place = torch.arange(size, device=x.device)
    age = place[:, None] - place
    weights = torch.where(age >= 0, decay[..., None] ** age.clamp(min=0), 0)  # [F or 1, t, s]
    blocks = F.pad(x, (0, -frames % size)).unflatten(-1, (-1, size))  # [..., F, n, s]
    if len(decay) == 1:  # a product that leaves channels-last x where it is
        within = (weights[0] @ blocks.movedim(-3, -1)).movedim(-1, -3)
    else:
        within = torch.einsum("...fns,fts->...fnt", blocks, weights)
    before = initial.expand(*x.shape[:-1], 1)
    if frames > size:
        ends = decayed_sum(within[..., :-1, -1], decay**size, initial)
        before = torch.cat([before, ends], dim=-1)
    return torch.addcmul(within, before[..., None], decay[..., None] ** (place + 1)).flatten(-2)[..., :frames]


class _FrameByFrame(torch.autograd.Function):
    """`decayed_sum` with one decay [1, 1], frames being passed over in order, and in the other going backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, decay: Tensor, initial: Tensor) -> Tensor:
        factor, sums, before = decay.item(), torch.empty_like(x), initial.expand(*x.shape[:-1], 1)[..., 0]
        for frame in range(x.shape[-1]):
            before = torch.add(x[..., frame], before, alpha=factor, out=sums[..., frame])
        ctx.save_for_backward(sums, decay, initial)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sums, decay, initial = ctx.saved_tensors
        factor, into_x, after = decay.item(), torch.empty_like(grad), torch.zeros_like(grad[..., 0])
        for frame in reversed(range(grad.shape[-1])):
            after = torch.add(grad[..., frame], after, alpha=factor, out=into_x[..., frame])
        first = into_x[..., :1]
        into_decay = (into_x[..., 1:] * sums[..., :-1]).sum() + (first * initial).sum()
        return into_x, into_decay.view_as(decay), (factor * first).sum_to_size(initial.shape)


def _short_decayed_sum(x: Tensor, decay: Tensor, initial: Tensor) -> Tensor:
    place = torch.arange(x.shape[-1] + 1, device=x.device)
    age = place[1:] - place[:, None]  # [s, t], `initial` first
    weights = torch.where(age >= 0, decay[..., None] ** age.clamp(min=0), 0)  # [F or 1, s, t]
    heard = torch.cat([initial.expand(*x.shape[:-1], 1), x], dim=-1)
    if len(decay) == 1:
        return heard @ weights[0]
    return (heard[..., None, :] @ weights).squeeze(-2)


def running_mean(x: Tensor, share: Tensor, total: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Exponential average of all that was heard, from whatever it began with; x [..., F, T], share [F or 1, 1].

    m_t = total_t / weight_t,  total_t = (1 - share) total_{t-1} + x_t,  weight_t = (1 - share) weight_{t-1} + 1

    `total` and `weight` [..., F or 1, 1] are those before x: both zero where there is no past, weight 1 / share once
    there is an endless one, in between a prior times the frames that it counts as, and those. Returns m [..., F, T],
    and total and weight after x.
    """
    totals = decayed_sum(x, 1 - share, total)
    left = (1 - share) ** torch.arange(1, x.shape[-1] + 1, device=x.device)
    weights = 1 / share + (weight - 1 / share) * left
    return totals / weights, totals[..., -1:], weights[..., -1:]


def capped_sum(x: Tensor, count: Tensor, cap: float, initial: Tensor) -> tuple[Tensor, Tensor]:
    """Sum and count of a cumulative average whose count stops at `cap`, so that it never freezes.

    x, initial as in `decayed_sum`, count [..., F, 1] up to cap: how many frames `initial` is the sum of. Returned are
    y [..., F, T] and n [..., F, T]:  n_t = min(n_{t-1} + 1, cap),  y_t = (n_t - 1) / n_{t-1} * y_{t-1} + x_t,
    so that y_t / n_t is the average of all frames until there are `cap`, and from then on an exponential one.
    """
    frames = x.shape[-1]
    counts = (count + torch.arange(frames + 1, device=x.device)).clamp(max=cap)
    decay = (counts[..., 1:] - 1) / counts[..., :-1]
    sums, last = [], initial
    for begin in range(0, frames, CAPPED_BLOCK):
        part = x[..., begin : begin + CAPPED_BLOCK]
        log = decay[..., begin : begin + CAPPED_BLOCK].log().cumsum(-1)
        since = (log[..., None] - log[..., None, :]).tril()  # log of what is left at t of frame s
        weights = since.exp().tril()
        y = (weights @ part[..., None])[..., 0] + log.exp() * last
        last = y[..., -1:]
        sums.append(y)
    return torch.cat(sums, dim=-1) if sums else x, counts[..., 1:]


def share_of_frame(time_ms: float, hop_ms: float) -> float:
    """Time constant of an exponential average -> the share of the newest frame in it."""
    return -torch.expm1(torch.tensor(-hop_ms / time_ms, dtype=torch.float64)).item()
