"""Sound in, sound without its noise out, sample for sample: what all denoising streams share. numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from drsn_audio.errors import InputError
from drsn_audio.streaming.blending import Blend, check_blend
from drsn_audio.streaming.samples import check_samples
from drsn_audio.streaming.synthesis import Synthesis

ENDED = "the stream was flushed, which ends it: reset it before the next sound"
FOREIGN = "the state is that of a stream of another model: restore it with the model that made it"


class GainMaker(Protocol):
    """A denoising model that hears `channels` streams side by side, and remembers what it heard of them.

    A call takes whole blocks of `block` samples, float32 [C, n * block], and gives the gains [C, t, bins] of their
    frames, `hop` samples each.
    """

    channels: int
    bins: int
    hop: int
    block: int
    sample_rate: int

    def reset(self) -> None: ...

    def __call__(self, samples: np.ndarray) -> np.ndarray: ...


class Cleaner:
    """`feed` it samples [C, N] of channels, chunks of any size -> those that are finished, [C, n]; `flush` -> the rest.

    Each channel is denoised by itself. Joined, the output has the input's samples, none more or less, each in its
    place; any chunks give the same. Sample n is finished when the last frame that reaches it was heard, `delay` samples
    and what is left of a block later. `gains` float32 [C, t, bins] are those that the last call used: of the model, or
    with a `blend` what that made of them.

    Raises:
        InputError: a `blend` that is no share.
    """

    def __init__(self, maker: GainMaker, blend: float = 0.0):
        self.maker, self.blend = maker, check_blend(blend)
        self.sample_rate, self.channels = maker.sample_rate, maker.channels
        frame_s = maker.hop / maker.sample_rate
        self._synthesis = [
            Synthesis(maker.bins, maker.hop, Blend(blend, frame_s) if blend else None) for _ in range(maker.channels)
        ]
        self.delay = self._synthesis[0].delay
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self.maker.reset()
        for synthesis in self._synthesis:
            synthesis.reset()
        self._waiting = np.zeros((self.channels, 0), np.float32)  # no whole block yet
        self._heard = self._made = self._frames = 0  # samples fed; samples that were synthesised, frames
        self.gains = np.zeros((self.channels, 0, self.maker.bins), np.float32)
        self.ended = False

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Samples [C, N] at the model's rate, N >= 0, in [-1, 1] -> float32 [C, n].

        Raises:
            InputError: samples that are no finite floats, or not of these channels; they are not heard, and the stream
                goes on without them. Or the stream was flushed.
        """
        if self.ended:
            raise InputError(ENDED)
        if len(samples) != self.channels:
            raise InputError(f"samples of {len(samples)} channels: feed the {self.channels} that the stream has")
        checked = np.stack([check_samples(channel) for channel in samples])
        self._heard += checked.shape[1]
        return self._clean(checked)

    def flush(self) -> np.ndarray:
        """The sound has ended: what is left of it, [C, n]. What follows needs a `reset`."""
        if self.ended:
            raise InputError(ENDED)
        frames = -(-(self._heard + self.delay) // self.maker.hop) if self._heard else 0
        missing = -(self._waiting.shape[1] + self.delay) % self.maker.block + self.delay if self._heard else 0
        given, before = max(0, self._made - self.delay), self._frames
        rest = self._clean(np.zeros((self.channels, missing), np.float32))
        self.gains = self.gains[:, : frames - before]
        self.ended = True
        return rest[:, : self._heard - given]

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that is remembered but for what the model does, copies."""
        if self.ended:
            raise InputError("the stream has ended and remembers nothing: reset it")
        channels = [synthesis.state for synthesis in self._synthesis]
        joined = {name: np.stack([channel[name] for channel in channels]) for name in channels[0]}
        counts = np.array([self._heard, self._made, self._frames], np.int64)
        return {**joined, "counts": counts, "waiting": self._waiting.copy()}

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        """Raises InputError where it is that of another model."""
        shapes = {name: np.shape(value) for name, value in state.items()}
        waiting = shapes.get("waiting", ())
        wanted: dict[str, tuple[int, ...]] = {
            "heard": (self.channels, self.delay),
            "begun": (self.channels, self.delay),
        }
        wanted |= {"powers": (self.channels, 2), "counts": (3,), "waiting": (self.channels, *waiting[1:])}
        if shapes != wanted or len(waiting) != 2 or waiting[1] >= self.maker.block:
            raise InputError(FOREIGN)
        for channel, synthesis in enumerate(self._synthesis):
            synthesis.state = {name: state[name][channel] for name in ("heard", "begun", "powers")}
        self._heard, self._made, self._frames = map(int, state["counts"])
        self._waiting = np.array(state["waiting"], np.float32)
        self.ended = False

    def _clean(self, samples: np.ndarray) -> np.ndarray:
        """Further samples [C, N] -> what the blocks that they complete have finished, the delay taken off the front."""
        wave = np.concatenate([self._waiting, samples], axis=1)
        whole = wave.shape[1] // self.maker.block * self.maker.block
        heard, self._waiting = np.ascontiguousarray(wave[:, :whole]), wave[:, whole:].copy()
        gains = self.maker(heard) if whole else np.zeros((self.channels, 0, self.maker.bins), np.float32)
        made = np.stack([synthesis(*part) for synthesis, *part in zip(self._synthesis, heard, gains, strict=True)])
        self.gains = np.stack([synthesis.gains for synthesis in self._synthesis])
        early = max(0, self.delay - self._made)  # of them stand before the sound
        self._made += whole
        self._frames += gains.shape[1]
        return made[:, early:]
