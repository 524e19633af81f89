"""A small denoiser that nobody trained, and one whose gains are given."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from drsn_audio.config import config_from_dict
from drsn_audio.denoising.base import AnyDenoiser
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.cleaning import Cleaner

RATE, HOP, BINS = 16000, 256, 257
FRONTEND = {"name": "log-spectrogram", "f_min_hz": 0.0, "window_ms": 32, "hop_ms": 16}
SMALL = {
    "preset": "100k", "encoder": "drsn", "head": "denoise", "pool": "causal", "widths": [4, 6], "blocks": [1, 1],
    "mixer": [1], "stem_stride": [4, 1], "time_reduction": 1, "frontend": FRONTEND,
}  # fmt: skip


def hiss(size: int, seed: int = 0, channels: int = 0) -> np.ndarray:
    """Float32 [N], or [N, channels], in [-1, 1]; louder and softer in turn."""
    rng = np.random.default_rng(seed)
    wave = rng.standard_normal((size, max(1, channels))) * (0.02 + 0.05 * (np.arange(size)[:, None] // 4000 % 2))
    return wave.astype(np.float32) if channels else wave[:, 0].astype(np.float32)


def small_denoiser() -> AudioModel:
    """Its gains are neither all alike nor near 0 or 1."""
    torch.manual_seed(0)
    model = AudioModel(config_from_dict({"model": SMALL}).model)
    with torch.no_grad():
        model.train()(torch.from_numpy(hiss(4 * RATE)).view(4, RATE))
        model.head.output.weight.mul_(3)
        model.head.output.bias.zero_()
    return model.eval()


class FixedGains:
    """A `GainMaker` whose gains are those of a function: the number of a frame -> its gains [bins], or one for all."""

    def __init__(self, gain: Callable[[int], np.ndarray | float], channels: int = 1):
        self.gain, self.channels = gain, channels
        self.bins, self.hop, self.block, self.sample_rate = BINS, HOP, HOP, RATE
        self.fed: list[int] = []  # samples of each call

    def reset(self) -> None:
        self.frame = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        count = samples.shape[1] // HOP
        rows = [np.broadcast_to(self.gain(self.frame + index), BINS) for index in range(count)]
        self.frame += count
        self.fed.append(samples.shape[1])
        return np.repeat(np.stack(rows)[None], self.channels, axis=0).astype(np.float32)


class FixedDenoiser(AnyDenoiser):
    """A denoiser of `FixedGains`."""

    sample_rate = RATE

    def __init__(self, gain: Callable[[int], np.ndarray | float]):
        self.gain = gain

    def cleaner(self, channels: int = 1, blend: float = 0.0) -> Cleaner:
        return Cleaner(FixedGains(self.gain, channels), blend)


@pytest.fixture(scope="session")
def model() -> AudioModel:
    return small_denoiser()


@pytest.fixture(scope="session")
def denoiser_run(model: AudioModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the small denoiser."""
    folder = tmp_path_factory.mktemp("denoiser")
    save_checkpoint(folder, "best", model, step=1, info={})
    return folder
