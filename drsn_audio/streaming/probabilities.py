"""What events are made of. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drsn_audio.errors import InputError

ROUNDING = 1e-4  # by which a probability may exceed 1


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logits float32 [..., K] -> softmax of logits / temperature, float32 [..., K]."""
    scaled = logits / np.float32(temperature)
    odds = np.exp(scaled - scaled.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def check_probabilities(probabilities: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Anything like an array [t, K], K labels -> float64 [t, K].

    Raises:
        InputError: another shape, or values that are NaN or no probabilities.
    """
    frames = np.asarray(probabilities, np.float64)
    if frames.ndim != 2 or frames.shape[1] != len(labels):
        raise InputError(f"probabilities have the shape {list(frames.shape)}: give [t, {len(labels)}]")
    wrong = ~((frames >= 0) & (frames <= 1 + ROUNDING))  # NaN, too
    if wrong.any():
        frame, label = np.argwhere(wrong)[0]
        raise InputError(
            f'frame {frame}: the probability of "{labels[label]}" is {frames[frame, label]}: '
            "give 0 to 1 (the softmax of logits); these frames were not heard"
        )
    return frames
