"""Length masks: what lies beyond the end of a clip never enters a convolution, an average or a statistic.

A mask is float [B, 1, 1, T], 1 on valid frames, or None where every frame of the batch is valid.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def frame_mask(lengths: Tensor | None, num_frames: int, dtype: torch.dtype = torch.float32) -> Tensor | None:
    """lengths [B] in frames -> mask [B, 1, 1, T]; None where there are no lengths."""
    if lengths is None:
        return None
    valid = torch.arange(num_frames, device=lengths.device) < lengths[:, None]
    return valid[:, None, None, :].to(dtype)


def apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """x [B, C, F, T] with the frames beyond each length set to zero."""
    return x if mask is None else x * mask


def masked_mean(x: Tensor, mask: Tensor | None, dim: tuple[int, ...]) -> Tensor:
    """Mean of x [B, C, F, T] over `dim`, valid frames only; `dim` holds the time axis (3). Keeps the axes."""
    if mask is None:
        return x.mean(dim, keepdim=True)
    frames = mask.sum(3, keepdim=True).clamp(min=1)
    rest = math.prod(x.shape[d] for d in dim if d != 3)
    return (x * mask).sum(dim, keepdim=True) / (frames * rest)


class _ValidFrames(nn.modules.batchnorm._BatchNorm):
    """Statistics in training from valid frames only. x [B, C, F, T], mask [B, 1, 1, T] or None.

    In training the frames beyond a length come out as zero. A single value a channel, as the gate of one clip has it,
    is no statistic: it is normalised by the running ones.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if mask is None or not self.training:
            return super().forward(x)
        valid = mask[:, 0, 0].bool()
        frames = x.permute(0, 3, 2, 1)[valid]  # [valid frames, F, C]
        # As rows of channels: of [.., C, F, 1], torch 2.14 mistakes one memory format for the other going backward.
        rows = super().forward(frames.reshape(-1, x.shape[1], 1, 1))
        normalised = torch.zeros_like(x)
        normalised.permute(0, 3, 2, 1)[valid] = rows.view_as(frames)
        return normalised


class MaskedBatchNorm2d(_ValidFrames, nn.BatchNorm2d):
    __doc__ = _ValidFrames.__doc__


class MaskedSyncBatchNorm2d(_ValidFrames, nn.SyncBatchNorm):
    """`MaskedBatchNorm2d` whose statistics are those of all processes together; on GPUs alone."""


def synchronise_norms(model: nn.Module) -> None:
    """Put `MaskedSyncBatchNorm2d` in the place of each `MaskedBatchNorm2d`, with its weights and statistics."""
    for module in list(model.modules()):
        for name, norm in module.named_children():
            if isinstance(norm, MaskedBatchNorm2d):
                synchronised = MaskedSyncBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine)
                synchronised.load_state_dict(norm.state_dict())
                setattr(module, name, synchronised.train(norm.training))
