"""A loaded model that takes noise away."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from drsn_audio.denoising.base import AnyDenoiser
from drsn_audio.models.checkpoint import CheckpointError
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.cleaning import Cleaner
from drsn_audio.streaming.denoising import DenoiseStream, ModelGains


class Denoiser(AnyDenoiser):
    """A model that takes noise away. `info` is what its checkpoint says; `module` the `AudioModel`, in eval mode."""

    def __init__(self, module: AudioModel, info: dict[str, Any]):
        """Raises CheckpointError where it is no denoiser."""
        if module.config.head != "denoise":
            raise CheckpointError(
                f"the model's head is {module.config.head!r} and takes no noise away: use drsn_audio.load"
            )
        self.module = module.eval()
        self.info = info
        self.sample_rate = module.config.frontend.sample_rate

    def __call__(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Wave [B, N], lengths [B] in samples -> gains [B, T, bins] on its spectrum, see `nn.synthesis.apply_gains`."""
        with torch.inference_mode():
            return self.module(wave, lengths)

    def cleaner(self, channels: int = 1, blend: float = 0.0) -> Cleaner:
        return Cleaner(ModelGains(self.module, channels), blend)

    def stream(self, blend: float = 0.0) -> DenoiseStream:
        """A live stream at the model's rate: `feed` it samples, and it gives those that are finished.

        Raises:
            InputError: a `blend` that is no share.
        """
        return DenoiseStream(self.module, blend)
