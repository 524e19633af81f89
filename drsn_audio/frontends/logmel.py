"""Log-mel spectrogram."""

from __future__ import annotations

from torch import Tensor

from drsn_audio.config import FrontendConfig
from drsn_audio.frontends.mel import MelFrontend
from drsn_audio.memory import Memory


def log_mel(power: Tensor, floor: float) -> Tensor:
    """Power in mel bands [B, F, T] -> ln(power + floor)."""
    return (power + floor).log()


class LogMel(MelFrontend):
    """Log-mel spectrogram: wave [B, N] -> [B, 1, n_mels, T], natural logarithm of power. Davis & Mermelstein 1980."""

    def __init__(self, config: FrontendConfig):
        super().__init__(config, config.n_mels)

    def features(self, samples: Tensor, memory: Memory | None = None) -> Tensor:
        return log_mel(self.mel(samples), self.floor)
