"""Causal models: each sound is one stream from beginning to end, several sounds at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.batch import MOST_BLOCKS, StreamBatch
from drsn_audio.transcribing.sound import Progress, Sound, chunks
from drsn_audio.transcribing.writers import Writer

AT_ONCE = 8  # sounds; of each a chunk is in memory


class _Open(NamedTuple):
    sound: Sound
    chunks: Iterator[np.ndarray]
    writer: Writer


def hear_streams(
    model: AudioModel,
    sounds: Iterable[Sound],
    writer: Callable[[], Writer],
    progress: Progress | None = None,
) -> Iterator[Sound]:
    """The sounds as they end, which need not be their order. `writer` makes words of the logits of one of them."""
    batch: StreamBatch[int] = StreamBatch(model)
    size, rate = MOST_BLOCKS * model.block, model.config.frontend.sample_rate
    coming = iter(sounds)
    heard: dict[int, _Open] = {}
    while True:
        while len(heard) < AT_ONCE and (new := next(coming, None)) is not None:
            heard[new.number] = _Open(new, chunks(new.read(), size), writer())
        if not heard:
            return
        given = {number: next(stream.chunks, None) for number, stream in heard.items()}
        logits = batch.feed({number: chunk for number, chunk in given.items() if chunk is not None})
        for number, rows in logits.items():
            heard[number].writer.feed(rows)
        if progress:
            progress(sum(len(chunk) for chunk in given.values() if chunk is not None) / rate)
        ended = [number for number, chunk in given.items() if chunk is None]
        for number in ended:
            if number in batch.states:
                heard[number].writer.feed(batch.flush(number))
        for number in ended:
            sound, _, written = heard.pop(number)
            if sound.audible and sound.error is None:
                end_s = sound.samples / rate
                sound.words = [
                    replace(word, start=min(word.start, end_s), end=min(word.end, end_s)) for word in written.end()
                ]
            yield sound
