"""Gains on the short-time spectrum of live sound, and the sound again: numpy alone, as on a device without torch."""

from __future__ import annotations

import numpy as np

from drsn_audio.overlap import delay


class Synthesis:
    """Samples and the gains of their frames, block by block -> samples, later by `delay`.

    The windows are those of `nn.synthesis.apply_gains`: root-Hann, 2 (bins - 1) samples, before and after the gains.
    Joined, the blocks equal what that gives of the whole, however it was cut. Digital silence stays digital silence.

    Raises:
        ValueError: a window that is no even multiple of the hop.
    """

    def __init__(self, bins: int, hop: int):
        self.bins, self.hop, self.delay = bins, hop, delay(bins, hop)
        size = 2 * (bins - 1)
        self._window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
        self._after = self._window * np.float32(2 * hop / size)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self._heard = np.zeros(self.delay, np.float32)  # the end of what was heard
        self._begun = np.zeros(self.delay, np.float32)  # what the last frames have of samples yet to come

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
        if not len(gains):
            return np.zeros(0, np.float32)
        heard = np.concatenate([self._heard, samples])
        windows = np.lib.stride_tricks.sliding_window_view(heard, len(self._window))[:: self.hop]
        frames = np.fft.irfft(np.fft.rfft(windows * self._window) * gains, n=len(self._window)) * self._after
        made = np.concatenate([self._begun, np.zeros(len(samples), np.float32)])
        for index, frame in enumerate(frames):
            made[index * self.hop : index * self.hop + len(frame)] += frame.astype(np.float32)
        self._heard, self._begun = heard[len(samples) :].copy(), made[len(samples) :].copy()
        return made[: len(samples)]
