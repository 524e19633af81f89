"""Log-mel spectrogram."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from drsn_audio.config import ConfigError, FrontendConfig
from drsn_audio.frontends.spectrogram import hann_window, num_frames, power_spectrogram

FLOOR = 1e-6  # what white noise at -83 (8 kHz) to -95 dB full scale (100 Hz) gives: the converter, not the place

CLIPS = 8


def log_mel(wave: Tensor, window: Tensor, filters: Tensor, hop: int) -> Tensor:
    """Wave [B, N] and mel filters [len(window) // 2 + 1, F] -> ln(mel power + FLOOR), [B, F, T]."""
    if wave.device.type == "cpu" and len(wave) > CLIPS:  # a few at a time stay in the cache: twice as fast
        return torch.cat([log_mel(clips, window, filters, hop) for clips in wave.split(CLIPS)])
    power = power_spectrogram(wave, window, hop)
    return (power.transpose(1, 2) @ filters + FLOOR).log().transpose(1, 2)


class LogMel(nn.Module):
    """Log-mel spectrogram: wave [B, N] -> [B, 1, F, T], lengths [B] in samples -> in frames.

    Davis & Mermelstein 1980; HTK's mel scale, triangles of height one. Samples beyond a length are silenced.
    No statistic of the clip enters, so a stream gives the same frames.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, config: FrontendConfig):
        super().__init__()
        highest_hz = config.sample_rate / 2
        if config.f_max_hz > highest_hz:
            raise ConfigError(f"model.frontend.f_max_hz={config.f_max_hz:g}: at this sample rate use {highest_hz:g}")
        self.hop = round(config.hop_ms * config.sample_rate / 1000)
        window = hann_window(round(config.window_ms * config.sample_rate / 1000))
        filters = melscale_fbanks(
            window.numel() // 2 + 1, config.f_min_hz, config.f_max_hz, config.n_mels, config.sample_rate
        )
        self.bins = config.n_mels
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if lengths is not None:
            inside = torch.arange(wave.shape[1], device=wave.device) < lengths[:, None]
            wave = wave.masked_fill(~inside, 0)  # a product would keep NaN
            lengths = (lengths + self.hop - 1) // self.hop
        with torch.autocast(wave.device.type, enabled=False):
            spectrogram = log_mel(wave.float(), self.window, self.filters, self.hop)
        assert spectrogram.shape[2] == num_frames(wave.shape[1], self.hop)
        return spectrogram.unsqueeze(1), lengths
