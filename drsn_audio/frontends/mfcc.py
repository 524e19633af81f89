"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchaudio.functional import create_dct

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends.logmel import log_mel
from drsn_audio.frontends.mel import MelFrontend
from drsn_audio.memory import Memory


def mfcc(log_mel: Tensor, dct: Tensor) -> Tensor:
    """Log-mel spectrogram [B, F, T] and a discrete cosine transform [F, n_mfcc] -> coefficients [B, n_mfcc, T]."""
    return (log_mel.transpose(1, 2) @ dct).transpose(1, 2)


def lifter_weights(count: int, lifter: int) -> Tensor:
    """[count]: 1 + lifter / 2 * sin(pi (i + 1) / lifter), as librosa weighs coefficient i; ones for a lifter of 0."""
    if lifter == 0:
        return torch.ones(count)
    return 1 + lifter / 2 * torch.sin(math.pi * torch.arange(1, count + 1) / lifter)


class Mfcc(MelFrontend):
    """MFCC: wave [B, N] -> [B, 1, n_mfcc, T], orthonormal DCT-II of the log-mel spectrogram (natural logarithm).

    Davis & Mermelstein 1980. Coefficient 0, the loudness, is the first row; each is weighed by `lifter_weights`.

    Raises:
        ConfigError: more coefficients than mel bands, or none; a negative lifter.
    """

    dct: Tensor

    def __init__(self, config: FrontendConfig):
        if not 1 <= config.n_mfcc <= config.n_mels:
            raise ConfigError(f"model.frontend.n_mfcc={config.n_mfcc}: use 1 to n_mels={config.n_mels}")
        if config.lifter < 0:
            raise ConfigError(f"model.frontend.lifter={config.lifter}: use 0 for none, or e.g. 22")
        super().__init__(config, config.n_mfcc)
        dct = create_dct(config.n_mfcc, config.n_mels, "ortho") * lifter_weights(config.n_mfcc, config.lifter)
        self.register_buffer("dct", dct, persistent=False)

    def features(self, samples: Tensor, memory: Memory | None = None) -> Tensor:
        return mfcc(log_mel(self.mel(samples), self.floor), self.dct)
