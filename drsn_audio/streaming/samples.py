"""What may be fed to a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from drsn_audio.errors import InputError

LOUDEST = 1e4  # full scale is 1; beyond this something else than sound is fed, and powers might overflow


def check_samples(samples: Any) -> np.ndarray:
    """Samples of anything like an array, [N] -> float32 [N].

    Raises:
        InputError: another shape, integers, NaN, infinite or absurdly large values.
    """
    wave = np.asarray(samples)
    if wave.ndim != 1:
        raise InputError(f"samples have the shape {list(wave.shape)}: feed one channel, [N]")
    if not np.issubdtype(wave.dtype, np.floating):
        raise InputError(f"samples are {wave.dtype}: divide them by full scale, to floats in [-1, 1]")
    loud = ~(np.abs(wave) <= LOUDEST)
    if loud.any():
        place = int(loud.argmax())
        raise InputError(f"sample {place} is {wave[place]}: feed finite values, full scale is 1. It was not heard")
    return wave.astype(np.float32, copy=False)
