"""A smooth filter given by a few gains: another microphone, another place for the same noise."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

WARP = 8000 / 700  # spaces the points as mel does at 16 kHz, at any rate


def equalise(wave: Tensor, gains_db: Tensor) -> Tensor:
    """Wave [B, N] filtered by gains_db [B, P] at P points from 0 Hz to half the rate -> [B, N].

    The points lie denser at low frequencies, evenly in mel, and are joined by lines. The filter has zero phase and
    wraps around at the ends.
    """
    return _filtered(torch.fft.rfft(wave, norm="forward"), gains_db, wave.shape[1])


def play_noise(waves: Sequence[np.ndarray], num_samples: int, gains_db: Tensor) -> Tensor:
    """Waves, each [its own L], played in the time of N = num_samples and equalised by gains_db [B, P] -> [B, N].

    A wave that is longer than N is played faster, and higher by the factor L / N in pitch. This is done on the
    spectrum that the equaliser needs anyway: what would lie over half the rate is cut off, and the ends wrap around.
    """
    rows: dict[int, list[int]] = {}
    for row, wave in enumerate(waves):
        rows.setdefault(len(wave), []).append(row)
    if list(rows) == [num_samples] and not gains_db.any():
        return torch.from_numpy(np.stack(waves))
    spectrum = torch.zeros(len(waves), num_samples // 2 + 1, dtype=torch.complex64)
    for which in rows.values():  # one transform for all of a length: each transform alone costs its preparation
        part = torch.fft.rfft(torch.from_numpy(np.stack([waves[row] for row in which])), norm="forward")
        bins = min(part.shape[1], spectrum.shape[1])
        spectrum[which, :bins] = part[:, :bins]
    return _filtered(spectrum, gains_db, num_samples)


def _filtered(spectrum: Tensor, gains_db: Tensor, num_samples: int) -> Tensor:
    """Spectrum [B, N // 2 + 1], which it overwrites, times the gains -> wave [B, N]."""
    with torch.autocast(gains_db.device.type, enabled=False):
        lines = _lines(gains_db.shape[1], num_samples, gains_db.device)
        gain = (gains_db * (math.log(10) / 20) @ lines).exp_()
    torch.view_as_real(spectrum).mul_(gain[..., None])  # a complex product would first make the gain complex
    return torch.fft.irfft(spectrum, num_samples, norm="forward")


@functools.lru_cache(maxsize=8)
def _lines(points: int, num_samples: int, device: torch.device) -> Tensor:
    """[P, N // 2 + 1]: how much of each point's value each frequency has, on the lines from point to point."""
    hz = torch.linspace(0, WARP, num_samples // 2 + 1, device=device)
    place = torch.log1p(hz) / math.log1p(WARP) * (points - 1)
    return (1 - (place - torch.arange(points, device=device)[:, None]).abs()).clamp(min=0)
