"""Averages that look back only: what a stream knows at frame t."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from drsn_audio.memory import Memory, Remembers
from drsn_audio.smoothing import capped_sum, running_mean

POOLS = ("clip", "causal", "causal-cumulative")


class Pooling(NamedTuple):
    """What averages over time are taken of, in a layer of `bins` frequencies whose frames are those of its output.

    clip: the whole clip. causal: the past, exponentially, with a time constant that is learned and begins at `frames`.
    causal-cumulative: all of the past alike, until there are `frames` of it, and from then on exponentially.
    """

    kind: str = "clip"
    frames: float = 50.0
    bins: int = 1

    @property
    def causal(self) -> bool:
        return self.kind != "clip"


class CausalMean(Remembers, nn.Module):
    """x [B, C, F, T] -> its average over frames <= t, [B, C, F, T], or over frequency, too, [B, C, 1, T].

    It begins from a prior per channel (and frequency), which counts as some frames; both are learned. `positive`:
    x is a magnitude, and so is its prior. Computed in single precision at least.
    """

    def __init__(self, channels: int, pooling: Pooling, *, per_frequency: bool, positive: bool):
        super().__init__()
        self.per_frequency, self.positive = per_frequency, positive
        self.cap = max(2.0, pooling.frames) if pooling.kind == "causal-cumulative" else None
        bins = pooling.bins if per_frequency else 1
        self.prior = nn.Parameter(torch.full((channels, bins, 1), -1.0 if positive else 0.0))  # of a magnitude: its log
        self.log_prior_frames = nn.Parameter(torch.full((channels, 1, 1), 2.0))
        if self.cap is None:
            share = -math.expm1(-1 / pooling.frames)
            self.share_logit = nn.Parameter(torch.tensor([[math.log(share / (1 - share))]]))

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        if not self.per_frequency:
            x = x.mean(2, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            return self.average(x.transpose(1, 2), memory).transpose(1, 2)

    def average(self, x: Tensor, memory: Memory) -> Tensor:
        """x [B, F, C, T] -> its average."""
        prior = (self.prior.exp() if self.positive else self.prior).transpose(0, 1)  # [F, C, 1]
        count = self.log_prior_frames.exp().transpose(0, 1)  # [1, C, 1]
        if self.cap is None:
            share = self.share_logit.sigmoid()
            weight = (1 - (1 - share) ** count) / share  # as much as so many frames
        else:
            weight = count.clamp(max=self.cap)
        names = f"{self.memory_name}.total", f"{self.memory_name}.weight"
        total = memory.past(names[0], (weight * prior).expand(x.shape[0], -1, -1, -1))
        weight = memory.past(names[1], weight.expand(x.shape[0], -1, -1, -1))
        if self.cap is None:
            mean, total, weight = running_mean(x, share, total, weight)
        else:
            totals, weights = capped_sum(x, weight, self.cap, total)
            mean, total, weight = totals / weights, totals[..., -1:], weights[..., -1:]
        memory.keep(names[0], total)
        memory.keep(names[1], weight)
        return mean
