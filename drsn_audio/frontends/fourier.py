"""The Fourier transform as matrix products, for runtimes whose products are faster than their transform."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def power_by_products(frames: Tensor) -> Tensor:
    """Frames float32 [B, T, N] -> |FFT|^2 [B, T, N // 2 + 1], N a power of two: that of `torch.fft.rfft`, rounded.

    In two steps (Cooley & Tukey 1965, Mathematics of Computation 19(90)): with N = P Q, n = Q a + b and k = c + P d,

        X_k = sum_b e^(-2 pi i b k / N) sum_a e^(-2 pi i a c / P) x_n

    The frames are real: what c > P / 2 would give is the power at N - k, too. Both sums are products with constants,
    for N = 512 of 18 thousand values together; as one product they would be 263 thousand.
    """
    size = frames.shape[2]
    p = 1 << (size.bit_length() // 2)
    q = size // p
    # By numpy, so that a trace has them as constants.
    inner, outer = (torch.from_numpy(factor.astype(np.float32)).to(frames.device) for factor in _factors(p, q))
    columns = frames.unflatten(2, (p, q)).transpose(2, 3)  # [B, T, b, a]
    sums = (columns @ inner).unflatten(3, (2, -1)).permute(0, 4, 1, 3, 2)  # [B, c, T, 2, b]
    real, imaginary = (sums.flatten(3) @ outer).split(q, dim=3)  # [B, c, T, d]
    power = (real * real + imaginary * imaginary).transpose(1, 2).flatten(2)
    return power.index_select(2, torch.from_numpy(_places(p, q)).to(frames.device))


def _factors(p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """The two sums: [a, real and imaginary of c], and for each c [real and imaginary of b, real and imaginary of d]."""
    a, b, d = (np.arange(count) for count in (p, q, q))
    c = np.arange(p // 2 + 1)
    inner = 2 * np.pi / p * a[:, None] * c
    outer = 2 * np.pi / (p * q) * b[:, None] * (c[:, None, None] + p * d)
    cos, sin = np.cos(outer), np.sin(outer)
    rows = np.concatenate([cos, -sin], axis=2), np.concatenate([sin, cos], axis=2)
    return np.concatenate([np.cos(inner), -np.sin(inner)], axis=1), np.concatenate(rows, axis=1)


def _places(p: int, q: int) -> np.ndarray:
    """Where the power of each k = 0 .. N / 2 stands among those of (c, d)."""
    size, found = p * q, np.arange(p * q // 2 + 1)
    found = np.where(found % p <= p // 2, found, (size - found) % size)
    return found % p * q + found // p
