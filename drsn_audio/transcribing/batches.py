"""Models of whole clips: sounds are cut at pauses, and what is cut is heard in batches, across sounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from drsn_audio.models.model import AudioModel
from drsn_audio.transcribing.segments import segments
from drsn_audio.transcribing.sound import Progress, Sound
from drsn_audio.transcribing.voice_activity import voice_activity
from drsn_audio.transcribing.writers import Writer

MAX_PADDED_S = 40.0  # of a batch: with 0.5 M parameters 0.74 GB of memory in all, where 120 s took 1.04
MOST_WAITING = 256  # sounds that are open or not yet told


class _Segment(NamedTuple):
    sound: Sound
    start_s: float
    wave: np.ndarray


def hear_batches(
    model: AudioModel,
    sounds: Iterable[Sound],
    writer: Callable[[], Writer],
    progress: Progress | None = None,
) -> Iterator[Sound]:
    """The sounds, in order, as they have been heard. `writer` makes words of the logits of one segment."""
    rate = model.config.frontend.sample_rate
    waiting: list[Sound] = []
    batch: list[_Segment] = []
    for sound in sounds:
        waiting.append(sound)
        for start, wave in segments(sound.read(), voice_activity(rate), rate):
            if padded_s([*(segment.wave for segment in batch), wave], rate) > MAX_PADDED_S:
                _hear(model, batch, writer, progress)
                batch = []
                yield from waiting[:-1]
                waiting = [sound]
            batch.append(_Segment(sound, start / rate, wave))
        if len(waiting) == MOST_WAITING:
            _hear(model, batch, writer, progress)
            batch = []
            yield from waiting
            waiting = []
    _hear(model, batch, writer, progress)
    yield from waiting


def padded_s(waves: Sequence[np.ndarray], sample_rate: int) -> float:
    """Seconds of a batch of waves, each as long as the longest."""
    return len(waves) * max(map(len, waves)) / sample_rate


@torch.inference_mode()
def _hear(
    model: AudioModel, batch: Sequence[_Segment], writer: Callable[[], Writer], progress: Progress | None
) -> None:
    """Add the words of each segment to its sound. Digital silence holds none."""
    audible = [segment for segment in batch if segment.wave.any()]
    if audible:
        sizes = [len(segment.wave) for segment in audible]
        wave = np.stack([np.pad(segment.wave, (0, max(sizes) - len(segment.wave))) for segment in audible])
        device = model.frontend.window.device
        lengths = torch.tensor(sizes, device=device)
        logits = model(torch.from_numpy(wave).to(device), lengths).float().cpu().numpy()
        frames = model.output_lengths(lengths)
        assert frames is not None
        for segment, rows, count in zip(audible, logits, frames.tolist(), strict=True):
            written = writer()
            written.feed(rows[:count])
            segment.sound.words += [
                dataclasses.replace(word, start=segment.start_s + word.start, end=segment.start_s + word.end)
                for word in written.end()
            ]
    if progress and batch:
        progress(sum(len(segment.wave) for segment in batch) / model.config.frontend.sample_rate)
