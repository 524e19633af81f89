"""Keyword classification: which of K words a clip holds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.models.encoder import Features
from drsn_audio.nn.masking import frame_mask, masked_mean


class KeywordHead(nn.Module):
    """Features -> logits [B, K] of the clip, or, with pool="causal", [B, T', K] of all that was heard until then.

    Each channel is summed over frequency with learned weights (where in frequency a feature stands matters),
    averaged over time, and mapped to the labels. BC-ResNet does the first itself, and has no dropout here.
    """

    def __init__(self, channels: int, bins: int, config: ModelConfig):
        super().__init__()
        self.causal = config.pool == "causal"
        self.collapse: nn.Module = nn.Identity()
        self.dropout: nn.Module = nn.Identity()
        if config.encoder != "bc-resnet":
            self.collapse = nn.Conv2d(channels, channels, (bins, 1), groups=channels, bias=False)
            nn.init.normal_(self.collapse.weight, 1 / bins, 0.5 / bins)
            self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(channels, len(config.labels))

    def forward(self, features: Features) -> Tensor:
        x = self.collapse(features.levels[-1])
        if self.causal:
            frames = torch.arange(1, x.shape[3] + 1, device=x.device, dtype=x.dtype)
            summary = (x.cumsum(3) / frames).squeeze(2).transpose(1, 2)
        else:
            summary = masked_mean(x, frame_mask(features.lengths, x.shape[3], x.dtype), (3,)).flatten(1)
        return self.linear(self.dropout(summary))

    def loss(
        self,
        logits: Tensor,
        lengths: Tensor | None,
        targets: Tensor,
        label_smoothing: float = 0.0,
        log_prior: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Cross-entropy of targets [B]: of the clip's logits, or of the last valid frame's where causal.

        `log_prior` [K] is added to the logits, which then need not know it: logit adjustment for classes that are
        more frequent in training than in use (Menon et al. 2021, arXiv:2007.07314).
        """
        last = self.last(logits, lengths)
        if log_prior is not None:
            last = last + log_prior
        return {"cross_entropy": F.cross_entropy(last, targets, label_smoothing=label_smoothing)}

    def last(self, logits: Tensor, lengths: Tensor | None) -> Tensor:
        """Logits [B, K] at the end of each clip."""
        if not self.causal:
            return logits
        if lengths is None:
            return logits[:, -1]
        return logits[torch.arange(len(logits), device=logits.device), lengths - 1]
