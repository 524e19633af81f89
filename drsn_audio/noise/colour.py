"""Noise of one colour and one law: Gaussian, Laplacian and pink, the noises that DRSNs were first tried in."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, rfftfreq

from drsn_audio.errors import InputError
from drsn_audio.noise.texture import convolve

AMPLITUDE = 10 ** (-26 / 20)  # RMS
LOWEST_HZ = 20.0  # pink noise is flat below, where hardly anything plays it and most of its power would be
TAPS_S = 0.25  # of the pink filter, whose resolution is four times the inverse of that
FULL_SCALE = 0.999


def gaussian_noise(num_samples: int, sample_rate: int, seed: int) -> np.ndarray:
    """White, normally distributed: float32 [N] at about -26 dB re full scale.

    This and the two others are the noises of Zhao et al., "Deep Residual Shrinkage Networks for Fault Diagnosis",
    IEEE Trans. Industrial Informatics, 2020.

    Raises:
        InputError: fewer than one sample, or a sample rate that is not positive; so do the others.
    """
    _check(num_samples, sample_rate)
    wave = np.random.default_rng(seed).standard_normal(num_samples, np.float32)
    return _finish(wave)


def laplacian_noise(num_samples: int, sample_rate: int, seed: int) -> np.ndarray:
    """White, of samples that follow a Laplace distribution, heavy-tailed: float32 [N] at about -26 dB re full scale.

    A sample in 10^12 would reach full scale, and is held just below it.
    """
    _check(num_samples, sample_rate)
    wave = np.random.default_rng(seed).laplace(scale=np.sqrt(0.5), size=num_samples)
    return _finish(wave)


def pink_noise(num_samples: int, sample_rate: int, seed: int) -> np.ndarray:
    """Normally distributed, power density as 1 / f from 20 Hz on: float32 [N] at about -26 dB re full scale."""
    _check(num_samples, sample_rate)
    taps = 2 * round(TAPS_S * sample_rate / 2) + 1
    density = 1 / np.maximum(rfftfreq(4 * taps, 1 / sample_rate), LOWEST_HZ)
    response = np.roll(irfft(np.sqrt(density), 4 * taps), taps // 2)[:taps] * np.hanning(taps + 2)[1:-1]
    response /= np.linalg.norm(response)
    white = np.random.default_rng(seed).standard_normal(num_samples + taps - 1, np.float32)
    return _finish(convolve(white, response.astype(np.float32), mode="valid"))


def _check(num_samples: int, sample_rate: int) -> None:
    if num_samples < 1 or sample_rate < 1:
        raise InputError(f"{num_samples} samples at {sample_rate} Hz: ask for at least 1, at a rate in Hz")


def _finish(wave: np.ndarray) -> np.ndarray:
    return np.clip(AMPLITUDE * wave, -FULL_SCALE, FULL_SCALE).astype(np.float32)
