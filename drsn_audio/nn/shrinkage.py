"""Soft thresholding with learned thresholds, and what stands in its place in the baselines.

Zhao, Zhong, Fu, Tang, Pecht, "Deep Residual Shrinkage Networks for Fault Diagnosis", IEEE Trans. Industrial
Informatics 16(7):4681-4690, 2020. Squeeze-and-excitation: Hu, Shen, Sun, CVPR 2018.

All modules here map x [B, C, F, T], a mask [B, 1, 1, T] (or None) and, where they look back, a memory (None: x is all
there is) to the shape of x.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.errors import InputError
from drsn_audio.memory import Memory
from drsn_audio.nn.causal import POOLS, CausalMean, Pooling
from drsn_audio.nn.masking import MaskedBatchNorm2d, masked_mean
from drsn_audio.nn.threshold import mean_magnitude, soft_threshold

CLIP = Pooling()
NARROWEST = 8  # channels in the middle of a gate with a reduction


class Gate(nn.Module):
    """The paper's small network: a statistic [B, C, F', T'] -> a factor in (0, 1), [B, out, F', T'].

    FC(C / reduction)-BN-ReLU-FC(out)-sigmoid; the reduction is 1 in the paper, the r of squeeze-and-excitation, and
    leaves `NARROWEST` channels at least. The fully connected layers are 1x1 convolutions, so that the same network
    serves one statistic a channel (F' = T' = 1), one a channel and frequency, and one a frame.
    """

    def __init__(self, channels: int, out: int, reduction: int = 1):
        super().__init__()
        hidden = channels if reduction == 1 else min(channels, max(NARROWEST, channels // reduction))
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.bn = MaskedBatchNorm2d(hidden)
        self.fc2 = nn.Conv2d(hidden, out, 1)

    def forward(self, statistic: Tensor, mask: Tensor | None) -> Tensor:
        per_frame = mask if statistic.shape[3] > 1 else None
        hidden = self.bn(_dense(self.fc1, statistic), per_frame).relu()
        return _dense(self.fc2, hidden).sigmoid()


def _dense(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution as the matrix product that it is: on so few values a convolution is mostly preparation."""
    return F.linear(x.movedim(1, -1), layer.weight.flatten(1), layer.bias).movedim(-1, 1)


class Pool(nn.Module):
    """Average over time (and over frequency, unless `per_frequency`): of the clip, or of the past only.

    clip:   x [B, C, F, T] -> [B, C, 1 or F, 1]     causal: -> [B, C, 1 or F, T]
    """

    def __init__(self, channels: int, pooling: Pooling, *, per_frequency: bool, positive: bool):
        super().__init__()
        if pooling.kind not in POOLS:
            raise InputError(f"pool={pooling.kind!r} is unknown: use one of {', '.join(POOLS)}")
        self.dim = (3,) if per_frequency else (2, 3)
        self.causal: CausalMean | None = None
        if pooling.causal:
            self.causal = CausalMean(channels, pooling, per_frequency=per_frequency, positive=positive)

    def forward(self, x: Tensor, mask: Tensor | None, memory: Memory | None = None) -> Tensor:
        if self.causal is None:
            return masked_mean(x, mask, self.dim)
        return self.causal(x, Memory() if memory is None else memory)


class ChannelWiseShrinkage(nn.Module):
    """DRSN-CW: tau_c = alpha_c * A_c with A_c the mean of |x_c|; one A a channel and frequency if `per_frequency`."""

    def __init__(self, channels: int, pooling: Pooling = CLIP, reduction: int = 1, per_frequency: bool = False):
        super().__init__()
        self.pool = Pool(channels, pooling, per_frequency=per_frequency, positive=True)
        self.gate = Gate(channels, channels, reduction)

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        if mask is None and self.pool.causal is None:
            average, x = mean_magnitude(x, self.pool.dim)  # the same, in a quarter of the time
        else:
            average = self.pool(x.abs(), mask, memory)
        return soft_threshold(x, self.scaled(self.gate(average, mask), average))

    def threshold(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """tau, [B, C or 1, 1 or F, 1 or T], in [0, A]."""
        average = self.pool(x.abs(), mask)
        return self.scaled(self.gate(average, mask), average)

    def scaled(self, alpha: Tensor, average: Tensor) -> Tensor:
        """alpha, and A [B, C, 1 or F, 1 or T] -> tau."""
        return alpha * average


class ChannelSharedShrinkage(ChannelWiseShrinkage):
    """DRSN-CS: one threshold for all channels. The gate sees every A_c; the A it multiplies is their mean."""

    def __init__(self, channels: int, pooling: Pooling = CLIP, reduction: int = 1):
        super().__init__(channels, pooling, reduction)
        self.gate = Gate(channels, 1, reduction)

    def scaled(self, alpha: Tensor, average: Tensor) -> Tensor:
        return alpha * average.mean(1, keepdim=True)


class SqueezeExcitation(nn.Module):
    """The control: the identical sub-network, multiplying x instead of thresholding it.

    Its statistic is mean x, or with `magnitude` mean |x|, as that of a threshold: then nothing else differs.
    """

    def __init__(
        self,
        channels: int,
        pooling: Pooling = CLIP,
        reduction: int = 1,
        per_frequency: bool = False,
        magnitude: bool = False,
    ):
        super().__init__()
        self.magnitude = magnitude
        self.pool = Pool(channels, pooling, per_frequency=per_frequency, positive=magnitude)
        self.gate = Gate(channels, channels, reduction)

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        return x * self.gate(self.pool(x.abs() if self.magnitude else x, mask, memory), mask)


class NoShrinkage(nn.Module):
    """Identity: with it the network is a plain pre-activation ResNet."""

    def __init__(self, channels: int, pooling: Pooling = CLIP, reduction: int = 1):
        super().__init__()

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        return x


class AbsoluteShrinkage(ChannelWiseShrinkage):
    """tau = alpha * s with s a learned scale of each channel (begins at 0.5): it may pass the mean, and close a channel."""

    def __init__(self, channels: int, pooling: Pooling = CLIP, reduction: int = 1):
        super().__init__(channels, pooling, reduction, per_frequency=True)
        self.log_scale = nn.Parameter(torch.full((1, channels, 1, 1), -0.7))

    def scaled(self, alpha: Tensor, average: Tensor) -> Tensor:
        return alpha * self.log_scale.exp()


# name -> of channels, pooling and the gate's reduction
SHRINKAGES: dict[str, Callable[..., nn.Module]] = {
    "none": NoShrinkage,
    "se": SqueezeExcitation,
    "se-frequency": partial(SqueezeExcitation, per_frequency=True),
    "gate": partial(SqueezeExcitation, magnitude=True),
    "gate-frequency": partial(SqueezeExcitation, per_frequency=True, magnitude=True),
    "cs": ChannelSharedShrinkage,
    "cw": ChannelWiseShrinkage,
    "absolute": AbsoluteShrinkage,
    "cw-frequency": partial(ChannelWiseShrinkage, per_frequency=True),
}
