"""BC-ResNet, a baseline without shrinkage: most of a block is 1-D in time, and is broadcast back over frequency.

Kim, Chang, Lee, Sung, "Broadcasted Residual Learning for Efficient Keyword Spotting", Interspeech 2021,
arXiv:2106.04140.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.config import ConfigError, ModelConfig
from drsn_audio.memory import Memory
from drsn_audio.models.encoder import Features
from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask
from drsn_audio.nn.subspectral import SubSpectralNorm

BINS = 40  # halved three times, and what is left is the height of the last kernel
BANDS = 5
WIDTHS = (1.0, 1.5, 2.0, 2.5)  # of the stages, in base channels
STRIDES = (1, 2, 2, 1)  # in frequency; time is never strided
DILATIONS = (1, 2, 4, 8)  # in time


class BroadcastedBlock(nn.Module):
    """x [B, C, F, T] -> [B, C', ceil(F / stride), T]: ReLU of x + f2(x) + broadcast(f1(mean over frequency of f2(x))).

    f2 is a convolution along frequency, f1 one along time. A block that changes the number of channels starts with a
    1x1 convolution, and has no x in its sum.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, dilation: int, dropout: float):
        super().__init__()
        self.transition = channels_in != channels
        if self.transition:
            self.widen = nn.Conv2d(channels_in, channels, 1, bias=False)
            self.widen_norm = MaskedBatchNorm2d(channels)
        self.frequency = nn.Conv2d(channels, channels, (3, 1), (stride, 1), (1, 0), groups=channels, bias=False)
        self.frequency_norm = SubSpectralNorm(channels, BANDS)
        self.temporal = nn.Conv2d(
            channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), groups=channels, bias=False
        )
        self.temporal_norm = MaskedBatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        widened = self.widen_norm(self.widen(x), mask).relu() if self.transition else x
        local = self.frequency_norm(self.frequency(widened), mask)
        context = self.temporal(apply_mask(_frequency_mean(local), mask))
        context = self.dropout(self.pointwise(F.silu(self.temporal_norm(context, mask))))
        return _broadcast_add(local if self.transition else x + local, context).relu()


def _frequency_mean(x: Tensor) -> Tensor:
    """[B, C, F, T] -> [B, C, 1, T]."""
    if not x.is_contiguous(memory_format=torch.channels_last):
        return x.mean(2, keepdim=True)
    return _unfold(_fold(x).mean(1, keepdim=True), x)


def _broadcast_add(x: Tensor, context: Tensor) -> Tensor:
    """x [B, C, F, T] and context [B, C, 1, T] -> their sum over all F."""
    if not x.is_contiguous(memory_format=torch.channels_last):
        return x + context
    return _unfold(_fold(x) + _fold(context), x)


def _fold(x: Tensor) -> Tensor:
    """[B, C, F, T], channels last -> [B, F, T C], the same memory: sums over F here take an eighth of the time."""
    return x.permute(0, 2, 3, 1).flatten(2)


def _unfold(folded: Tensor, like: Tensor) -> Tensor:
    return folded.unflatten(2, (like.shape[3], like.shape[1])).permute(0, 3, 1, 2)


class BCResNet(nn.Module):
    """Spectrogram [B, 1, 40, T] -> Features of one level [B, 4 width, 1, T], which the head need only average.

    `config.width` is the paper's 8 tau, `config.blocks` its 2, 2, 4, 4. Each bin of the input is standardised by the
    training set's mean and variance, without a trained gain or offset: the paper has no such step, but is for a
    log-mel of another scale, and the DRSN encoder has one.

    Raises:
        ConfigError: a pool other than "clip", other than 40 bins, an odd width, or other than four stages.
    """

    def __init__(self, bins: int, config: ModelConfig):
        super().__init__()
        _check(bins, config)
        self.input_norm = MaskedBatchNorm2d(bins, affine=False)
        channels = 2 * config.width
        self.stem = nn.Conv2d(1, channels, 5, (2, 1), 2, bias=False)
        self.stem_norm = MaskedBatchNorm2d(channels)
        self.blocks = nn.ModuleList()
        for count, widening, stride, dilation in zip(config.blocks, WIDTHS, STRIDES, DILATIONS, strict=True):
            wider = round(widening * config.width)
            for index in range(count):
                step = stride if index == 0 else 1
                self.blocks.append(BroadcastedBlock(channels, wider, step, dilation, config.dropout))
                channels = wider
        self.collapse = nn.Conv2d(channels, channels, 5, padding=(0, 2), groups=channels, bias=False)
        self.levels = [(4 * config.width, 1)]
        self.time_strides: list[int] = []
        self.output = nn.Conv2d(channels, 4 * config.width, 1, bias=False)
        self.output_norm = MaskedBatchNorm2d(4 * config.width)

    def forward(self, spectrogram: Tensor, lengths: Tensor | None = None, memory: Memory | None = None) -> Features:
        mask = frame_mask(lengths, spectrogram.shape[3], spectrogram.dtype)
        x = self.input_norm(spectrogram.transpose(1, 2), mask).transpose(1, 2)
        x = self.stem_norm(self.stem(apply_mask(x, mask)), mask).relu()
        for block in self.blocks:
            x = block(x, mask)
        x = self.output(self.collapse(apply_mask(x, mask)))
        return Features([apply_mask(self.output_norm(x, mask).relu(), mask)], lengths)

    def output_lengths(self, lengths: Tensor | None) -> Tensor | None:
        """Lengths [B] in frames of the spectrogram -> of the features: the same."""
        return lengths


def _check(bins: int, config: ModelConfig) -> None:
    if config.pool != "clip":
        raise ConfigError(f"model.pool={config.pool!r}: bc-resnet hears whole clips: set clip, or choose a drsn preset")
    if config.shrinkage:
        raise ConfigError(f"model.shrinkage={config.shrinkage!r}: bc-resnet has none: leave it out")
    if bins != BINS:
        raise ConfigError(f"model.frontend.n_mels={bins}: bc-resnet is made for {BINS}: set {BINS}")
    if len(config.blocks) != len(WIDTHS):
        raise ConfigError(f"model.blocks={list(config.blocks)}: bc-resnet has four stages: give [2,2,4,4]")
    if config.width % 2:
        raise ConfigError(f"model.width={config.width}: bc-resnet's is even (its stages are 1, 1.5, 2 and 2.5 as wide)")
