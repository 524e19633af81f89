"""Averages that look back only: what a stream knows at frame t."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def causal_mean(x: Tensor, prior: Tensor, prior_frames: Tensor) -> Tensor:
    """Average over frames <= t, begun from a prior that counts as `prior_frames` frames.

    x [B, C, F, T] -> [B, C, F, T]:  m_t = (prior_frames * prior + sum_{s<=t} x_s) / (prior_frames + t + 1)
    """
    count = torch.arange(1, x.shape[3] + 1, device=x.device, dtype=x.dtype)
    return (prior_frames * prior + x.cumsum(3)) / (prior_frames + count)


class CausalMean(nn.Module):
    """`causal_mean` with a learned prior per channel and a learned weight, both positive.

    With `average_frequency`, x [B, C, F, T] is averaged over frequency first -> [B, C, 1, T].
    """

    def __init__(self, channels: int, average_frequency: bool):
        super().__init__()
        self.average_frequency = average_frequency
        self.log_prior = nn.Parameter(torch.full((channels, 1, 1), -1.0))
        self.log_prior_frames = nn.Parameter(torch.full((channels, 1, 1), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        if self.average_frequency:
            x = x.mean(2, keepdim=True)
        return causal_mean(x, self.log_prior.exp(), self.log_prior_frames.exp())
