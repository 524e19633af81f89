"""The pre-activation residual block with shrinkage at the end of its branch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drsn_audio.nn.masking import MaskedBatchNorm2d, apply_mask, frame_mask
from drsn_audio.nn.shrinkage import SHRINKAGES


class Conv2d(nn.Conv2d):
    """Convolution over [B, C, F, T] with ceil(T / stride) frames out, an odd kernel, no bias.

    In time it is centred, or, if `causal`, looks back only: frame j of the output sees input frames <= j * stride.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: tuple[int, int], *, causal: bool):
        super().__init__(
            channels_in,
            channels_out,
            kernel,
            stride,
            padding=(kernel // 2, 0 if causal else kernel // 2),
            bias=False,
        )
        self.look_back = kernel - 1 if causal else 0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.look_back, 0)) if self.look_back else x)


def downsample_lengths(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Lengths [B] in frames after a stride: rounded up, as the frames are."""
    return None if lengths is None else (lengths + stride - 1) // stride


def pool_shortcut(x: Tensor, stride: tuple[int, int], mask: Tensor | None, *, causal: bool) -> Tensor:
    """Average x [B, C, F, T] over windows of `stride`, valid frames only; aligned with `Conv2d`'s output."""
    if stride == (1, 1):
        return x
    valid = torch.ones_like(x[:1, :1]) if mask is None else mask.expand(-1, 1, x.shape[2], -1)
    pad_time = (stride[1] - 1, 0) if causal else (0, -x.shape[3] % stride[1])
    pad = (*pad_time, 0, -x.shape[2] % stride[0])

    def window_mean(y: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(y, pad), stride)

    return window_mean(apply_mask(x, mask)) / window_mean(valid).clamp(min=1e-6)


class ResidualBlock(nn.Module):
    """BN-ReLU-Conv, BN-ReLU-Conv, shrinkage, plus the identity: x [B, C, F, T] -> [B, C', ceil(F/s_f), ceil(T/s_t)].

    Nothing stands between the second convolution and the shrinkage. A strided identity is average-pooled, a wider
    one is padded with zero channels.
    """

    def __init__(self, channels_in: int, channels: int, stride: tuple[int, int], shrinkage: str, pool: str):
        super().__init__()
        self.stride, self.causal = stride, pool == "causal"
        self.new_channels = channels - channels_in
        self.bn1 = MaskedBatchNorm2d(channels_in)
        self.conv1 = Conv2d(channels_in, channels, 3, stride, causal=self.causal)
        self.bn2 = MaskedBatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, (1, 1), causal=self.causal)
        self.shrinkage = SHRINKAGES[shrinkage](channels, pool)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        mask = frame_mask(lengths, x.shape[3], x.dtype)
        branch = self.conv1(apply_mask(self.bn1(x, mask).relu(), mask))

        shortcut = pool_shortcut(x, self.stride, mask, causal=self.causal)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))

        lengths = downsample_lengths(lengths, self.stride[1])
        mask = frame_mask(lengths, branch.shape[3], x.dtype)
        branch = self.conv2(apply_mask(self.bn2(branch, mask).relu(), mask))
        return shortcut + self.shrinkage(branch, mask), lengths
