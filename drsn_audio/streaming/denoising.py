"""A live stream of a denoiser: samples in, samples out."""

from __future__ import annotations

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.cleaning import FOREIGN, Cleaner
from drsn_audio.streaming.state import StreamState


class ModelGains:
    """A `GainMaker` of the model itself. Raises InputError where it is no denoiser."""

    def __init__(self, model: AudioModel, channels: int = 1):
        if model.config.head != "denoise":
            raise InputError(f"a model of model.head={model.config.head} takes no noise away: use one of denoise")
        self.streams: StreamBatch[int] = StreamBatch(model)
        self.channels, self.bins = channels, model.outputs
        self.hop = self.block = model.block
        self.sample_rate = model.config.frontend.sample_rate

    def reset(self) -> None:
        self.streams.states = {channel: self.streams.begin() for channel in range(self.channels)}

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        gains = self.streams.feed(dict(enumerate(samples)))
        return np.stack([gains[channel] for channel in range(self.channels)])


class DenoiseStream:
    """A denoiser that listens: `feed` it samples in chunks of any size, `flush` it where the sound ends.

    Joined, what it gives back has as many samples as it was fed, each in its place: it equals `AudioModel.denoise` of
    the whole. A sample is given back at most `delay` samples and a block after it was fed, 32 ms at 16 kHz. `gains`
    float32 [t, bins] are of the frames that the last call added; without a `blend` those of the model on the whole
    sound. `blend`: see `streaming.blending`.

    Raises:
        InputError: a model that is no denoiser, or a `blend` that is no share.
    """

    def __init__(self, model: AudioModel, blend: float = 0.0):
        self._maker = ModelGains(model)
        self._cleaner = Cleaner(self._maker, blend)
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
            InputError: samples that are no finite floats, [N]; they are not heard, and the stream goes on without
                them. Or the stream was flushed.
        """
        return self._cleaner.feed(np.asarray(samples)[None])[0]

    def flush(self) -> np.ndarray:
        """The sound has ended -> float32 [n], what is left of it. What follows needs a `reset`."""
        return self._cleaner.flush()[0]

    @property
    def state(self) -> StreamState:
        """All that is remembered, a copy: assigned to a stream of the same model, that goes on from here."""
        sound = self._cleaner.state
        state = self._maker.streams.states[0].to(self._maker.streams.model.frontend.window.device)
        state.detector = sound
        return state

    @state.setter
    def state(self, state: StreamState) -> None:
        """Raises InputError where it is that of another model."""
        streams = self._maker.streams
        begun = {name: tensor.shape for name, tensor in streams.begin().layers.items()}
        if {name: tensor.shape for name, tensor in state.layers.items()} != begun:
            raise InputError(FOREIGN)
        self._cleaner.state = state.detector
        streams.states[0] = state.to(streams.model.frontend.window.device)
