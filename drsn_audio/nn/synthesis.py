"""Gains on the short-time spectrum of a wave, and the wave again: the denoiser's last step, in training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from drsn_audio.overlap import delay


def apply_gains(wave: Tensor, gains: Tensor, hop: int) -> Tensor:
    """Wave [B, N], gains [B, T, bins] of its T = ceil(N / hop) frames -> wave [B, T * hop], later by `delay` samples.

    Windows are 2 (bins - 1) samples, root-Hann before and after the gains, so that gains of one give the wave back
    (Griffin & Lim 1984, IEEE Trans. ASSP 32(2)). Frame t ends with sample (t + 1) * hop, as those of a causal
    front-end do. Sample n of the output is sample n - delay(bins, hop) of the wave, which needs no later frame:
    `streaming.synthesis.Synthesis` gives the same, block by block.

    Raises:
        ValueError: the frames are not those of the wave, or the window is no even multiple of the hop.
    """
    bins = gains.shape[2]
    late, size = delay(bins, hop), 2 * (bins - 1)
    if gains.shape[1] != -(-wave.shape[1] // hop):
        raise ValueError(f"gains of {gains.shape[1]} frames for {wave.shape[1]} samples, {hop} a frame")
    window = torch.hann_window(size, device=wave.device).sqrt()
    with torch.autocast(wave.device.type, enabled=False):
        samples = F.pad(wave.float(), (late, -wave.shape[1] % hop))
        frames = torch.fft.irfft(torch.fft.rfft(samples.unfold(1, size, hop) * window) * gains.float(), n=size)
        frames = frames * window * (2 * hop / size)
        whole = F.fold(frames.transpose(1, 2), (1, samples.shape[1]), (1, size), stride=(1, hop))
    return whole[:, 0, 0, : gains.shape[1] * hop]
