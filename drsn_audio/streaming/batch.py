"""Many streams through one causal model at once: each begins and ends when it likes, and hears what it would alone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

import numpy as np
import torch

from drsn_audio.errors import InputError
from drsn_audio.memory import Memory
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.samples import check_samples
from drsn_audio.streaming.state import StreamState
from drsn_audio.streaming.tail import tail

MOST_BLOCKS = 128  # heard at once: ten seconds, so that memory does not grow with what is fed

Key = TypeVar("Key", bound=Hashable)


class StreamBatch(Generic[Key]):
    """Streams by key. `states[key]` is all that a stream remembers: take it out, save it, put it into another batch.

    The modules are those of the model, with its weights, on its device; block by block they give what they give of
    the whole sound, whatever the chunks.

    Raises:
        InputError: a model of whole clips.
    """

    def __init__(self, model: AudioModel):
        if not model.causal:
            raise InputError("a model of whole clips cannot stream: use a causal one, e.g. commands-12-stream")
        self.model = model.eval()
        self.states: dict[Key, StreamState] = {}
        memory = Memory()
        self._run(torch.zeros(1, model.block), memory)
        self._beginning = {name: tensor.detach().clone() for name, tensor in memory.beginning.items()}

    @property
    def frame_s(self) -> float:
        """Seconds of a frame of logits."""
        return self.model.block / self.model.config.frontend.sample_rate

    def begin(self) -> StreamState:
        """The state of a stream that has heard nothing."""
        return StreamState(dict(self._beginning))

    def samples(self, key: Key) -> int:
        """Return how many samples a stream was fed."""
        return self.states[key].frames * self.model.block + len(self.states[key].waiting)

    def feed(self, samples: Mapping[Key, np.ndarray]) -> dict[Key, np.ndarray]:
        """Next samples [N] of each stream, N >= 0, in [-1, 1] -> the logits [t, K] of the blocks that they complete.
        Of a denoiser they are gains [t, bins].

        A key that is new begins a stream.

        Raises:
            InputError: samples that are no finite floats, [N]; then no stream has heard anything.
        """
        checked = {key: check_samples(chunk) for key, chunk in samples.items()}
        for key, chunk in checked.items():
            state = self.states.setdefault(key, self.begin())
            state.waiting = np.concatenate([state.waiting, chunk])
        heard: dict[Key, list[np.ndarray]] = {key: [] for key in checked}
        while ready := [key for key in checked if len(self.states[key].waiting) >= self.model.block]:
            fewest = min(len(self.states[key].waiting) for key in ready) // self.model.block
            for key, logits in zip(ready, self._hear(ready, min(fewest, MOST_BLOCKS)), strict=True):
                heard[key].append(logits)
        nothing = np.zeros((0, self.model.outputs), np.float32)
        return {key: np.concatenate([nothing, *parts]) for key, parts in heard.items()}

    def flush(self, key: Key) -> np.ndarray:
        """End a stream and forget it: logits [t, K] of its last block and of the silence after it, see `tail`."""
        silence = tail(self.samples(key), self.model.config.frontend.sample_rate, self.model.block)
        logits = self.feed({key: silence})[key]
        del self.states[key]
        return logits

    def _hear(self, keys: list[Key], blocks: int) -> np.ndarray:
        """The next blocks of some streams -> logits [B, blocks, K]; their states go on."""
        count = blocks * self.model.block
        states = [self.states[key] for key in keys]
        wave = torch.from_numpy(np.stack([state.waiting[:count] for state in states]))
        layers = {name: torch.cat([state.layers[name] for state in states]) for name in self._beginning}
        memory = Memory(layers)
        logits = self._run(wave, memory)
        after = memory.after()
        for row, state in enumerate(states):
            state.layers = {name: tensor[row : row + 1] for name, tensor in after.items()}
            state.waiting = state.waiting[count:].copy()
            state.frames += blocks
        return logits.float().cpu().numpy()

    @torch.inference_mode()
    def _run(self, wave: torch.Tensor, memory: Memory) -> torch.Tensor:
        return self.model(wave.to(self.model.frontend.window.device), memory=memory)
