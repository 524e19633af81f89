"""Sound of any rate through a denoiser of one rate, block by block, sample for sample in its place."""

from __future__ import annotations

import math

import numpy as np

from drsn_audio.streaming.cleaning import Cleaner

UPPER = 0.75  # of what the model hears: from there up its gains are also those of what it does not hear


class Resampler:
    """Samples [N, C] at one rate -> at another, in their places: as of the whole, in blocks."""

    def __init__(self, from_rate: int, to_rate: int, channels: int):
        import soxr  # a device that hears at the model's rate does without

        self._stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")
        self._channels = channels

    def __call__(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        made = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return made.reshape(-1, self._channels)


class SameRate:
    """`feed` it samples [N, C] at the cleaner's rate -> [n, C] without noise; `flush` -> the rest of them."""

    def __init__(self, cleaner: Cleaner):
        self._cleaner = cleaner
        self.sample_rate = cleaner.sample_rate

    def feed(self, samples: np.ndarray) -> np.ndarray:
        return self._cleaner.feed(samples.T).T

    def flush(self) -> np.ndarray:
        return self._cleaner.flush().T


class OtherRate:
    """The same at another rate: to the model's, and back.

    With x the sound, d what the model hears of it, c what the model makes of that, and back() to the rate of x:

        out = back(c) + g(t) * (x - back(d))

    So what the model does not hear keeps a band of its own: all above the model's band, of a lower rate the little
    that resampling loses below half of that. g is the mean gain of the upper quarter of what the model hears, of each
    frame, linear between the middles of frames.
    """

    def __init__(self, cleaner: Cleaner, sample_rate: int):
        self._cleaner, self.sample_rate = cleaner, sample_rate
        channels = cleaner.channels
        self._there = Resampler(sample_rate, cleaner.sample_rate, channels)
        self._back = Resampler(cleaner.sample_rate, sample_rate, 2 * channels)
        top = (cleaner.maker.bins - 1) * min(1.0, sample_rate / cleaner.sample_rate)
        self._upper = slice(int(UPPER * top), math.ceil(top) + 1)
        self._sound = np.zeros((0, channels), np.float32)  # x, of which nothing was given yet
        self._seen = np.zeros((0, channels), np.float32)  # d, of which the cleaner holds c back
        self._gains = np.zeros((0, channels), np.float32)  # g, from the first frame on that is needed
        self._frame = self._given = self._heard = 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        self._heard += len(samples)
        return self._hear(samples, self._there(samples))

    def flush(self) -> np.ndarray:
        channels = self._cleaner.channels
        tail = np.zeros((_spare(self.sample_rate, self._cleaner.sample_rate), channels), np.float32)
        left = self._heard - self._given
        made = [self._hear(tail, self._there(tail, last=True)), self._join(self._cleaner.flush().T, last=True)]
        return np.concatenate(made)[:left]

    def _hear(self, samples: np.ndarray, seen: np.ndarray) -> np.ndarray:
        self._sound = np.concatenate([self._sound, samples])
        self._seen = np.concatenate([self._seen, seen])
        return self._join(self._cleaner.feed(seen.T).T)

    def _join(self, clean: np.ndarray, last: bool = False) -> np.ndarray:
        """c [n, C], and what is known of x and d -> what can be given of the output."""
        self._gains = np.concatenate([self._gains, self._cleaner.gains[:, :, self._upper].mean(axis=2).T])
        both = np.concatenate([clean, self._seen[: len(clean)]], axis=1)
        self._seen = self._seen[len(clean) :]
        back_clean, back_seen = np.split(self._back(both, last), 2, axis=1)
        count = min(len(back_clean), len(self._sound))
        sound, self._sound = self._sound[:count], self._sound[count:]
        made = back_clean[:count] + self._gains_of(count) * (sound - back_seen[:count])
        self._given += count
        return made

    def _gains_of(self, count: int) -> np.ndarray:
        """g [count, C] of the next samples; frames that lie behind them are forgotten."""
        if not count:
            return np.zeros((0, self._cleaner.channels), np.float32)
        hop, bins = self._cleaner.maker.hop, self._cleaner.maker.bins
        places = np.arange(self._given, self._given + count) * (self._cleaner.sample_rate / self.sample_rate)
        middles = (self._frame + 1 + np.arange(len(self._gains))) * hop - (bins - 1)
        made = np.stack([np.interp(places, middles, channel) for channel in self._gains.T], axis=1)
        behind = max(0, min(int(np.searchsorted(middles, places[-1], "right")) - 1, len(self._gains) - 1))
        self._gains, self._frame = self._gains[behind:], self._frame + behind
        return made.astype(np.float32)


AnyRate = SameRate | OtherRate


def at_rate(cleaner: Cleaner, sample_rate: int) -> AnyRate:
    """A cleaner that begins -> what is fed at sample_rate in Hz, and gives as many samples as it was fed."""
    if sample_rate == cleaner.sample_rate:
        return SameRate(cleaner)
    return OtherRate(cleaner, sample_rate)


def _spare(sample_rate: int, model_rate: int) -> int:
    """Samples that are two at either rate."""
    return 2 * math.ceil(sample_rate / model_rate) + 2
