"""Signals that every front-end is put to, and mel bands by librosa."""

import librosa
import numpy as np
import pytest

from drsn_audio.config import FrontendConfig

RATE = 16000
SECONDS = np.arange(RATE) / RATE


def chirp(start_hz: float, end_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * (start_hz * SECONDS + (end_hz - start_hz) * SECONDS**2 / 2))


def voiced() -> np.ndarray:
    """A pitch that glides from 120 to 200 Hz with 20 harmonics, in syllables."""
    harmonics = sum(chirp(120 * k, 200 * k) / k for k in range(1, 21))
    return 0.1 * harmonics * (np.sin(2 * np.pi * 4 * SECONDS) > 0)


SIGNALS = {
    "noise": np.random.default_rng(0).uniform(-1, 1, RATE),
    "faint noise": np.random.default_rng(1).uniform(-1e-3, 1e-3, RATE),
    "chirp": chirp(100, 7000),
    "voiced": voiced(),
    "clipped": np.sign(chirp(300, 400)),
    "silence": np.zeros(RATE),
}


@pytest.fixture(params=SIGNALS)
def signal(request) -> np.ndarray:
    """Each of them in turn: one second, float32."""
    return SIGNALS[request.param].astype(np.float32)


@pytest.fixture
def signals() -> dict[str, np.ndarray]:
    return {name: wave.astype(np.float32) for name, wave in SIGNALS.items()}


@pytest.fixture
def librosa_power():
    """|STFT|^2 by librosa in float64, framed as ours: [bins, T]."""

    def power(wave: np.ndarray, config: FrontendConfig) -> np.ndarray:
        hop, length = (round(ms * config.sample_rate / 1000) for ms in (config.hop_ms, config.window_ms))
        size = 2 ** int(np.ceil(np.log2(length)))
        window = np.zeros(size)
        window[:length] = librosa.filters.get_window("hann", length)
        frames = -(-wave.size // hop)
        padded = np.pad(wave.astype(np.float64), (0, (frames - 1) * hop + size - wave.size))
        return np.abs(librosa.stft(padded, n_fft=size, hop_length=hop, window=window, center=False)) ** 2

    return power


@pytest.fixture
def librosa_mel(librosa_power):
    """Power in mel bands by librosa in float64: [F, T]."""

    def mel(wave: np.ndarray, config: FrontendConfig) -> np.ndarray:
        power, htk = librosa_power(wave, config), config.mel == "htk"
        filters = librosa.filters.mel(
            sr=config.sample_rate,
            n_fft=2 * (len(power) - 1),
            n_mels=config.n_mels,
            fmin=config.f_min_hz,
            fmax=config.f_max_hz,
            htk=htk,
            norm=None if htk else "slaney",
        )
        return filters @ power

    return mel
