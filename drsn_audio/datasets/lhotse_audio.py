"""Lhotse's reading of audio files, by our reader: all of the sound of every format that we read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from lhotse.audio.backend import AudioBackend, get_current_audio_backend, set_current_audio_backend
from lhotse.cut import Cut
from lhotse.utils import compute_num_samples

from drsn_audio.audio import AudioReader


class ReaderBackend(AudioBackend):
    """Files by AudioReader; what is no file on this machine by the backend that Lhotse would have taken."""

    def __init__(self, otherwise: AudioBackend):
        self._otherwise = otherwise

    def read_audio(
        self,
        path_or_fd: Any,
        offset: float = 0.0,
        duration: float | None = None,
        force_opus_sampling_rate: int | None = None,
    ) -> tuple[np.ndarray, int]:
        """Samples [C, N] from `offset` on, in s, and their rate in Hz. Raises AudioError as the reader does."""
        if not isinstance(path_or_fd, str | Path) or not os.path.isfile(path_or_fd):
            return self._otherwise.read_audio(path_or_fd, offset, duration, force_opus_sampling_rate)
        with AudioReader(path_or_fd) as reader:
            rate = reader.sample_rate
            frames = None if duration is None else compute_num_samples(duration, rate)
            return reader.part(compute_num_samples(offset, rate) if offset > 0 else 0, frames).T, rate

    def handles_special_case(self, path_or_fd: Any) -> bool:
        return False

    def is_applicable(self, path_or_fd: Any) -> bool:
        return True

    def info(self, path_or_fd: Any, *args: Any, **kwargs: Any) -> Any:
        return self._otherwise.info(path_or_fd, *args, **kwargs)

    def supports_info(self) -> bool:
        return self._otherwise.supports_info()

    def save_audio(self, *args: Any, **kwargs: Any) -> None:
        self._otherwise.save_audio(*args, **kwargs)

    def supports_save(self) -> bool:
        return self._otherwise.supports_save()


def load_audio(cut: Cut) -> np.ndarray:
    """`cut.load_audio()`, float32 [C, N], whatever its manifest says has been done to it.

    From the first call on, Lhotse has our backend: it is one for all threads, which could not be taken back.
    """
    current = get_current_audio_backend()
    if not isinstance(current, ReaderBackend):
        set_current_audio_backend(ReaderBackend(current))
    return cut.load_audio()
