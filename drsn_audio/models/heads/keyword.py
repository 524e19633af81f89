"""Keyword classification: which of K words a clip holds."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.labels import SILENCE
from drsn_audio.memory import Memory
from drsn_audio.models.encoder import Features
from drsn_audio.models.mixer import TemporalMixer
from drsn_audio.nn.masking import frame_mask, masked_mean
from drsn_audio.nn.residual import Conv2d


class KeywordHead(nn.Module):
    """Features -> logits [B, K] of the clip, or, of a causal model, [B, T', K] of the last `clip_s` before each frame.

    Each channel is summed over frequency with learned weights (where in frequency a feature stands matters), averaged
    over time (causal: with learned weights, too), and mapped to the labels. BC-ResNet does the first itself, and has
    no dropout here.
    """

    def __init__(self, levels: list[tuple[int, int]], bins: int, config: ModelConfig, frame_ms: float):
        super().__init__()
        channels, bins = levels[-1]
        self.collapse: nn.Module = nn.Identity()
        self.dropout: nn.Module = nn.Identity()
        self.window: Conv2d | None = None
        if config.encoder != "bc-resnet" and not config.mixer:
            self.collapse = nn.Conv2d(channels, channels, (bins, 1), groups=channels, bias=False)
            nn.init.normal_(self.collapse.weight, 1 / bins, 0.5 / bins)
            self.dropout = nn.Dropout(config.dropout)
        self.mixer = None
        if config.mixer and config.encoder != "bc-resnet":
            self.mixer = TemporalMixer(channels, bins, config, frame_ms)
            channels = self.mixer.channels
            self.dropout = nn.Dropout(config.dropout)
        if config.pool != "clip":
            frames = math.ceil(1000 * config.clip_s / frame_ms)
            self.window = Conv2d(channels, channels, (1, frames), (1, 1), causal=True, groups=channels)
            nn.init.constant_(self.window.weight, 1 / frames)
        surest = config.clip_answer == "surest" and SILENCE in config.labels
        self.silence = config.labels.index(SILENCE) if surest else None
        self.pooling = config.head_pool
        if self.pooling == "att":
            self.attention = nn.Conv2d(channels, channels, 1)
            nn.init.zeros_(self.attention.weight)
        if self.pooling == "meanmax":
            channels *= 2
        self.linear = nn.Linear(channels, len(config.labels))

    def forward(self, features: Features, memory: Memory | None = None) -> Tensor:
        x = self.collapse(features.levels[-1]) if self.mixer is None else self.mixer(features, memory)[1]
        if self.pooling == "att":
            summary = (x * self.attention(x).softmax(3)).sum(3).flatten(1)
        elif self.pooling == "meanmax":
            summary = torch.cat([x.mean(3), x.amax(3)], 1).flatten(1)
        elif self.pooling == "lse":
            summary = (torch.logsumexp(x * self.sharp, 3) / self.sharp[..., 0]).flatten(1)
        elif self.window is None:
            summary = masked_mean(x, frame_mask(features.lengths, x.shape[3], x.dtype), (3,)).flatten(1)
        else:
            summary = self.window(x, memory).squeeze(2).transpose(1, 2)
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
        """Logits [B, K] of each clip: of a causal model those of its last frame, lengths [B] in frames.

        With clip_answer="surest", for models that answer when a word ends, wherever in the clip that is, those of the
        frame in which "silence" is least probable.
        """
        if self.window is None:
            return logits
        lengths = torch.full((len(logits),), logits.shape[1], device=logits.device) if lengths is None else lengths
        frame = lengths - 1
        if self.silence is not None:
            silence = logits.float().log_softmax(-1)[..., self.silence]
            beyond = torch.arange(logits.shape[1], device=logits.device) >= lengths[:, None]
            frame = silence.masked_fill(beyond, 1.0).argmin(1)
        return logits[torch.arange(len(logits), device=logits.device), frame]


def frame_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Mean of -log(probability that the answer is an allowed one), over the frames that do not allow all.

    logits, allowed (bool): [B, T', K], at least one label allowed a frame.
    """
    logits = logits.float()
    right = logits.masked_fill(~allowed, float("-inf")).logsumexp(-1)
    loss = logits.logsumexp(-1) - right
    counted = ~allowed.all(-1)
    return (loss * counted).sum() / counted.sum().clamp(min=1)
