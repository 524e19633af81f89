"""Where labels and words lie in time. Numpy alone, but for `forced_spans`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from drsn_audio.decoding.greedy import Spike, greedy_spikes
from drsn_audio.decoding.transcript import Word
from drsn_audio.decoding.units import Units
from drsn_audio.errors import InputError


def frames_needed(labels: Sequence[int]) -> int:
    """The fewest frames that CTC can write labels in: one each, and a blank between two of a kind."""
    return len(labels) + sum(left == right for left, right in pairwise(labels))


def forced_spans(log_probabilities: Any, labels: Sequence[int], blank: int = 0) -> list[Spike]:
    """Log-probabilities [T, K] (array or tensor), labels -> where each lies on the most probable path that writes them.

    Raises:
        InputError: more labels, with a blank between two of a kind, than there are frames.
    """
    if not len(labels):
        return []
    frames, needed = len(log_probabilities), frames_needed(labels)
    if frames < needed:
        raise InputError(f"{len(labels)} labels need {needed} frames, the sound has {frames}: the text is not of it")
    import torch
    from torchaudio.functional import forced_align

    values = torch.as_tensor(log_probabilities).detach().float().cpu()
    path = forced_align(values[None], torch.tensor([list(labels)]), blank=blank)[0][0].numpy()
    on_path = np.full(values.shape, -1.0)  # with nothing off the path, the best path is the path
    frame = np.arange(frames)
    on_path[frame, path] = np.exp(values.numpy()[frame, path])
    return greedy_spikes(on_path, blank)


def word_times(
    spikes: Sequence[Spike],
    units: Units,
    frame_s: float,
    timing: Mapping[str, Any] | None = None,
    after: float = 0.0,
) -> list[Word]:
    """Spikes of labels (greedy, or aligned) -> words with their times, and the mean probability of their labels.

    A word lies from the beginning of its first label's span to the end of its last's. `timing`, from a checkpoint,
    says more: the seconds from a word's beginning and from its end to the end of the frame in which its label begins,
    {"start_s": {word: seconds}, "end_s": {word: seconds}, "default": [start_s, end_s]}; of a word of several labels
    the first tells its beginning and the last its end. Each word's times depend on it and those before it alone, so
    that a stream tells the same; neighbours may overlap by what an estimate is off.

    Args:
        spikes: in order of time.
        units: what the labels stand for.
        frame_s: seconds of a frame.
        timing: "timing" of the checkpoint's JSON.
        after: no word begins before this second; for a stream, the beginning of the word before.

    Returns:
        words whose beginnings never decrease and whose ends lie after them.
    """
    words = []
    for text, place in units.words([spike.label for spike in spikes]):
        own = spikes[place]
        start, end = own[0].first * frame_s, (own[-1].last + 1) * frame_s
        if timing is not None:
            start_s, end_s = timing["default"]
            start = (own[0].first + 1) * frame_s - timing["start_s"].get(text, start_s)
            end = (own[-1].first + 1) * frame_s - timing["end_s"].get(text, end_s)
        start = max(start, after)
        confidence = sum(spike.probability for spike in own) / len(own)
        words.append(Word(text, start, max(end, start + frame_s), confidence))
        after = start
    return words


def aligned_words(
    log_probabilities: Any,
    labels: Sequence[int],
    units: Units,
    frame_s: float,
    timing: Mapping[str, Any] | None = None,
    first_frame: int = 0,
    after: float = 0.0,
) -> list[Word]:
    """Log-probabilities [T, K], the labels that beam search found -> words with their times, as `word_times` has them.

    `first_frame` is where these frames begin in the sound that the times are of.

    Raises:
        InputError: more labels than frames.
    """
    spans = [
        span._replace(first=span.first + first_frame, last=span.last + first_frame)
        for span in forced_spans(log_probabilities, labels)
    ]
    return word_times(spans, units, frame_s, timing, after)
