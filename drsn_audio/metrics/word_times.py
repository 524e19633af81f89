"""Which heard word is which spoken one, by text and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from drsn_audio.text import normalise_text


class TimedWord(NamedTuple):
    text: str
    time_s: float


def match_words(said: Sequence[TimedWord], heard: Sequence[TimedWord], within_s: float) -> list[tuple[int, int]]:
    """Pairs of places, in said and in heard, of equal words in the same order whose times lie at most within_s apart.

    Words are compared as `normalise_text` gives them.

    As many pairs as possible; of several ways to so many, the one whose times differ least in sum. It takes 9 bytes
    for every pair of a said and a heard word: of an hour with 3,000 words, 80 MB.
    """
    said_s, heard_s = (np.array([word.time_s for word in words]) for words in (said, heard))
    texts = np.array([normalise_text(word.text) for word in heard], dtype=object)
    least = 0.5 / max(1, min(len(said), len(heard)))  # all differences together count less than a pair
    best = np.zeros((len(said) + 1, len(heard) + 1))  # of the first words of both
    paired = np.zeros(best.shape, bool)  # the last of both with each other
    for row, word in enumerate(said):
        off_s = np.abs(heard_s - said_s[row])
        gain = np.where(
            (texts == normalise_text(word.text)) & (off_s <= within_s),
            1 - least * off_s / max(within_s, 1e-9),
            -math.inf,
        )
        together = best[row, :-1] + gain
        paired[row + 1, 1:] = together > best[row, 1:]
        best[row + 1, 1:] = np.maximum.accumulate(np.maximum(best[row, 1:], together))
    pairs, row, column = [], len(said), len(heard)
    while row and column:
        if best[row, column] == best[row, column - 1]:
            column -= 1
        elif paired[row, column]:
            row, column = row - 1, column - 1
            pairs.append((row, column))
        else:
            row -= 1
    return pairs[::-1]
