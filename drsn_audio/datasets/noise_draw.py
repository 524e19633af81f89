"""Which part of which noise recording lies under an utterance: one draw for training, evaluation, streams and mixes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drsn_audio.noise.level import mean_of, rms_db
from drsn_audio.noise.segment import cut_segment, num_offsets

# A drawn piece this far below its recording's level is a pause in it, and is drawn again: raised to the wanted SNR it
# would be the hiss of the microphone, not the noise that the label names.
PAUSE_DB = 20.0
TRIES = 8


class Recording(NamedTuple):
    """A noise recording: wave [L], and its RMS without the mean, in dB re full scale."""

    wave: np.ndarray
    level_db: float


class DrawnNoise(NamedTuple):
    """wave [num_samples]: `cut_segment` of a recording, by its number, at an offset; it may share memory with it."""

    recording: int
    offset: int
    wave: np.ndarray


def draw_noise(
    load: Callable[[int], Recording],
    count: int,
    num_samples: int,
    span: slice,
    sample_rate: int,
    generator: np.random.Generator,
) -> DrawnNoise:
    """Draw a piece of one of `count` recordings, which is no pause over the span of the speech.

    Every recording is drawn equally often, and every offset in it: where it is shorter than the piece, every one into
    its loop. A piece whose RMS over the span, without the mean, lies 20 dB or more below that of its recording is a
    pause: recording and offset are drawn again. After eight pauses the loudest sample of the last recording comes to
    the middle of the span. The draw depends on the generator and the recordings alone.

    load(number) -> one of the recordings; what it raises ends the draw.
    """
    for _ in range(TRIES):
        number = int(generator.integers(count))
        wave, level_db = load(number)
        offset = int(generator.integers(num_offsets(len(wave), num_samples, sample_rate)))
        piece = cut_segment(wave, num_samples, offset, sample_rate)
        if rms_db(piece[span]) >= level_db - PAUSE_DB:
            return DrawnNoise(number, offset, piece)
    first, stop, _ = span.indices(num_samples)
    offset = int(np.abs(wave - np.float32(mean_of(wave))).argmax()) - (first + stop) // 2
    return DrawnNoise(number, offset, cut_segment(wave, num_samples, offset, sample_rate))
