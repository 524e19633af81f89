"""What a denoiser does with files and samples, whatever computes its gains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.audio import BLOCK_VALUES, LOWEST_RATE, AudioError, AudioReader
from drsn_audio.denoising.rates import at_rate
from drsn_audio.errors import InputError
from drsn_audio.hearing import Hearing
from drsn_audio.streaming.cleaning import Cleaner


class AnyDenoiser:
    """A denoiser of sound at `sample_rate` Hz, and what it makes of sound at any."""

    sample_rate: int

    def cleaner(self, channels: int = 1, blend: float = 0.0) -> Cleaner:
        """A stream of so many channels, each heard by itself. Raises InputError where `blend` is no share."""
        raise NotImplementedError

    def denoise(
        self, audio: str | Path | np.ndarray | Any, sample_rate: int | None = None, *, blend: float = 0.0
    ) -> np.ndarray:
        """A file, or samples [N] at `sample_rate` (default: the model's) -> float32 [N] at the same rate.

        Channels of a file are averaged. Its level is kept: nothing is normalised. What lies above the model's band
        has the gain of the band's upper quarter. `blend`, 0 to 1, gives back up to so much of the noisy sound, see
        `streaming.blending`.

        Raises:
            AudioError: a file that cannot be used, or samples that are not finite or not one-dimensional; or a rate
                that no sound has.
            InputError: a `blend` that is no share.
        """
        if isinstance(audio, str | Path):
            with AudioReader(audio) as reader:
                mono = (block[:, None] for block in reader.blocks())
                parts = [clean for _, clean in self.clean(mono, reader.sample_rate, 1, blend, str(audio))]
        else:
            rate = sample_rate or self.sample_rate
            wave = Hearing(rate).samples(np.asarray(audio), sample_rate)[:, None]
            if rate < LOWEST_RATE:
                raise AudioError(f"sample_rate is {rate}: give it in Hz, {LOWEST_RATE} or more")
            blocks = (wave[begin : begin + BLOCK_VALUES] for begin in range(0, len(wave), BLOCK_VALUES))
            parts = [clean for _, clean in self.clean(blocks, rate, 1, blend, "samples")]
        return np.concatenate(parts)[:, 0]

    def clean(
        self, blocks: Iterator[np.ndarray], sample_rate: int, channels: int, blend: float, name: str
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks [N, C] of a sound -> the samples [n, C] that each finished, at last the rest, and how many were heard.

        Joined, they are as many as were heard. Raises AudioError, with the sound's name, for what is no sound.
        """
        sound = at_rate(self.cleaner(channels, blend), sample_rate)
        for block in blocks:
            try:
                yield len(block), sound.feed(block)
            except InputError as error:
                raise AudioError(f"{name}: {error}") from None
        yield 0, sound.flush()
