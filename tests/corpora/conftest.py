"""Small corpora, made on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from lhotse import CutSet
from lhotse.cut import Cut


@pytest.fixture
def write_tone() -> Callable[..., Path]:
    """Write a sine; an amplitude of 0.1 has an RMS of -23.01 dB re full scale."""

    def write(
        path: Path,
        amplitude: float = 0.1,
        duration_s: float = 0.5,
        sample_rate: int = 16000,
        channels: int = 1,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
        wave = amplitude * np.sin(2 * np.pi * 440 * time_s)
        sf.write(path, np.repeat(wave[:, None], channels, axis=1), sample_rate)
        return path

    return write


@pytest.fixture
def load() -> Callable[[Path], list[Cut]]:
    return lambda path: list(CutSet.from_file(path))


@pytest.fixture
def real_data() -> Path:
    folder = os.environ.get("DRSN_AUDIO_DATA")
    if not folder:
        pytest.skip("DRSN_AUDIO_DATA is not set: no real audio to test on")
    return Path(folder)
