"""A live stream of an exported denoiser: numpy and ONNX Runtime alone, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.streaming.cleaning import FOREIGN, Cleaner
from drsn_audio.streaming.onnx import OnnxStep, State


class OnnxGains:
    """A `GainMaker` of an exported step. Raises InputError where it is no denoiser's."""

    def __init__(self, step: OnnxStep, channels: int = 1):
        if step.denoiser is None:
            raise InputError(f"{step.name}: takes no noise away: export a model of model.head=denoise")
        self.step, self.channels = step, channels
        self.bins, self.hop, self.block = step.outputs, step.denoiser["hop"], step.block
        self.sample_rate = step.sample_rate

    def reset(self) -> None:
        self.layers = self.step.begin(self.channels)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        heard = []
        for begin in range(0, samples.shape[1], self.block):
            block = np.ascontiguousarray(samples[:, begin : begin + self.block])
            gains, self.layers = self.step(block, self.layers)
            heard.append(gains.reshape(self.channels, -1, self.bins))
        return np.concatenate(heard, axis=1)


class OnnxDenoiseStream:
    """One live stream through an exported denoiser; all that it has and gives is that of `DenoiseStream`, but that its
    `state` is a dict of arrays.

    Raises:
        InputError: as `OnnxStep`, or the file of a model that is no denoiser, or a `blend` that is no share.
    """

    def __init__(self, path: str | Path, blend: float = 0.0, threads: int = 1):
        self._maker = OnnxGains(OnnxStep(path, threads))
        self._cleaner = Cleaner(self._maker, blend)
        self.about = self._maker.step.about
        self.sample_rate, self.delay = self._cleaner.sample_rate, self._cleaner.delay

    @property
    def gains(self) -> np.ndarray:
        return self._cleaner.gains[0]

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self._cleaner.reset()

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Samples [N] at the model's rate, N >= 0, in [-1, 1] -> float32 [n], those that are finished.

        Raises:
            InputError: as `DenoiseStream.feed`.
        """
        return self._cleaner.feed(np.asarray(samples)[None])[0]

    def flush(self) -> np.ndarray:
        """The sound has ended -> float32 [n], what is left of it. What follows needs a `reset`."""
        return self._cleaner.flush()[0]

    @property
    def state(self) -> State:
        """All that is remembered, as arrays, copies: saved (`numpy.savez`) and assigned to a stream of the same model,
        that goes on from here.
        """
        sound = {f"sound/{name}": value for name, value in self._cleaner.state.items()}
        return sound | {f"layers/{name}": value.copy() for name, value in self._maker.layers.items()}

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        """Raises InputError where it is that of another model."""
        parts: dict[str, State] = {"layers": {}, "sound": {}}
        for key in state:
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = np.array(state[key])
        begun = {name: value.shape for name, value in self._maker.step.begin().items()}
        if len(parts) > 2 or {name: value.shape for name, value in parts["layers"].items()} != begun:
            raise InputError(FOREIGN)
        self._cleaner.state = parts["sound"]
        self._maker.layers = parts["layers"]
