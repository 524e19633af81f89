"""Other denoisers, put to the same trials as our models: spectral gating, WebRTC's noise suppression, RNNoise."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.signal import correlate

from drsn_audio.audio import resample
from drsn_audio.evaluation.denoising import Denoise

SAMPLE_RATE = 16000  # of the waves that are compared
LONGEST_DELAY_S = 0.1


class Peer(Protocol):
    """Waves at its own rate, [M] -> [M], late by as much as it needs. Every wave is a new one to it."""

    sample_rate: int
    settings: dict[str, Any]  # what run.json says of it

    def __call__(self, wave: np.ndarray) -> np.ndarray: ...


class SpectralGating:
    """noisereduce with its own settings: a threshold for each frequency, of all of the noisy wave or of what is near.

    Sainburg, Thielk, Gentner, PLoS Computational Biology 16(10), 2020. It looks ahead, and hears no noise alone.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, stationary: bool):
        """Raises ModuleNotFoundError where noisereduce is not installed."""
        import noisereduce

        self._reduce = noisereduce.reduce_noise
        self.settings = {"library": "noisereduce", "version": version("noisereduce"), "stationary": stationary}

    def __call__(self, wave: np.ndarray) -> np.ndarray:
        """NaN where the library divides by zero: digital silence, if it is not stationary."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self._reduce(y=wave, sr=self.sample_rate, stationary=self.settings["stationary"])
        return found.astype(np.float32)


class WebRtc:
    """The noise suppression of WebRTC's audio processing at its strongest, without gain control, 10 ms at a time.

    It takes integers of 16 bits: a wave that exceeds full scale is scaled down to it, and what comes out up again. Its
    high-pass filter, which the library always has on, turns the phase of low sounds; SI-SDR counts that as an error,
    STOI and PESQ hardly do.
    """

    sample_rate = SAMPLE_RATE
    frame = SAMPLE_RATE // 100

    def __init__(self, suppression: int = 4):
        """`suppression`: 0 (none) to 4. Raises ModuleNotFoundError where webrtc-noise-gain is not installed."""
        from webrtc_noise_gain import AudioProcessor

        self._make = lambda: AudioProcessor(0, suppression)
        self.settings = {
            "library": "webrtc-noise-gain",
            "version": version("webrtc-noise-gain"),
            "noise_suppression": suppression,
            "auto_gain_dbfs": 0,
            "high_pass": True,
        }

    def __call__(self, wave: np.ndarray) -> np.ndarray:
        processor = self._make()
        scale = 32767 / max(1.0, float(np.abs(wave).max(initial=0)))
        pcm = np.pad((wave * scale).round().astype("<i2"), (0, -len(wave) % self.frame)).reshape(-1, self.frame)
        heard = b"".join(processor.Process10ms(piece.tobytes()).audio for piece in pcm)
        return (np.frombuffer(heard, "<i2")[: len(wave)] / scale).astype(np.float32)


class RnNoise:
    """RNNoise: a small recurrent network on the energies of bands, and a comb filter; 48 kHz, 10 ms at a time.

    Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement", MMSP 2018; the library and
    the weights are those in the wheel pyrnnoise. They are called directly: the package's own way in reads files by
    another library, and rounds to 16 bits.
    """

    sample_rate = 48000

    def __init__(self) -> None:
        """Raises ModuleNotFoundError where pyrnnoise is not installed."""
        self._library = _rnnoise()
        self.frame = int(self._library.rnnoise_get_frame_size())
        self.settings = {"library": "pyrnnoise", "version": version("pyrnnoise"), "sample_rate": self.sample_rate}

    def __call__(self, wave: np.ndarray) -> np.ndarray:
        padded = np.pad(wave, (0, -len(wave) % self.frame)).astype(np.float32) * 32768  # the scale of 16 bits
        heard = np.empty_like(padded)
        state = self._library.rnnoise_create(None)
        try:
            for start in range(0, len(padded), self.frame):
                pieces = (each[start : start + self.frame] for each in (heard, padded))
                pointers = (piece.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for piece in pieces)
                self._library.rnnoise_process_frame(state, *pointers)
        finally:
            self._library.rnnoise_destroy(state)
        return heard[: len(wave)] / 32768


PEERS: dict[str, Callable[[], Peer]] = {
    "noisereduce, stationary": lambda: SpectralGating(stationary=True),
    "noisereduce, adaptive": lambda: SpectralGating(stationary=False),
    "WebRTC": WebRtc,
    "RNNoise": RnNoise,
}


class Aligned:
    """A peer as a `Denoise`: waves at 16 kHz, resampled where it wants another rate, and its delay taken off.

    The delay is that of the clean speech `calibrate`, found once at the peer's own rate.
    """

    def __init__(self, peer: Peer, calibrate: Sequence[np.ndarray]):
        self.peer = peer
        waves = [resample(wave, SAMPLE_RATE, peer.sample_rate) for wave in calibrate]
        self.delay = find_delay(peer, waves, round(LONGEST_DELAY_S * peer.sample_rate))

    @property
    def settings(self) -> dict[str, Any]:
        return {**self.peer.settings, "delay_ms": round(1000 * self.delay / self.peer.sample_rate, 3)}

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Noisy [N] at 16 kHz -> [N]."""
        wave = resample(noisy, SAMPLE_RATE, self.peer.sample_rate)
        heard = self.peer(np.pad(wave, (0, self.delay)))[self.delay :]
        back = resample(heard, self.peer.sample_rate, SAMPLE_RATE)[: len(noisy)]
        return np.pad(back, (0, len(noisy) - len(back))).astype(np.float32)


def peers(calibrate: Sequence[np.ndarray]) -> dict[str, Aligned]:
    """All of PEERS by name. `calibrate`: clean waves at 16 kHz, [N] each, by which their delays are found.

    Raises:
        ModuleNotFoundError: one of their libraries is not installed.
    """
    return {name: Aligned(make(), calibrate) for name, make in PEERS.items()}


def find_delay(denoise: Denoise | Peer, waves: Sequence[np.ndarray], longest: int) -> int:
    """Samples, 0 to `longest`, by which a denoiser is late: by cross-correlation, the median of clean waves [M]."""
    found = []
    for wave in waves:
        # Lag k: the sum over n of heard[n + k] * wave[n].
        lags = correlate(denoise(wave), wave, method="fft")[len(wave) - 1 :]
        found.append(int(lags[: longest + 1].argmax()))
    return int(np.median(found))


def _rnnoise() -> Any:
    """The C library in the wheel pyrnnoise, its functions declared."""
    found = importlib.util.find_spec("pyrnnoise")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("pyrnnoise is not installed", name="pyrnnoise")
    name = {"Darwin": "librnnoise.dylib", "Windows": "rnnoise.dll"}.get(platform.system(), "librnnoise.so")
    library = ctypes.CDLL(str(Path(found.submodule_search_locations[0]) / name))
    samples = ctypes.POINTER(ctypes.c_float)
    library.rnnoise_create.argtypes, library.rnnoise_create.restype = [ctypes.c_void_p], ctypes.c_void_p
    library.rnnoise_destroy.argtypes, library.rnnoise_destroy.restype = [ctypes.c_void_p], None
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, samples, samples]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_get_frame_size.restype = ctypes.c_int
    return library
