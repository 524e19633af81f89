"""What a detector hears of logits. numpy only."""

from __future__ import annotations

import numpy as np


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logits float32 [..., K] -> softmax of logits / temperature, float32 [..., K]."""
    scaled = logits / np.float32(temperature)
    odds = np.exp(scaled - scaled.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)
