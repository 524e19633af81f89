"""The silence that ends a stream. numpy only.

A causal model gives a word up to half a second after its end. The end of a sound is therefore followed by a fixed tail
of silence, in one place: the `flush` of a stream. File commands, tuning and evaluation flush a stream, too, so that a
file and a live stream of the same samples give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from drsn_audio.streaming.event import Event

TAIL_S = 0.5


def tail(samples: int, sample_rate: int, block: int = 1) -> np.ndarray:
    """Return the zeros that follow a sound of so many samples: TAIL_S, and what fills the last block.

    A sound of no sample has none.
    """
    length = samples + round(TAIL_S * sample_rate) if samples else 0
    return np.zeros(-(-length // block) * block - samples, np.float32)


def with_tail(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return a whole sound [N] with its tail: the model's logits of it are those of a stream that was flushed."""
    return np.concatenate([wave, tail(len(wave), sample_rate)])


def within(events: Sequence[Event], end_s: float) -> list[Event]:
    """Return events whose times lie in the sound: what is given in the tail is given at the end of the sound."""
    return [
        replace(event, **{name: min(getattr(event, name), end_s) for name in ("start", "end", "time")})
        for event in events
    ]
