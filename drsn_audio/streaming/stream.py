"""One live stream: samples in, events out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.batch import StreamBatch
from drsn_audio.streaming.event import Event, EventMaker
from drsn_audio.streaming.probabilities import probabilities
from drsn_audio.streaming.state import StreamState
from drsn_audio.streaming.tail import within


class Stream:
    """A causal model that listens: `feed` it samples in chunks of any size, `flush` it where the sound ends.

    `logits` and `probabilities`, float32 [t, K], are of the frames that the last call added; joined, the logits of
    all calls equal those of the model on the whole sound and its `tail`, with which `flush` ends it. `detector`, of a
    CTC model a `Writer`, makes events of the probabilities, which are the softmax of logits / temperature.

    Raises:
        InputError: a model of whole clips, or a denoiser, whose stream is a `DenoiseStream`.
    """

    def __init__(self, model: AudioModel, detector: EventMaker, temperature: float = 1.0):
        if model.config.head == "joint":
            raise InputError("a joint model is an experiment that hears clips: stream one of keywords alone")
        if model.config.head == "denoise":
            raise InputError("a denoiser names nothing and gives sound: make a DenoiseStream of it")
        self._batch: StreamBatch[int] = StreamBatch(model)
        self.detector, self.temperature = detector, temperature
        self.labels: list[str] = list(model.config.labels)
        self.sample_rate = model.config.frontend.sample_rate
        self.frame_s = self._batch.frame_s
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self._batch.states[0] = self._batch.begin()
        self.detector.reset()
        self.ended = False
        self._answer(np.zeros((0, len(self.labels)), np.float32))

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Samples [N] at the model's rate, N >= 0, in [-1, 1] -> what was recognised with them.

        Raises:
            InputError: samples that are no finite floats, [N]; they are not heard, and the stream goes on without
                them. Or the stream was flushed.
        """
        return self._answer(self._hear(lambda: self._batch.feed({0: samples})[0]))

    def flush(self) -> list[Event]:
        """End the sound: feed a tail of silence and return what was still open. What follows needs a `reset`.

        Events of the tail have the end of the sound as their time.
        """
        end_s = 0.0 if self.ended else self._batch.samples(0) / self.sample_rate
        events = self._answer(self._hear(lambda: self._batch.flush(0)))
        self.ended = True
        return within(events + self.detector.finish(), end_s)

    @property
    def state(self) -> StreamState:
        """All that is remembered, a copy: assigned to a stream of the same model, that goes on from here."""
        if self.ended:
            raise InputError("the stream has ended and remembers nothing: reset it")
        state = self._batch.states[0].to(self._batch.model.frontend.window.device)
        state.detector = self.detector.state
        return state

    @state.setter
    def state(self, state: StreamState) -> None:
        """Raises InputError where it is that of another model."""
        begun = self._batch.begin().layers
        shapes = {name: tensor.shape for name, tensor in state.layers.items()}
        if shapes != {name: tensor.shape for name, tensor in begun.items()}:
            raise InputError("the state is that of a stream of another model: restore it with the model that made it")
        self.detector.state = state.detector
        self._batch.states[0] = state.to(self._batch.model.frontend.window.device)
        self.ended = False

    def _hear(self, heard: Callable[[], np.ndarray]) -> np.ndarray:
        if self.ended:
            raise InputError("the stream was flushed, which ends it: reset it before the next sound")
        return heard()

    def _answer(self, logits: np.ndarray) -> list[Event]:
        self.logits = logits
        self.probabilities = probabilities(logits, self.temperature)
        return self.detector.step(self.probabilities)
