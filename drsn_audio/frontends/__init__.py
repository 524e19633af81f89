"""Spectrogram front-ends: wave [B, N] -> spectrogram [B, 1, F, T]. A new one is a file here and a line below."""

from collections.abc import Callable

from drsn_audio.config import FrontendConfig
from drsn_audio.frontends.frontend import Frontend
from drsn_audio.frontends.linear import LogSpectrogram, Spectrogram
from drsn_audio.frontends.logmel import LogMel
from drsn_audio.frontends.mfcc import Mfcc
from drsn_audio.frontends.pcen import Pcen

FRONTENDS: dict[str, Callable[[FrontendConfig], Frontend]] = {
    "logmel": LogMel,
    "pcen": Pcen,
    "mfcc": Mfcc,
    "log-spectrogram": LogSpectrogram,
    "spectrogram": Spectrogram,
}

__all__ = ["FRONTENDS", "Frontend", "LogMel", "LogSpectrogram", "Mfcc", "Pcen", "Spectrogram"]
