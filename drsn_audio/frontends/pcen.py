"""Per-channel energy normalisation: each mel band over its own recent past, all of it trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends.mel import MelFrontend
from drsn_audio.memory import Memory
from drsn_audio.smoothing import decayed_sum, running_mean, share_of_frame


def smooth_power(power: Tensor, share: Tensor, initial: Tensor | None = None) -> Tensor:
    """M [B, F, T] of power [B, F, T]: M_t = (1 - share) M_{t-1} + share power_t; share [F, 1].

    M_{-1} is `initial` [B, F, 1], without which the average begins with the first frame: M_0 = power_0.
    """
    return decayed_sum(share * power, 1 - share, power[..., :1] if initial is None else initial)


def pcen(power: Tensor, smoothed: Tensor, gain: Tensor, bias: Tensor, exponent: Tensor, floor: float) -> Tensor:
    """Power and its average [B, F, T] -> (power / (floor + smoothed)^gain + bias)^exponent - bias^exponent.

    Wang et al. 2017 (arXiv:1607.05666), equation 1, where gain, bias, exponent, floor are alpha, delta, r, epsilon.
    """
    return (power * (floor + smoothed) ** -gain + bias) ** exponent - bias**exponent


class Pcen(MelFrontend):
    """PCEN: wave [B, N] -> [B, 1, n_mels, T], without unit, 0 for silence. Gain, bias, exponent and smoothing are
    learned, each per band; they begin at the paper's 0.98, 2, 0.5 and a time constant of `smoothing_ms`.

    The average begins with the first frame; with a memory, in which that frame is not whole, it is the average of all
    frames that there were.

    Raises:
        ConfigError: smoothing_ms is not positive.
    """

    def __init__(self, config: FrontendConfig):
        if not config.smoothing_ms > 0:
            raise ConfigError(f"model.frontend.smoothing_ms={config.smoothing_ms:g}: give milliseconds, more than 0")
        super().__init__(config, config.n_mels)
        share = share_of_frame(config.smoothing_ms, config.hop_ms)
        self.share_logit = self._band_values(math.log(share / (1 - share)))
        self.log_gain = self._band_values(math.log(0.98))
        self.log_bias = self._band_values(math.log(2.0))
        self.log_exponent = self._band_values(math.log(0.5))

    def _band_values(self, value: float) -> nn.Parameter:
        return nn.Parameter(torch.full((self.bins, 1), value))

    def features(self, samples: Tensor, memory: Memory | None = None) -> Tensor:
        power, share = self.mel(samples), self.share_logit.sigmoid()
        if memory is None:
            smoothed = smooth_power(power, share)
        else:
            nothing = power.new_zeros(power.shape[0], self.bins, 1)
            names = f"{self.memory_name}.total", f"{self.memory_name}.weight"
            smoothed, *past = running_mean(power, share, *(memory.past(name, nothing) for name in names))
            for name, value in zip(names, past, strict=True):
                memory.keep(name, value)
        return pcen(power, smoothed, self.log_gain.exp(), self.log_bias.exp(), self.log_exponent.exp(), self.floor)
