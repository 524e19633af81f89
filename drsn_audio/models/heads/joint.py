"""Denoising and keywords on one encoder: an experiment, see recipes/denoise."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.memory import Memory
from drsn_audio.models.encoder import Features
from drsn_audio.models.heads.denoise import LOSSES, DenoiseHead
from drsn_audio.models.heads.keyword import KeywordHead


class JointHead(nn.Module):
    """Features -> [B, T, bins + K]: the gains of a `DenoiseHead`, then the logits of a causal `KeywordHead`."""

    def __init__(self, levels: list[tuple[int, int]], bins: int, config: ModelConfig, frame_ms: float):
        super().__init__()
        self.bins = bins
        self.denoise = DenoiseHead(levels, bins, config, frame_ms)
        self.keyword = KeywordHead(levels, bins, config, frame_ms)

    def forward(self, features: Features, memory: Memory | None = None) -> Tensor:
        return torch.cat([self.denoise(features, memory), self.keyword(features, memory).float()], -1)

    def loss(
        self,
        outputs: Tensor,
        noisy: Tensor,
        clean: Tensor,
        targets: Tensor,
        wanted: Iterable[str] = tuple(LOSSES),
        label_smoothing: float = 0.0,
    ) -> dict[str, Tensor]:
        """The losses of both: the `wanted` of the denoiser, and that of the word [B] at the end of each clip."""
        gains, logits = outputs[..., : self.bins], outputs[..., self.bins :]
        words = self.keyword.loss(logits, None, targets, label_smoothing)
        return self.denoise.loss(gains, noisy, clean, wanted) | words

    def last(self, outputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Logits [B, K] of each clip, see `KeywordHead.last`."""
        return self.keyword.last(outputs[..., self.bins :], lengths)
