"""The pre-activation residual block with shrinkage at the end of its branch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.memory import Memory, Remembers
from drsn_audio.nn.causal import Pooling
from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask
from drsn_audio.nn.shrinkage import SHRINKAGES


class Conv2d(Remembers, nn.Conv2d):
    """Convolution over [B, C, F, T] with ceil(T / stride) frames out, odd in frequency, no bias.

    In time it is centred and odd, too, or, if `causal`, looks back only: frame j of the output sees the input frames
    before (j + 1) * stride, and is there as soon as they are. `dilation` is that in time.

    Raises:
        ValueError: a kernel shorter in time than its stride, in a causal one: it would pass over frames.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        *,
        causal: bool,
        groups: int = 1,
        dilation: int = 1,
    ):
        padding = (kernel[0] // 2, 0 if causal else dilation * (kernel[1] // 2))
        super().__init__(
            channels_in, channels_out, kernel, stride, padding, dilation=(1, dilation), groups=groups, bias=False
        )
        self.look_back = dilation * (kernel[1] - 1) + 1 - stride[1] if causal else None
        if causal and kernel[1] < stride[1]:
            raise ValueError(f"a causal kernel of {kernel[1]} frames and a stride of {stride[1]}: use a longer kernel")

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        if self.look_back is None:
            return super().forward(x)
        x = F.pad(x, (0, -x.shape[3] % int(self.stride[1])))
        if memory is None:
            return super().forward(F.pad(x, (self.look_back, 0)))
        return super().forward(memory.extend(f"{self.memory_name}.input", x, self.look_back))


def downsample_lengths(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Lengths [B] in frames after a stride: rounded up, as the frames are."""
    return None if lengths is None else (lengths + stride - 1) // stride


def pool_shortcut(x: Tensor, stride: tuple[int, int], mask: Tensor | None) -> Tensor:
    """Average x [B, C, F, T] over windows of `stride`, valid frames only; aligned with `Conv2d`'s output."""
    if stride == (1, 1):
        return x
    valid = torch.ones_like(x[:1, :1]) if mask is None else mask.expand(-1, 1, x.shape[2], -1)
    pad = (0, -x.shape[3] % stride[1], 0, -x.shape[2] % stride[0])

    def window_mean(y: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(y, pad), stride)

    return window_mean(apply_mask(x, mask)) / window_mean(valid).clamp(min=1e-6)


class Separable(nn.Module):
    def __init__(self, a, b, kernel, stride, *, causal, dilation=1):
        super().__init__()
        self.dw = Conv2d(a, a, kernel, stride, causal=causal, groups=a, dilation=dilation)
        self.pw = nn.Conv2d(a, b, 1, bias=False)

    def forward(self, x, memory=None):
        return self.pw(self.dw(x, memory))


class ResidualBlock(nn.Module):
    """BN-ReLU-Conv, BN-ReLU-Conv, shrinkage, plus the identity: x [B, C, F, T] -> [B, C', ceil(F/s_f), ceil(T/s_t)].

    Nothing stands between the second convolution and the shrinkage. A strided identity is average-pooled, a wider
    one is padded with zero channels.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        stride: tuple[int, int],
        shrinkage: str,
        pooling: Pooling,
        kernel: tuple[int, int] = (3, 3),
        dilation: int = 1,
        separable: bool = False,
    ):
        super().__init__()
        self.stride = stride
        self.new_channels = channels - channels_in
        self.bn1 = MaskedBatchNorm2d(channels_in)
        self.conv1 = Conv2d(channels_in, channels, kernel, stride, causal=pooling.causal, dilation=dilation)
        self.bn2 = MaskedBatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, kernel, (1, 1), causal=pooling.causal, dilation=dilation)
        if separable:
            self.conv1 = Separable(channels_in, channels, kernel, stride, causal=pooling.causal, dilation=dilation)
            self.conv2 = Separable(channels, channels, kernel, (1, 1), causal=pooling.causal, dilation=dilation)
        self.shrinkage = SHRINKAGES[shrinkage](channels, pooling)

    def forward(self, x: Tensor, lengths: Tensor | None, memory: Memory | None = None) -> tuple[Tensor, Tensor | None]:
        mask = frame_mask(lengths, x.shape[3], x.dtype)
        branch = self.conv1(apply_mask(self.bn1(x, mask).relu(), mask), memory)

        shortcut = pool_shortcut(x, self.stride, mask)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))

        lengths = downsample_lengths(lengths, self.stride[1])
        mask = frame_mask(lengths, branch.shape[3], x.dtype)
        branch = self.conv2(apply_mask(self.bn2(branch, mask).relu(), mask), memory)
        return shortcut + self.shrinkage(branch, mask, memory), lengths
