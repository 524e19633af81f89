"""Words and their times, from what a clip model answers to windows that slide over a long sound.

A word lies in every window that hears it whole, so the span that those windows share is where it was said. The figures
below were chosen on the development part of Speech Commands in other places' noise: benchmarks/detection.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from drsn_audio.labels import SILENCE, UNKNOWN

# Shares of a clip.
HEARD_OVER = 0.25  # how far the windows that hear one word must reach: chance is short
SAME_WORD = 0.5  # windows that hear the same word this far apart or nearer hear the same utterance
APART = 0.75  # centres of two words; of nearer ones the less probable is an echo of the other

DETECT_BELOW = 0.5  # the least probability of a word in a long sound, however low the checkpoint's threshold


class Heard(NamedTuple):
    """An answer: probabilities [K] of the window in which it is clearest, and its span in seconds.

    `score` is the probability of the label: 0 for "unknown" where the model has no such label.
    """

    label: str
    score: float
    probabilities: np.ndarray
    start_s: float
    end_s: float


class WindowAnswers:
    """The windows of one sound, as they come; keeps of them only what an answer may be made of."""

    def __init__(self, labels: Sequence[str], clip_s: float, reject_below: float, detect_below: float):
        """Least probability of a keyword: `reject_below` in a sound of one window, `detect_below` in a longer one."""
        self.labels, self.clip_s = list(labels), clip_s
        self.reject_below, self.detect_below = reject_below, detect_below
        self.keywords = [label not in (SILENCE, UNKNOWN) for label in labels]
        self.duration_s = 0.0
        self._last_start_s = 0.0
        self._heard: list[tuple[float, np.ndarray]] = []
        self._loudest: np.ndarray | None = None

    def add(self, start_s: float, end_s: float, probabilities: np.ndarray) -> None:
        """A window, later than the one before, and its probabilities [K]."""
        self._last_start_s, self.duration_s = start_s, end_s
        best = int(probabilities.argmax())
        if self.keywords[best] and probabilities[best] >= self.detect_below:
            self._heard.append((start_s, probabilities.copy()))  # not the batch that it is a row of
        if self._loudest is None or self._silence(probabilities) < self._silence(self._loudest):
            self._loudest = probabilities.copy()

    def answers(self) -> list[Heard]:
        """The one answer to a sound of one window, else its words, else one of "unknown" or "silence"."""
        if self.duration_s <= self.clip_s:
            return [self._whole(self.reject_below)]
        return self._words() or [self._whole(np.inf)]

    def _whole(self, reject_below: float) -> Heard:
        """What the window that is least silent says of the whole sound."""
        assert self._loudest is not None
        best = int(self._loudest.argmax())
        label = self.labels[best]
        if self.keywords[best] and self._loudest[best] < reject_below:
            label = UNKNOWN
        score = float(self._loudest[self.labels.index(label)]) if label in self.labels else 0.0
        return Heard(label, score, self._loudest, 0.0, self.duration_s)

    def _words(self) -> list[Heard]:
        if not self._heard:
            return []
        starts_s = np.array([start for start, _ in self._heard])
        rows = np.stack([row for _, row in self._heard])
        words = []
        for run in same_word(starts_s, rows.argmax(axis=1), SAME_WORD * self.clip_s):
            first, last = starts_s[run[0]], starts_s[run[-1]]
            at_edge = first == 0 or last == self._last_start_s  # windows beyond would have heard it, too
            if at_edge or last - first >= HEARD_OVER * self.clip_s - 1e-6:
                peak = rows[run[int(rows[run].max(axis=1).argmax())]]
                span_s = shared_span(first, last, self.clip_s)
                words.append(Heard(self.labels[int(peak.argmax())], float(peak.max()), peak, *span_s))
        return suppress_echoes(words, APART * self.clip_s)

    def _silence(self, probabilities: np.ndarray) -> float:
        if SILENCE in self.labels:
            return float(probabilities[self.labels.index(SILENCE)])
        return -float(probabilities.max())


def same_word(starts_s: np.ndarray, classes: np.ndarray, gap_s: float) -> list[list[int]]:
    """Windows by starts [W], rising, and best classes [W] -> runs of indices, each of one class, gaps <= gap_s."""
    runs: list[list[int]] = []
    current: dict[int, list[int]] = {}
    for index, (start, kind) in enumerate(zip(starts_s.tolist(), classes.tolist(), strict=True)):
        run = current.get(kind)
        if run is not None and start - starts_s[run[-1]] <= gap_s + 1e-6:
            run.append(index)
        else:
            current[kind] = [index]
            runs.append(current[kind])
    return runs


def shared_span(first_s: float, last_s: float, clip_s: float) -> tuple[float, float]:
    """What windows that start from first_s to last_s share: (start, end) in seconds, a fifth of a clip at least."""
    middle = (first_s + last_s + clip_s) / 2
    half = max((first_s + clip_s - last_s) / 2, clip_s / 10)
    return float(middle - half), float(middle + half)


def suppress_echoes(words: Sequence[Heard], apart_s: float) -> list[Heard]:
    """Without words whose middle lies nearer than apart_s to that of a more probable one; in order of time."""
    kept: list[Heard] = []
    for word in sorted(words, key=lambda word: -word.score):
        if all(abs(_middle(word) - _middle(other)) >= apart_s for other in kept):
            kept.append(word)
    return sorted(kept, key=lambda word: word.start_s)


def _middle(word: Heard) -> float:
    return (word.start_s + word.end_s) / 2
