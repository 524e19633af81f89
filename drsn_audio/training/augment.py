"""SpecAugment on the front-end's output."""

from __future__ import annotations

import torch
from torch import Tensor

from drsn_audio.config import AugmentConfig


def spec_augment(spectrogram: Tensor, config: AugmentConfig, hop_ms: float, generator: torch.Generator) -> Tensor:
    """Cover drawn bands and stretches of each clip, spectrogram [B, 1, F, T], with the clip's mean.

    Park et al. 2019 (arXiv:1904.08779), without time warping. `generator` lives on the CPU: equal draws on any device.
    """
    batch, _, bins, frames = spectrogram.shape
    covered = torch.zeros(batch, 1, bins, frames, dtype=torch.bool)
    for axis, count, widest in (
        (2, config.frequency_masks, config.frequency_mask_bins),
        (3, config.time_masks, round(config.time_mask_ms / hop_ms)),
    ):
        size = covered.shape[axis]
        shape = (batch, 1, size, 1) if axis == 2 else (batch, 1, 1, size)
        position = torch.arange(size).view(1, 1, *shape[2:])
        for _ in range(count):
            width = (torch.rand(batch, 1, 1, 1, generator=generator) * (min(widest, size) + 1)).floor()
            start = (torch.rand(batch, 1, 1, 1, generator=generator) * (size - width + 1)).floor()
            covered |= (position >= start) & (position < start + width)
    fill = spectrogram.mean((2, 3), keepdim=True)
    return torch.where(covered.to(spectrogram.device), fill, spectrogram)
