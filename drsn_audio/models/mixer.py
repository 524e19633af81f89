"""What stands behind the 2-D encoder where words are to be told: context over time."""

from __future__ import annotations

from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.memory import Memory
from drsn_audio.models.encoder import Features
from drsn_audio.nn.causal import Pooling
from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask
from drsn_audio.nn.residual import ResidualBlock

KERNEL = (1, 3)


class TemporalMixer(nn.Module):
    """Features -> [B, D, 1, T'] of the middle and of the end: frequency is joined into D channels, then come residual
    blocks with shrinkage, dilated in time by `config.mixer`.
    """

    def __init__(self, channels: int, bins: int, config: ModelConfig, frame_ms: float):
        super().__init__()
        width = config.mixer_width or channels
        self.join = nn.Conv2d(channels, width, (bins, 1), bias=False)
        pooling = Pooling(config.pool, config.pool_ms / frame_ms)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, width, (1, 1), config.mixer_shrinkage or config.shrinkage, pooling, KERNEL, dilation, config.gate_reduction)
            for dilation in config.mixer
        )
        self.output_norm = MaskedBatchNorm2d(width)
        self.channels = width

    def forward(self, features: Features, memory: Memory | None = None) -> tuple[Tensor, Tensor]:
        x, lengths = self.join(features.levels[-1]), features.lengths
        mask = frame_mask(lengths, x.shape[3], x.dtype)
        x = middle = apply_mask(x, mask)
        for index, block in enumerate(self.blocks, 1):
            x, _ = block(x, lengths, memory)
            if index == len(self.blocks) // 2:
                middle = x
        return middle, apply_mask(self.output_norm(x, mask).relu(), mask)
