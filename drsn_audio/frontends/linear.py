"""Spectrograms on the frequencies of the Fourier transform themselves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends.frontend import Frontend, window_of
from drsn_audio.frontends.spectrogram import power_spectrogram
from drsn_audio.memory import Memory

FLOOR = 1e-8  # what white noise at -103 dB full scale has in each bin


class Spectrogram(Frontend):
    """Power spectrogram: wave [B, N] -> |STFT|^2 [B, 1, F, T], window not normalised.

    Its F bins are those from f_min_hz to f_max_hz. A full-scale sine on a bin has (window samples / 4)^2 in it.
    """

    logarithmic = False

    def __init__(self, config: FrontendConfig):
        if config.norm != "none" and not self.logarithmic:
            raise ConfigError(f"model.frontend.norm={config.norm}: is made for logarithms, use log-spectrogram")
        spacing_hz = config.sample_rate / window_of(config).numel()
        self.first = -int(-config.f_min_hz // spacing_hz)
        self.end = int(config.f_max_hz // spacing_hz) + 1
        if self.first >= self.end:
            raise ConfigError(f"model.frontend.f_max_hz={config.f_max_hz:g}: no bin, they are {spacing_hz:g} Hz apart")
        super().__init__(config, self.end - self.first)

    def features(self, samples: Tensor, memory: Memory | None = None) -> Tensor:
        return power_spectrogram(samples, self.window, self.hop)[:, self.first : self.end]


class LogSpectrogram(Spectrogram):
    """Log spectrogram: wave [B, N] -> ln(|STFT|^2 + FLOOR) [B, 1, F, T]; see `Spectrogram`."""

    logarithmic = True

    def features(self, samples: Tensor, memory: Memory | None = None) -> Tensor:
        power = super().features(samples, memory)
        if torch.onnx.is_in_onnx_export():  # which takes 1e-8 for zero, and leaves its addition out
            return torch.log(power / FLOOR + 1) + math.log(FLOOR)
        return torch.log(power + FLOOR)
