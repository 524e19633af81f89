"""Soft thresholding with learned thresholds, and what stands in its place in the baselines.

Zhao, Zhong, Fu, Tang, Pecht, "Deep Residual Shrinkage Networks for Fault Diagnosis", IEEE Trans. Industrial
Informatics 16(7):4681-4690, 2020. Squeeze-and-excitation: Hu, Shen, Sun, CVPR 2018.

All modules here map x [B, C, F, T], a mask [B, 1, 1, T] (or None) and, where they look back, a memory (None: x is all
there is) to the shape of x.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.errors import InputError
from drsn_audio.memory import Memory
from drsn_audio.nn.causal import POOLS, CausalMean, Pooling
from drsn_audio.nn.masking import MaskedBatchNorm2d, masked_mean
from drsn_audio.nn.threshold import mean_magnitude, soft_threshold

CLIP = Pooling()
FLOOR = 0.01


class Gate(nn.Module):
    """The paper's small network: a statistic [B, C, F', T'] -> a factor in (0, 1), [B, out, F', T'].

    FC(C)-BN-ReLU-FC(out)-sigmoid; the fully connected layers are 1x1 convolutions, so that the same network serves
    one statistic a channel (F' = T' = 1), one a channel and frequency, and one a frame.
    """

    def __init__(self, channels: int, out: int, hidden: int = 0):
        super().__init__()
        hidden = hidden or channels
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


class ContextGate(nn.Module):
    """`Gate` that also hears a band's neighbours, and has an offset of its own for each channel and band."""

    def __init__(self, channels_in: int, channels: int, out: int, bins: int, neighbours: bool):
        super().__init__()
        self.fc1 = nn.Conv2d(channels_in, channels, 1)
        self.bn = MaskedBatchNorm2d(channels)
        self.fc2 = nn.Conv2d(channels, out, 1)
        self.neighbours = (
            nn.Conv2d(channels_in, channels_in, (5, 1), padding=(2, 0), groups=channels_in, bias=False)
            if neighbours
            else None
        )
        self.offset = nn.Parameter(torch.zeros(1, out, bins, 1)) if neighbours else None
        if self.neighbours is not None:
            nn.init.zeros_(self.neighbours.weight)

    def forward(self, statistic: Tensor, mask: Tensor | None) -> Tensor:
        per_frame = mask if statistic.shape[3] > 1 else None
        if self.neighbours is not None:
            statistic = statistic + self.neighbours(statistic)
        hidden = self.bn(_dense(self.fc1, statistic), per_frame).relu()
        logit = _dense(self.fc2, hidden)
        return (logit if self.offset is None else logit + self.offset).sigmoid()


class StaticGate(nn.Module):
    """No network: a learned alpha for each channel and band, the same for all inputs."""

    def __init__(self, channels: int, bins: int, start: float):
        super().__init__()
        self.logit = nn.Parameter(torch.full((1, channels, bins, 1), math.log(start / (1 - start))))

    def forward(self, statistic: Tensor, mask: Tensor | None) -> Tensor:
        return self.logit.sigmoid()


class ChannelWiseShrinkage(nn.Module):
    """DRSN-CW: tau_c = alpha_c * A_c with A_c the mean of |x_c|; one A a channel and frequency if `per_frequency`.

    Variants: `law`, soft | garrote | multiply (by alpha, instead of a threshold); `start`, the alpha that training
    begins with; `scale`, learned factors a channel; `floor`, A is the geometric mean; `deviation`, the gate hears the
    root mean square, too; `neighbours`, and the bands beside; `gain`, it also multiplies.
    """

    def __init__(
        self,
        channels: int,
        pooling: Pooling = CLIP,
        per_frequency: bool = False,
        law: str = "soft",
        start: float = 0.5,
        scale: bool = False,
        floor: bool = False,
        deviation: bool = False,
        neighbours: bool = False,
        gain: bool = False,
        static: bool = False,
        rank: int = 0,
        jitter: float = 0.0,
        normalise: float = 0.0,
        local_s: float = 0.0,
    ):
        super().__init__()
        self.law, self.floor = law, floor
        self.pool = Pool(channels, pooling, per_frequency=per_frequency, positive=not floor)
        self.square_pool = Pool(channels, pooling, per_frequency=per_frequency, positive=True) if deviation else None
        heard = channels * (2 if deviation else 1)
        out = channels * (2 if gain else 1)
        plain = not (deviation or neighbours or gain)
        self.gate = Gate(channels, channels) if plain else ContextGate(heard, channels, out, pooling.bins, neighbours)
        if rank:
            self.gate = Gate(channels, channels, max(4, channels // rank))
        if static:
            self.gate = StaticGate(channels, pooling.bins, start)
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1)) if scale else None
        self.gain = gain
        self.jitter = jitter
        self.exponent = nn.Parameter(torch.full((1, channels, 1, 1), normalise)) if normalise else None
        # Average over so many seconds around each frame, in place of the clip; `frames` are those of one second.
        self.window = 2 * max(1, round(local_s * pooling.frames / 2)) + 1 if local_s else 0
        if start != 0.5 and not static:
            nn.init.constant_(self.gate.fc2.bias, math.log(start / (1 - start)))

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        if self.window:
            pad = (0, self.window // 2)
            average = F.avg_pool2d(x.abs(), (1, self.window), 1, pad, count_include_pad=False)
        elif mask is None and self.pool.causal is None and not self.floor:
            average, x = mean_magnitude(x, self.pool.dim)  # the same, in a quarter of the time
        elif self.floor:
            average = self.pool((x.abs() + FLOOR).log(), mask, memory).exp()
        else:
            average = self.pool(x.abs(), mask, memory)
        heard = average
        if self.square_pool is not None:
            heard = torch.cat([average, (self.square_pool(x.square(), mask, memory) + 1e-8).sqrt()], 1)
        alpha = self.gate(heard, mask)
        if self.gain:
            alpha, gain = alpha.chunk(2, 1)
            return 2 * gain * soft_threshold(x, alpha * average)
        if self.law == "multiply":
            return x * alpha
        if self.jitter and self.training:
            alpha = alpha * (1 + self.jitter * (2 * torch.rand_like(alpha[:, :, :1]) - 1))
        tau = self.scaled(alpha, average)
        if self.law == "garrote":
            return x * (1 - tau.square() / x.square().clamp(min=1e-8)).clamp(min=0)
        if self.exponent is not None:
            return soft_threshold(x, tau) * (average + 0.01) ** -self.exponent
        return soft_threshold(x, tau)

    def threshold(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """tau, [B, C or 1, 1 or F, 1 or T], in [0, A]."""
        average = self.pool(x.abs(), mask)
        return self.scaled(self.gate(average, mask), average)

    def scaled(self, alpha: Tensor, average: Tensor) -> Tensor:
        """alpha, and A [B, C, 1 or F, 1 or T] -> tau."""
        tau = alpha * average
        return tau if self.log_scale is None else self.log_scale.exp() * tau


class ChannelSharedShrinkage(ChannelWiseShrinkage):
    """DRSN-CS: one threshold for all channels. The gate sees every A_c; the A it multiplies is their mean."""

    def __init__(self, channels: int, pooling: Pooling = CLIP):
        super().__init__(channels, pooling)
        self.gate = Gate(channels, 1)

    def scaled(self, alpha: Tensor, average: Tensor) -> Tensor:
        return alpha * average.mean(1, keepdim=True)


class SqueezeExcitation(nn.Module):
    """The control: the identical sub-network, multiplying x instead of thresholding it.

    Its statistic is mean x, or with `magnitude` mean |x|, as that of a threshold: then nothing else differs.
    """

    def __init__(self, channels: int, pooling: Pooling = CLIP, per_frequency: bool = False, magnitude: bool = False):
        super().__init__()
        self.magnitude = magnitude
        self.pool = Pool(channels, pooling, per_frequency=per_frequency, positive=magnitude)
        self.gate = Gate(channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        return x * self.gate(self.pool(x.abs() if self.magnitude else x, mask, memory), mask)


class NoShrinkage(nn.Module):
    """Identity: with it the network is a plain pre-activation ResNet."""

    def __init__(self, channels: int, pooling: Pooling = CLIP):
        super().__init__()

    def forward(self, x: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        return x


VARIANTS: dict[str, dict[str, Any]] = {
    "multiply": {"law": "multiply"},
    "start": {"start": 0.1},
    "garrote": {"law": "garrote"},
    "scale": {"scale": True},
    "floor": {"floor": True},
    "deviation": {"deviation": True},
    "neighbours": {"neighbours": True},
    "gain": {"gain": True},
    "local": {"local_s": 0.3},
    "static": {"static": True},
    "multiply-deviation": {"law": "multiply", "deviation": True},
    "multiply-low": {"law": "multiply", "rank": 4},
    "high": {"start": 0.75},
    "low-high": {"rank": 4, "start": 0.75},
    "jitter": {"jitter": 0.5},
    "jitter1": {"jitter": 1.0},
    "norm": {"normalise": 0.5},
    "low": {"rank": 4},
    "low-start": {"rank": 4, "start": 0.1},
    "static-start": {"static": True, "start": 0.1},
}


def _variant(channels: int, pooling: Pooling, **options: Any) -> nn.Module:
    return ChannelWiseShrinkage(channels, pooling, per_frequency=True, **options)


SHRINKAGES: dict[str, Callable[[int, Pooling], nn.Module]] = {
    "none": NoShrinkage,
    "se": SqueezeExcitation,
    "se-frequency": lambda channels, pooling: SqueezeExcitation(channels, pooling, per_frequency=True),
    "gate": lambda channels, pooling: SqueezeExcitation(channels, pooling, magnitude=True),
    "gate-frequency": lambda channels, pooling: SqueezeExcitation(
        channels, pooling, per_frequency=True, magnitude=True
    ),
    "cs": ChannelSharedShrinkage,
    "cw": ChannelWiseShrinkage,
    "cw-frequency": lambda channels, pooling: ChannelWiseShrinkage(channels, pooling, per_frequency=True),
    **{f"cw-frequency-{name}": partial(_variant, **options) for name, options in VARIANTS.items()},
}
