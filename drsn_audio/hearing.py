"""What a model is given to hear, a file or samples: one channel, at its rate."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from drsn_audio.audio import AudioError, AudioReader, resample

log = logging.getLogger("drsn_audio")

MIN_DURATION_S = 0.025  # commands refuse what is shorter


class Hearing:
    """The ears of one model, which hears sample_rate Hz; it says once where a file had to be converted."""

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate
        self._said = False

    def file(self, path: Path) -> Iterator[np.ndarray]:
        """A file in blocks, float32 [N], N > 0. Raises AudioError where it cannot be used."""
        with AudioReader(path) as reader:
            if not self._said and (reader.sample_rate != self.sample_rate or reader.channels > 1):
                self._said = True
                log.info(
                    "%s is %d Hz with %d channel(s): such files are converted to %d Hz mono (said once)",
                    path, reader.sample_rate, reader.channels, self.sample_rate,
                )  # fmt: skip
            yield from reader.blocks(self.sample_rate)

    def samples(self, samples: np.ndarray, sample_rate: int | None = None) -> np.ndarray:
        """Samples [N] at sample_rate (None: the model's) -> float32 [N] at the model's.

        Raises:
            AudioError: samples that are not finite floats, not one-dimensional or none; a rate that is none.
        """
        if samples.ndim != 1 or samples.size == 0:
            raise AudioError(f"samples have the shape {list(samples.shape)}: give one channel, [N], N > 0")
        if not np.issubdtype(samples.dtype, np.floating):
            raise AudioError(f"samples are {samples.dtype}: divide them by full scale, to floats in [-1, 1]")
        finite = np.isfinite(samples)
        if not finite.all():
            raise AudioError(f"samples hold NaN or infinite values, at [{finite.argmin()}]: find where they come from")
        if sample_rate is not None and sample_rate <= 0:
            raise AudioError(f"sample_rate is {sample_rate}: give it in Hz")
        return resample(samples, sample_rate or self.sample_rate, self.sample_rate)
