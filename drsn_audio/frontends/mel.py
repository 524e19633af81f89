"""Mel bands of a power spectrogram: what log-mel, MFCC and PCEN begin with."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from drsn_audio.config import ConfigError, FrontendConfig, nearest
from drsn_audio.frontends.frontend import Frontend
from drsn_audio.frontends.spectrogram import power_spectrogram

# Scale -> its filters' norm, and a power that every band is raised by. In HTK's form, triangles of height one, white
# noise at -85 (65 Hz) to -95 dB full scale (7.5 kHz) gives that power: the converter, not the place. In Slaney's form
# triangles have area one: their height is a hundredth or so.
MELS: dict[str, tuple[str | None, float]] = {"htk": (None, 1e-6), "slaney": ("slaney", 1e-8)}

CLIPS = 8


def mel_power(samples: Tensor, window: Tensor, filters: Tensor, hop: int) -> Tensor:
    """Samples [B, (T - 1) * hop + len(window)], filters [len(window) // 2 + 1, F] -> power in mel bands [B, F, T]."""
    many = not torch.onnx.is_in_onnx_export() and samples.device.type == "cpu" and len(samples) > CLIPS
    if many:  # a few at a time stay in the cache: twice as fast
        return torch.cat([mel_power(clips, window, filters, hop) for clips in samples.split(CLIPS)])
    return (power_spectrogram(samples, window, hop).transpose(1, 2) @ filters).transpose(1, 2)


class MelFrontend(Frontend):
    """A front-end on mel bands: `mel` gives their power, `floor` is what each is raised by before its logarithm.

    Raises:
        ConfigError: as `Frontend`, an unknown `mel`, or more bands than the Fourier transform resolves.
    """

    filters: Tensor

    def __init__(self, config: FrontendConfig, bins: int):
        super().__init__(config, bins)
        if config.n_mels < 1:
            raise ConfigError(f"model.frontend.n_mels={config.n_mels}: use 1 or more")
        if config.mel not in MELS:
            raise ConfigError(f"model.frontend.mel={config.mel!r} is unknown: {nearest(config.mel, list(MELS))}")
        norm, self.floor = MELS[config.mel]
        bounds_hz = config.f_min_hz, config.f_max_hz
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty bands, which are refused below
            filters = melscale_fbanks(
                self.window.numel() // 2 + 1, *bounds_hz, config.n_mels, config.sample_rate, norm, config.mel
            )
        empty = int((filters.amax(0) == 0).sum())
        if empty:
            raise ConfigError(
                f"model.frontend.n_mels={config.n_mels}: {empty} bands lie between two bins of the Fourier transform; "
                "use fewer, or a longer window_ms"
            )
        self.register_buffer("filters", filters, persistent=False)

    def mel(self, samples: Tensor) -> Tensor:
        """Samples of whole frames -> power [B, n_mels, T]."""
        return mel_power(samples, self.window, self.filters, self.hop)
