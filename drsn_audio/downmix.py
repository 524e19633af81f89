"""Several channels as one: their mean, where a channel of inverted polarity is turned over before."""

from __future__ import annotations

import numpy as np

MEMORY_S = 0.1  # time constant of the correlation that decides
CANCELS = -0.5  # a correlation below it: the two channels cancel each other
REFERENCE_SHARE = 0.25  # the reference is the first channel with at least this share of the strongest one's power
SPAN_S = 1 / 4000  # channels are compared by their change within this time: without offset, rumble and hiss
FRAME_SPANS = 40  # 10 ms: a decision each
DELAY_S = 0.01  # channels that agree with one shifted against the other by less are not inverted: spaced microphones
HOLD_FRAMES = 10  # after which such channels are looked at again


class Downmix:
    """`downmix(samples [N, C]) -> [N]`, block after block of one sound: the output does not depend on the blocks.

    The mean of the channels, bit for bit, unless one of them cancels another, as behind a cable or a plug of wrong
    polarity: a channel whose correlation with the reference, as both are being added, falls below -0.5 changes its
    sign, and changes it back by the same rule. The correlation is of the last 0.1 s or so, decided every 10 ms by the
    samples before, so that nothing is held back; the sign then moves within 10 ms, without a click.
    """

    def __init__(self, sample_rate: int, channels: int):
        self.channels = channels
        self._span = max(1, round(SPAN_S * sample_rate))
        self._frame = FRAME_SPANS * self._span
        self._past = max(self._span, round(MEMORY_S * sample_rate))  # samples before the frame that are kept
        self._lags = round(DELAY_S * sample_rate)
        self._decay = float(np.exp(-self._frame / (MEMORY_S * sample_rate)))
        self._products = np.zeros((channels, channels))  # decaying sums
        self._signs = np.ones((2, channels), np.float32)  # of the frame before, and of the one that has begun
        self._hold = np.zeros(channels, int)  # frames in which a channel is not looked at
        self._kept = np.zeros((0, channels), np.float32)  # samples of the past, and of the frame that has begun

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        if self.channels == 1:
            return np.ascontiguousarray(samples[:, 0])
        with np.errstate(all="ignore"):  # what is not finite stays so, for others to find
            mean = _mean(samples)
            if len(samples):
                gains = self._gains(samples)
                if gains is not None:
                    mean = _mean(samples * gains)
        return mean

    def _gains(self, samples: np.ndarray) -> np.ndarray | None:
        """The factor of each sample, [N, C]; None: all are 1."""
        if not len(self._kept):  # as if the first sample had been there before: a step would count as correlated
            self._kept = np.repeat(samples[:1], self._past, axis=0)
        begun = len(self._kept) - self._past
        known = np.concatenate([self._kept, samples])
        frames = (len(known) - self._past) // self._frame
        signs = np.concatenate([self._signs, self._decide(known, frames)])
        self._signs = signs[-2:]
        self._kept = known[frames * self._frame :].copy()
        if (signs == 1).all():
            return None
        gains = np.repeat(signs[1:], self._frame, axis=0)
        ramp = np.arange(1, self._frame + 1, dtype=np.float32)[:, None] / np.float32(self._frame)
        for frame in np.flatnonzero((signs[1:] != signs[:-1]).any(axis=1)):
            moved = signs[frame] + ramp * (signs[frame + 1] - signs[frame])
            gains[frame * self._frame : (frame + 1) * self._frame] = moved
        return gains[begun : begun + len(samples)]

    def _decide(self, known: np.ndarray, frames: int) -> np.ndarray:
        """The signs that each whole frame leads to, [frames, C]."""
        sums = self._sums(known[self._past - 1 : self._past + frames * self._frame : self._span], frames)
        signs = self._signs[1].copy()
        found = np.repeat(signs[None], frames, axis=0)
        frame, number = 0, np.arange(frames)[:, None]
        while frame < frames:
            power = np.diagonal(sums[frame:], axis1=1, axis2=2)
            reference = (power >= REFERENCE_SHARE * power.max(axis=1, keepdims=True)).argmax(axis=1)
            row = np.arange(frames - frame)
            product = sums[frame:][row, reference] * signs * signs[reference][:, None]
            opposed = product < CANCELS * np.sqrt(power * power[row, reference][:, None])
            opposed &= number[frame:] >= self._hold
            if not opposed.any():
                break
            first = int(opposed.any(axis=1).argmax())
            frame += first
            end = self._past + (frame + 1) * self._frame
            for channel in np.flatnonzero(opposed[first]):
                pair = known[end - self._past : end, [reference[first], channel]] * signs[[reference[first], channel]]
                if self._is_inverted(pair.astype(np.float64)):
                    signs[channel] *= -1
                else:
                    self._hold[channel] = frame + HOLD_FRAMES
            frame += 1
            found[frame - 1 :] = signs
        self._hold = np.maximum(0, self._hold - frames)
        return found

    def _sums(self, points: np.ndarray, frames: int) -> np.ndarray:
        """Decaying sums of the products of all channels after each frame, [frames, C, C]."""
        change = np.diff(points.astype(np.float64), axis=0).reshape(frames, FRAME_SPANS, self.channels)
        sums = np.matmul(change.transpose(0, 2, 1), change)
        before = self._products
        for of_frame in sums:
            of_frame += before * self._decay
            before = of_frame
        self._products = before.copy()
        return sums

    def _is_inverted(self, pair: np.ndarray) -> bool:
        """Whether two channels [N, 2] oppose each other more than they agree at any delay."""
        change = pair[self._span :] - pair[: -self._span]
        spectrum = np.fft.rfft(change, 2 * len(change), axis=0)
        products = np.fft.irfft(spectrum[:, 0].conj() * spectrum[:, 1])
        near = np.concatenate([products[: self._lags], products[-self._lags :]])
        return bool(near.max() < -products[0])


def _mean(samples: np.ndarray) -> np.ndarray:
    if samples.shape[1] == 2:  # the same, five times as fast
        total = samples[:, 0] + samples[:, 1]
        total *= np.float32(0.5)
        return total
    return samples.mean(axis=1)


def downmix(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Samples [N, C] of a whole sound -> [N], see `Downmix`."""
    return Downmix(sample_rate, samples.shape[1])(samples)
