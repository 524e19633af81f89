"""Whether a difference is more than chance, and what becomes of that where many are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bootstrap_p(replicates: np.ndarray) -> float:
    """Two-sided p of "no difference": bootstrapped differences [r] -> twice the smaller share beyond 0, at most 1.

    0 itself counts for both sides, and one replicate more than there are stands beyond it, so that p is never 0
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 4.2). p < 0.05 is a 95 % percentile
    interval without 0, but for that one.

    Raises:
        ValueError: no replicates.
    """
    if not replicates.size:
        raise ValueError("no replicates: p needs some")
    beyond = min(np.count_nonzero(replicates <= 0), np.count_nonzero(replicates >= 0))
    return min(1.0, 2 * (1 + beyond) / (1 + replicates.size))


def holm(p_values: Sequence[float]) -> list[float]:
    """p [m] -> p corrected for looking at all m (Holm, Scandinavian Journal of Statistics 6(2), 1979), in their order.

    The smallest times m, the next times m - 1, and so on, each at least the one before it and at most 1. Those below
    0.05 hold together: the chance that any of them is wrong is below 0.05.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = least
    return corrected
