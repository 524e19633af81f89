"""What every front-end shares: silence beyond a length, frames, single precision, normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drsn_audio.config import ConfigError, FrontendConfig, nearest
from drsn_audio.frontends.causal_norm import NORMS
from drsn_audio.frontends.spectrogram import frame_samples, hann_window, num_frames
from drsn_audio.memory import Memory, Remembers


class Frontend(Remembers, nn.Module):
    """Wave [B, N] -> [B, 1, F, T], lengths [B] in samples -> in frames. A kind of it gives `features`.

    Samples beyond a length are silenced. Frame t begins at sample t * hop, or, with a memory, ends with sample
    (t + 1) * hop; it depends on no later one: no statistic of the clip enters, so a stream gives the same frames.

    Raises:
        ConfigError: a window or hop of no sample, a window shorter than the hop, a band that ends above half of the
            sample rate or before it begins or holds no bin, an unknown `norm`.
    """

    window: Tensor

    def __init__(self, config: FrontendConfig, bins: int):
        super().__init__()
        self.bins = bins
        self.hop = round(config.hop_ms * config.sample_rate / 1000)
        self.register_buffer("window", window_of(config), persistent=False)
        self.norm = NORMS[config.norm](bins, config)

    def features(self, samples: Tensor, memory: Memory | None = None) -> Tensor:
        """Samples of whole frames, [B, (T - 1) * hop + len(window)] -> [B, F, T]."""
        raise NotImplementedError

    def forward(
        self, wave: Tensor, lengths: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor | None]:
        if lengths is not None:
            lengths = lengths.clamp(max=wave.shape[1])
            wave = silenced(wave, lengths)
            lengths = (lengths + self.hop - 1) // self.hop
        with torch.autocast(wave.device.type, enabled=False):
            frames = num_frames(wave.shape[1], self.hop)
            samples = frame_samples(wave.float(), self.window.numel(), self.hop, memory, f"{self.memory_name}.wave")
            spectrogram = self.norm(self.features(samples, memory), memory)
        assert spectrogram.shape[1:] == (self.bins, frames)
        return spectrogram.unsqueeze(1), lengths


def silenced(wave: Tensor, lengths: Tensor | None) -> Tensor:
    """Return wave [B, N] with zeros beyond lengths [B] in samples; None: as it is."""
    if lengths is None:
        return wave
    inside = torch.arange(wave.shape[1], device=wave.device) < lengths[:, None]
    return wave.masked_fill(~inside, 0)  # a product would keep NaN


def window_of(config: FrontendConfig) -> Tensor:
    """The window of a config that is in order. Raises ConfigError as `Frontend` does."""
    rate, low_hz, high_hz = config.sample_rate, config.f_min_hz, config.f_max_hz
    for key, value in (("hop_ms", config.hop_ms), ("window_ms", config.window_ms)):
        if not value * rate / 1000 >= 1:
            raise ConfigError(f"model.frontend.{key}={value:g}: at {rate} Hz that is less than a sample")
    if config.window_ms < config.hop_ms:
        raise ConfigError(f"model.frontend.window_ms={config.window_ms:g}: give at least hop_ms={config.hop_ms:g}")
    if high_hz > rate / 2:
        raise ConfigError(f"model.frontend.f_max_hz={high_hz:g}: at this sample rate use {rate / 2:g}")
    if not 0 <= low_hz < high_hz:
        raise ConfigError(f"model.frontend.f_min_hz={low_hz:g}: use 0 to below {high_hz:g}")
    if config.norm not in NORMS:
        raise ConfigError(f"model.frontend.norm={config.norm!r} is unknown: {nearest(config.norm, list(NORMS))}")
    return hann_window(round(config.window_ms * rate / 1000))
