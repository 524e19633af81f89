"""SpecAugment on the front-end's output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from drsn_audio.config import AugmentConfig
from drsn_audio.datasets.draws import draw_generator


def draw_masks(config: AugmentConfig, seed: int, step: int, ids: Sequence[str]) -> Tensor:
    """Widths and places of the masks of each row, float32 [B, masks, 2] in [0, 1).

    Those of a row depend on (seed, step, id) alone, not on the rows beside it.
    """
    shape = (config.frequency_masks + config.time_masks, 2)
    drawn = [draw_generator("masks", seed, step, id).random(shape, np.float32) for id in ids]
    return torch.from_numpy(np.stack(drawn))


def spec_augment(spectrogram: Tensor, config: AugmentConfig, hop_ms: float, masks: Tensor) -> Tensor:
    """Cover drawn bands and stretches of each clip, spectrogram [B, 1, F, T], with the clip's mean.

    Park et al. 2019 (arXiv:1904.08779), without time warping. `masks` are those of `draw_masks`, on the CPU: equal
    draws on any device.
    """
    batch, _, bins, frames = spectrogram.shape
    covered = torch.zeros(batch, 1, bins, frames, dtype=torch.bool)
    widest = [(2, config.frequency_mask_bins)] * config.frequency_masks
    widest += [(3, round(config.time_mask_ms / hop_ms))] * config.time_masks
    for (axis, most), drawn in zip(widest, masks.unbind(1), strict=True):
        size = covered.shape[axis]
        position = torch.arange(size).view(1, 1, *((size, 1) if axis == 2 else (1, size)))
        width, place = drawn.view(batch, 2, 1, 1, 1).unbind(1)
        width = (width * (min(most, size) + 1)).floor()
        start = (place * (size - width + 1)).floor()
        covered |= (position >= start) & (position < start + width)
    fill = spectrogram.mean((2, 3), keepdim=True)
    return torch.where(covered.to(spectrogram.device), fill, spectrogram)
