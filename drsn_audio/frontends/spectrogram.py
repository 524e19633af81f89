"""Framing that every front-end shares: no centering, ceil(N / hop) frames, zeros where there is no sound."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from drsn_audio.frontends.fourier import power_by_products
from drsn_audio.memory import Memory


def num_frames(num_samples: int, hop: int) -> int:
    """Samples -> frames: every sample begins or lies in a frame."""
    return -(-num_samples // hop)


def frame_samples(wave: Tensor, size: int, hop: int, memory: Memory | None, name: str = "wave") -> Tensor:
    """Wave [B, N] -> all samples of its ceil(N / hop) frames of `size`, [B, (T - 1) * hop + size].

    Frame t begins at sample t * hop, and zeros follow the wave; with a memory frame t ends with sample (t + 1) * hop,
    so that it is whole as soon as it is heard, and the samples before the wave, zeros at first, come from there.
    """
    wave = F.pad(wave, (0, -wave.shape[1] % hop))
    if memory is None:
        return F.pad(wave, (0, size - hop))
    return memory.extend(name, wave, size - hop)


def power_spectrogram(samples: Tensor, window: Tensor, hop: int) -> Tensor:
    """Samples [B, (T - 1) * hop + len(window)], whole frames -> |STFT|^2 [B, len(window) // 2 + 1, T]."""
    frames = samples.unfold(1, window.numel(), hop) * window
    if torch.onnx.is_in_onnx_export():
        return power_by_products(frames).transpose(1, 2)
    spectrum = torch.fft.rfft(frames)
    # Three times as fast as abs(), whose square root it would only undo.
    return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)


def hann_window(length: int) -> Tensor:
    """Periodic Hann window of `length` samples, zero-padded at its end to a power of two for the FFT."""
    fft_size = 1 << (length - 1).bit_length()
    return F.pad(torch.hann_window(length), (0, fft_size - length))
