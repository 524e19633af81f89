"""Spectrograms on the frequencies of the Fourier transform themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from drsn_audio.config import FrontendConfig
from drsn_audio.frontends.frontend import Frontend
from drsn_audio.frontends.spectrogram import hann_window, power_spectrogram

FLOOR = 1e-8  # white noise at -107 dB full scale has that power in each bin


class Spectrogram(Frontend):
    """Power spectrogram: wave [B, N] -> |STFT|^2 [B, 1, F, T], window not normalised.

    Its F bins are those from f_min_hz to f_max_hz. A full-scale sine on a bin has (window samples / 4)^2 in it.
    """

    def __init__(self, config: FrontendConfig):
        spacing_hz = config.sample_rate / hann_window(round(config.window_ms * config.sample_rate / 1000)).numel()
        self.first = -int(-config.f_min_hz // spacing_hz)
        self.end = int(config.f_max_hz // spacing_hz) + 1
        super().__init__(config, self.end - self.first)

    def features(self, wave: Tensor) -> Tensor:
        return power_spectrogram(wave, self.window, self.hop)[:, self.first : self.end]


class LogSpectrogram(Spectrogram):
    """Log spectrogram: wave [B, N] -> ln(|STFT|^2 + FLOOR) [B, 1, F, T]; see `Spectrogram`."""

    def features(self, wave: Tensor) -> Tensor:
        return torch.log(super().features(wave) + FLOOR)
