"""Gains on the short-time spectrum of live sound, and the sound again: numpy alone, as on a device without torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drsn_audio.overlap import delay
from drsn_audio.streaming.blending import Blend


class Synthesis:
    """Samples and the gains of their frames, block by block -> samples, later by `delay`.

    The windows are those of `nn.synthesis.apply_gains`: root-Hann, 2 (bins - 1) samples, before and after the gains.
    Joined, the blocks equal what that gives of the whole, however it was cut. Digital silence stays digital silence.
    With a `blend`, a share of the noisy signal is given back; `gains` [t, bins] are those that the last call used.

    Raises:
        ValueError: a window that is no even multiple of the hop.
    """

    def __init__(self, bins: int, hop: int, blend: Blend | None = None):
        self.bins, self.hop, self.delay, self.blend = bins, hop, delay(bins, hop), blend
        size = 2 * (bins - 1)
        self._window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
        self._after = self._window * np.float32(2 * hop / size)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self._heard = np.zeros(self.delay, np.float32)  # the end of what was heard
        self._begun = np.zeros(self.delay, np.float32)  # what the last frames have of samples yet to come
        self.gains = np.zeros((0, self.bins), np.float32)
        if self.blend:
            self.blend.reset()

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that is remembered, copies."""
        powers = self.blend.state if self.blend else np.zeros(2)
        return {"heard": self._heard.copy(), "begun": self._begun.copy(), "powers": powers}

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]) -> None:
        self._heard, self._begun = (np.array(state[name], np.float32) for name in ("heard", "begun"))
        if self.blend:
            self.blend.state = state["powers"]

    def __call__(self, samples: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Samples float32 [t * hop] and gains [t, bins] -> float32 [t * hop].

        Raises:
            ValueError: other shapes; then nothing was heard.
        """
        if gains.ndim != 2 or gains.shape[1] != self.bins or samples.shape != (len(gains) * self.hop,):
            raise ValueError(
                f"samples {list(samples.shape)} and gains {list(gains.shape)}: give {self.hop} samples and {self.bins} "
                "gains a frame"
            )
        self.gains = gains
        if not len(gains):
            return np.zeros(0, np.float32)
        heard = np.concatenate([self._heard, samples])
        if len(gains) == 1:  # as most are, live: half of the time would go into the view
            windows = heard[None]
        else:
            windows = np.lib.stride_tricks.sliding_window_view(heard, len(self._window))[:: self.hop]
        spectrum = np.fft.rfft(windows * self._window)
        if self.blend:
            self.gains = self.blend(gains, spectrum)
        frames = np.fft.irfft(spectrum * self.gains, n=len(self._window)) * self._after
        made = np.concatenate([self._begun, np.zeros(len(samples), np.float32)])
        for index, frame in enumerate(frames):
            made[index * self.hop : index * self.hop + len(frame)] += frame.astype(np.float32)
        self._heard, self._begun = heard[len(samples) :].copy(), made[len(samples) :].copy()
        return made[: len(samples)]
