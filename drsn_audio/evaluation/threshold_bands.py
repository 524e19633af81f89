"""Which frequencies the bands of a block are, and how much speech and noise there is in each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from drsn_audio.frontends.frontend import Frontend
from drsn_audio.frontends.linear import FLOOR, Spectrogram
from drsn_audio.frontends.mel import MelFrontend
from drsn_audio.frontends.mfcc import Mfcc
from drsn_audio.frontends.spectrogram import frame_samples, power_spectrogram
from drsn_audio.models.encoder import Encoder
from drsn_audio.models.model import AudioModel
from drsn_audio.nn.residual import ResidualBlock


def bin_edges_hz(model: AudioModel) -> np.ndarray | None:
    """Edges [F + 1] in Hz between the rows of the model's spectrogram; None where these are no frequencies (MFCC).

    An edge is half-way between the centres of two rows; the outer two are those of the front-end.
    """
    frontend, config = model.frontend, model.config.frontend
    if isinstance(frontend, Mfcc):
        return None
    fourier_hz = np.arange(frontend.window.numel() // 2 + 1) * config.sample_rate / frontend.window.numel()
    if isinstance(frontend, MelFrontend):
        weights = frontend.filters.cpu().double().numpy()
        centres = fourier_hz @ weights / weights.sum(0)
    elif isinstance(frontend, Spectrogram):
        centres = fourier_hz[frontend.first : frontend.end]
    else:
        return None
    between = [(low + high) / 2 for low, high in pairwise(centres)]
    return np.array([config.f_min_hz, *between, config.f_max_hz])


def bins_a_band(model: AudioModel) -> dict[str, int]:
    """By the name of each block of a DRSN: how many rows of the spectrogram one of its bands strides over."""
    found: dict[str, int] = {}
    if isinstance(model.encoder, Encoder):
        size = int(model.encoder.stem.stride[0])
        for name, module in model.named_modules():
            if isinstance(module, ResidualBlock):
                size *= module.stride[0]
                found[name] = size
    return found


def pool_bins(values: np.ndarray, size: int) -> np.ndarray:
    """Values [..., F] -> means over bands of `size` rows [..., ceil(F / size)]; the last may have fewer."""
    starts = np.arange(0, values.shape[-1], size)
    counts = np.diff(np.append(starts, values.shape[-1]))
    return np.add.reduceat(values, starts, axis=-1) / counts


@torch.inference_mode()
def mean_power(frontend: Frontend, wave: Tensor) -> Tensor:
    """Wave [B, N] -> power in each row of the spectrogram, averaged over its frames, [B, F]. Not of MFCC."""
    samples = frame_samples(wave.float(), frontend.window.numel(), frontend.hop, None)
    if isinstance(frontend, MelFrontend):
        return frontend.mel(samples).mean(2)
    assert isinstance(frontend, Spectrogram)
    return power_spectrogram(samples, frontend.window, frontend.hop)[:, frontend.first : frontend.end].mean(2)


def power_floor(frontend: Frontend) -> float:
    """What the front-end raises every power by: below it there is nothing to be heard."""
    return frontend.floor if isinstance(frontend, MelFrontend) else FLOOR
