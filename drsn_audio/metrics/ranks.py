"""Rank correlation: does one number rise where another does, whatever the steps are."""

from __future__ import annotations

import numpy as np


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho of x and y [..., n], which broadcast, along the last axis -> [...], -1 to 1.

    Equal values share the mean of their ranks. Where x or y does not vary there is no order, and rho is 0.

    Raises:
        ValueError: fewer than two values to rank, other numbers of them, or NaN.
    """
    from scipy.stats import rankdata

    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-1] or x.shape[-1] < 2:
        raise ValueError(f"values of shapes {list(x.shape)} and {list(y.shape)}: give pairs to rank, two or more")
    if np.isnan(x).any() or np.isnan(y).any():
        raise ValueError("values are NaN: leave these out")
    ranks = [rankdata(values, axis=-1) - (x.shape[-1] + 1) / 2 for values in (x, y)]
    spread = np.sqrt((ranks[0] ** 2).sum(-1) * (ranks[1] ** 2).sum(-1))
    product = (ranks[0] * ranks[1]).sum(-1)
    return np.divide(product, spread, out=np.zeros(product.shape), where=spread > 0)
