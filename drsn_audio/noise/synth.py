"""Noise synthesised from a seed: a thousand seeds are a thousand places. A new kind is a line below."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from drsn_audio.errors import InputError
from drsn_audio.noise.colour import gaussian_noise, laplacian_noise, pink_noise
from drsn_audio.noise.factory import draw_factory
from drsn_audio.noise.scene import Place, record
from drsn_audio.noise.street import draw_street


def street_noise(num_samples: int, sample_rate: int, seed: int) -> np.ndarray:
    """Traffic, horns, sirens, voices, music: float32 [N] at about -26 dB re full scale.

    Raises:
        InputError: fewer than one sample, or a sample rate under 8 kHz.
    """
    return _synthesise(draw_street, num_samples, sample_rate, seed)


def factory_noise(num_samples: int, sample_rate: int, seed: int) -> np.ndarray:
    """Motors, fans, hammers, drills, grinders, compressed air: float32 [N] at about -26 dB re full scale.

    Raises:
        InputError: fewer than one sample, or a sample rate under 8 kHz.
    """
    return _synthesise(draw_factory, num_samples, sample_rate, seed)


SYNTHETIC_NOISES: dict[str, Callable[[int, int, int], np.ndarray]] = {
    "street": street_noise,
    "factory": factory_noise,
    "gaussian": gaussian_noise,
    "laplacian": laplacian_noise,
    "pink": pink_noise,
}


def _synthesise(
    draw_place: Callable[[int, Generator], Place], num_samples: int, sample_rate: int, seed: int
) -> np.ndarray:
    if num_samples < 1 or sample_rate < 8000:
        raise InputError(f"{num_samples} samples at {sample_rate} Hz: ask for at least 1, at 8000 Hz or more")
    # Two streams: the place stays the same whatever is recorded in it.
    place_rng, sound_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    return record(draw_place(sample_rate, place_rng), num_samples, sample_rate, sound_rng)
