"""The most probable label of each frame, repeats and blanks left out (Graves et al. 2006, best path decoding)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Spike(NamedTuple):
    """A label that was given: in frames first to last, with the mean of its probability there."""

    label: int
    first: int
    last: int
    probability: float


def greedy_spikes(probabilities: np.ndarray, blank: int = 0) -> list[Spike]:
    """Probabilities [T, K] -> the labels of their best path, in order of time."""
    best = probabilities.argmax(1)
    bounds = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
    return [
        Spike(int(best[first]), int(first), int(stop) - 1, float(probabilities[first:stop, best[first]].mean()))
        for first, stop in pairwise(bounds)
        if best[first] != blank
    ]
