"""Normalisation by what has been heard so far, in place of the statistics of a clip, which no stream has."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.memory import Memory, Remembers
from drsn_audio.smoothing import running_mean, share_of_frame

LEAST_VARIANCE = 1e-2  # of logarithms


class CausalNorm(Remembers, nn.Module):
    """x [B, F, T] minus its exponential average over frames <= t, per bin; over its deviation, too, if `scale`.

    The averages have the time constant `norm_ms` and begin from a prior per bin, which weighs as much as `weight` of
    all that an endless past would; prior and weight are learned:

        m_t = (sum_k s (1-s)^k x_{t-k} + w (1-s)^(t+1) prior) / (1 - (1-s)^(t+1) + w (1-s)^(t+1))

    where s = 1 - exp(-hop / norm_ms). The variance is such an average of (x_t - m_{t-1}) (x_t - m_t) (West 1979, CACM
    22(9)): the square of the mean, taken from the mean of the squares, would leave single precision few digits.

    Raises:
        ConfigError: norm_ms is not from 10 ms to 100 s.
    """

    def __init__(self, bins: int, config: FrontendConfig, scale: bool):
        super().__init__()
        if not 10 <= config.norm_ms <= 1e5:
            raise ConfigError(f"model.frontend.norm_ms={config.norm_ms:g}: give 10 to 100000 milliseconds")
        self.scale = scale
        self.share = share_of_frame(config.norm_ms, config.hop_ms)
        self.prior_mean = nn.Parameter(torch.zeros(bins, 1))
        self.log_weight = nn.Parameter(torch.full((bins, 1), math.log(0.1)))
        if scale:
            self.log_prior_variance = nn.Parameter(torch.full((bins, 1), math.log(4.0)))

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        memory = Memory() if memory is None else memory
        share, weight = torch.full_like(self.log_weight, self.share), self.log_weight.exp() / self.share
        before = memory.past(f"{self.memory_name}.weight", weight.expand(x.shape[0], -1, 1))

        def average(values: Tensor, prior: Tensor, name: str) -> Tensor:
            total = memory.past(f"{self.memory_name}.{name}", (weight * prior).expand(x.shape[0], -1, 1))
            mean, total, after = running_mean(values, share, total, before)
            memory.keep(f"{self.memory_name}.{name}", total)
            memory.keep(f"{self.memory_name}.weight", after)
            return mean

        mean = average(x, self.prior_mean, "total")
        if not self.scale:
            return x - mean
        last = memory.past(f"{self.memory_name}.mean", self.prior_mean.expand(x.shape[0], -1, 1))
        memory.keep(f"{self.memory_name}.mean", mean[..., -1:])
        lag = torch.cat([last, mean[..., :-1]], dim=2)
        variance = average((x - lag) * (x - mean), self.log_prior_variance.exp(), "variance")
        return (x - mean) / variance.clamp(min=LEAST_VARIANCE).sqrt()


class NoNorm(nn.Module):
    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        return x


def _none(bins: int, config: FrontendConfig) -> nn.Module:
    return NoNorm()


def _causal_mean(bins: int, config: FrontendConfig) -> nn.Module:
    return CausalNorm(bins, config, scale=False)


def _causal(bins: int, config: FrontendConfig) -> nn.Module:
    return CausalNorm(bins, config, scale=True)


NORMS = {"none": _none, "causal-mean": _causal_mean, "causal": _causal}
