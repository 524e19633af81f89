"""A smooth filter given by a few gains: another microphone, another place for the same noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

WARP = 8000 / 700  # spaces the points as mel does at 16 kHz, at any rate
STEPS = 256  # to which the lines between the points are rounded: exp is dear, a look-up is not


def equalise(wave: Tensor, gains_db: Tensor) -> Tensor:
    """Wave [B, N] filtered by gains_db [B, P] at P points from 0 Hz to half the rate -> [B, N].

    The points lie denser at low frequencies, evenly in mel, and are joined by lines. The filter has zero phase and
    wraps around at the ends.
    """
    num_samples = wave.shape[1]
    mel = torch.log1p(torch.linspace(0, WARP, num_samples // 2 + 1, device=wave.device)) / math.log1p(WARP)
    curve = F.interpolate(gains_db[:, None], STEPS + 1, mode="linear", align_corners=True)[:, 0]
    gain = (curve * (math.log(10) / 20)).exp().index_select(1, (mel * STEPS).round().int())
    return torch.fft.irfft(torch.fft.rfft(wave) * gain, num_samples)
