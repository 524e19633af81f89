"""The 2-D encoder: a stem and stages of residual blocks, with shrinkage or a baseline in the same place."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

from drsn_audio.config import ModelConfig
from drsn_audio.memory import Memory
from drsn_audio.nn.causal import Pooling
from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask
from drsn_audio.nn.residual import Conv2d, ResidualBlock, downsample_lengths


class Features(NamedTuple):
    """Feature maps [B, C, F', T'] from fine to coarse, and the lengths [B] of the last in frames (or None)."""

    levels: list[Tensor]
    lengths: Tensor | None


class Stage(nn.ModuleList):
    """Residual blocks of one width, of which the first strides."""

    def __init__(
        self, channels_in: int, channels: int, stride: tuple[int, int], count: int, shrinkage: str, pooling: Pooling,
        dilation: int = 1,
    ):
        first = ResidualBlock(channels_in, channels, stride, shrinkage, pooling, dilation=dilation)
        rest = (ResidualBlock(channels, channels, (1, 1), shrinkage, pooling, dilation=dilation) for _ in range(count - 1))
        super().__init__([first, *rest])

    def forward(self, x: Tensor, lengths: Tensor | None, memory: Memory | None = None) -> tuple[Tensor, Tensor | None]:
        for block in self:
            x, lengths = block(x, lengths, memory)
        return x, lengths


class Encoder(nn.Module):
    """Spectrogram [B, 1, F, T] -> Features: one level a stage, channels doubling from `config.width`, or `widths`.

    `levels` are the channels and bins of each. The input is normalised per frequency bin by BatchNorm (statistics of
    the training set, not of the clip).
    """

    def __init__(self, bins: int, config: ModelConfig):
        super().__init__()
        self.input_norm = MaskedBatchNorm2d(bins)
        stem_stride, kernel = (config.stem_stride[0], config.stem_stride[1]), (config.stem_kernel, config.stem_kernel)
        widths = config.widths or [config.width * 2**index for index in range(len(config.blocks))]
        self.stem = Conv2d(1, widths[0], kernel, stem_stride, causal=config.pool != "clip")
        self.stages = nn.ModuleList()
        self.time_strides = [stem_stride[1]]
        for _ in config.blocks[1:]:
            further = not config.time_reduction or 2 * math.prod(self.time_strides) <= config.time_reduction
            self.time_strides.append(2 if further else 1)
        self.levels = []
        channels, bins = widths[0], _ceil_div(bins, stem_stride[0])
        for index, (count, wider) in enumerate(zip(config.blocks, widths, strict=True)):
            stride = (1, 1) if index == 0 else (2, self.time_strides[index])
            bins = _ceil_div(bins, stride[0])
            frame_ms = config.frontend.hop_ms * math.prod(self.time_strides[: index + 1])
            pooling = Pooling(config.pool, config.pool_ms / frame_ms, bins)
            self.stages.append(Stage(channels, wider, stride, count, config.shrinkage, pooling, (list(config.dilations) or [1] * len(widths))[index]))
            channels = wider
            self.levels.append((channels, bins))
        self.output_norm = MaskedBatchNorm2d(channels)

    def forward(self, spectrogram: Tensor, lengths: Tensor | None = None, memory: Memory | None = None) -> Features:
        mask = frame_mask(lengths, spectrogram.shape[3], spectrogram.dtype)
        x = self.input_norm(spectrogram.transpose(1, 2), mask).transpose(1, 2)
        x = self.stem(apply_mask(x, mask), memory)
        lengths = downsample_lengths(lengths, int(self.stem.stride[1]))
        levels = []
        for stage in self.stages:
            x, lengths = stage(x, lengths, memory)
            levels.append(x)
        mask = frame_mask(lengths, x.shape[3], x.dtype)
        levels[-1] = apply_mask(self.output_norm(x, mask).relu(), mask)
        return Features(levels, lengths)

    def output_lengths(self, lengths: Tensor | None) -> Tensor | None:
        """Lengths [B] in frames of the spectrogram -> of the last level."""
        for stride in self.time_strides:
            lengths = downsample_lengths(lengths, stride)
        return lengths


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)
