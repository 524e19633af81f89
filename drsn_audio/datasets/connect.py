"""Recordings of single words -> connected words: each cut close to its word, joined with gaps of silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from drsn_audio.noise.span import word_span

# Kept before and after what `word_span` finds of a word: its energy begins and ends before an "s" or a "t" does.
BEFORE_S, AFTER_S = 0.16, 0.24
FADE_S = 0.02


def cut_word(wave: np.ndarray, sample_rate: int) -> tuple[np.ndarray, int, int]:
    """A recording [N] of one word -> [M] of it, faded in and out, and the samples of M at which the word begins and
    ends.
    """
    start, end = (int(bound) for bound in word_span(torch.from_numpy(wave)[None]))
    first = max(0, start - round(BEFORE_S * sample_rate))
    stop = min(len(wave), end + round(AFTER_S * sample_rate))
    kept = wave[first:stop].copy()
    ramp = np.linspace(0, 1, min(round(FADE_S * sample_rate), len(kept) // 2), dtype=np.float32)
    kept[: len(ramp)] *= ramp
    kept[len(kept) - len(ramp) :] *= ramp[::-1]
    return kept, start - first, end - first


def connect(words: Sequence[np.ndarray], gaps: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """Words [M_i] with gaps of silence in samples, one before each word and one after the last -> the wave [N], and
    where in it each begins.
    """
    pieces, starts, at = [], [], 0
    for word, gap in zip(words, gaps, strict=False):
        starts.append(at + gap)
        pieces += [np.zeros(gap, np.float32), word]
        at += gap + len(word)
    pieces.append(np.zeros(gaps[len(words)], np.float32))
    return np.concatenate(pieces), starts
