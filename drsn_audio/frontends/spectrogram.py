"""Framing that every front-end shares: no centering, ceil(N / hop) frames, the tail padded with zeros."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def num_frames(num_samples: int, hop: int) -> int:
    """Samples -> frames: every sample begins or lies in a frame."""
    return -(-num_samples // hop)


def power_spectrogram(wave: Tensor, window: Tensor, hop: int) -> Tensor:
    """Wave [B, N] -> |STFT|^2 [B, len(window) // 2 + 1, ceil(N / hop)]; frame t begins at sample t * hop."""
    size = window.numel()
    padding = (num_frames(wave.shape[1], hop) - 1) * hop + size - wave.shape[1]
    spectrum = torch.fft.rfft(F.pad(wave, (0, padding)).unfold(1, size, hop) * window)
    # Three times as fast as abs(), whose square root it would only undo.
    return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)


def hann_window(length: int) -> Tensor:
    """Periodic Hann window of `length` samples, zero-padded at its end to a power of two for the FFT."""
    fft_size = 1 << (length - 1).bit_length()
    return F.pad(torch.hann_window(length), (0, fft_size - length))
