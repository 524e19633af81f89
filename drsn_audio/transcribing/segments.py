"""Long sound, cut at pauses. Nothing is left out: where somebody speaks decides only where to cut."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drsn_audio.transcribing.voice_activity import VoiceActivity, smooth

LONGEST_S = 20.0
SHORTEST_S = 5.0  # but for the last one
MIN_PAUSE_S = 0.2


def segments(
    blocks: Iterator[np.ndarray], activity: VoiceActivity, sample_rate: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks [N] of a sound -> (first sample, segment [N]), one after the other without a gap.

    A sound of less than LONGEST_S is one segment. Of a longer one, each is cut from what follows when so much is
    known, in the middle of the longest pause after SHORTEST_S.
    """
    frame = activity.frame
    longest, shortest = (round(seconds * sample_rate / frame) for seconds in (LONGEST_S, SHORTEST_S))
    min_pause = max(1, round(MIN_PAUSE_S * sample_rate / frame))
    start, wave, scores = 0, np.zeros(0, np.float32), np.zeros(0)
    for block in blocks:
        wave = np.concatenate([wave, block])
        while len(wave) >= longest * frame:
            scores = np.concatenate([scores, activity.scores(wave[len(scores) * frame : longest * frame])])
            cut = cut_place(scores, activity.pauses(scores), shortest, min_pause)
            yield start, wave[: cut * frame]
            start, wave, scores = start + cut * frame, wave[cut * frame :], scores[cut:]
    if len(wave):
        yield start, wave


def cut_place(scores: np.ndarray, pauses: np.ndarray, first: int, min_pause: int) -> int:
    """Where to cut, in frames from `first` on: the middle of the longest pause, else where the score is lowest.

    scores [n]: higher where somebody speaks; pauses [n]: bool, where nobody does. Pauses of less than min_pause
    frames are none; of equal ones the last is taken. first < n.
    """
    bounds = np.flatnonzero(np.diff(pauses[first:].astype(np.int8), prepend=0, append=0))
    begins, ends = first + bounds[::2], first + bounds[1::2]
    lengths = ends - begins
    if len(lengths) and lengths.max() >= min_pause:
        longest = len(lengths) - 1 - int(lengths[::-1].argmax())
        return int(begins[longest] + ends[longest]) // 2
    return first + int(smooth(scores)[first:].argmin())
