"""Downmix to one channel: the mean, or the loudest channel where the mean would cancel the sound."""

from __future__ import annotations

import numpy as np

FRAME_S = 0.01  # a decision each, by the samples before
BANDS_HZ = np.geomspace(150, 2500, 15)  # edges of the bands of voices: hum and a tone are in few of them
CANCELLED = 0.25  # power of the sum of two channels over that of the louder one, below which a band is cancelled
CANCELLED_OF_MANY = 0.003  # of more: what opposes in some of them is more often ambience, which the mean takes away
LEAVE_MEAN, RETURN = 0.3, 0.15  # shares of the bands that are cancelled
LEAVE_S, RETURN_S = 0.1, 3.0  # time constants of the powers by which this is decided; a pause is no reason to return
FEW_FRAMES = 5  # of so few, powers say little: by chance, unrelated sounds oppose each other
FRAMES = 64  # analysed at a time


class Downmix:
    """`downmix(samples [N, C]) -> [N]`, block after block of one sound: the output does not depend on the blocks.

    The mean of the channels, bit for bit, unless the mean cancels the sound, as behind a cable or a plug of wrong
    polarity: where the sum of two channels is 6 dB weaker than the louder one in 30 % of the bands of voices, the
    louder one is taken alone. So are more than two, where they cancel each other by 25 dB. The powers compared are
    those of the last 0.1 s or so, and on the way back those of the last 3 s: louder sound outweighs weaker, so that
    words and the pauses between them are treated alike. Each 10 ms are decided by those before, so that nothing is
    held back; the change takes 10 ms, without a click.
    """

    def __init__(self, sample_rate: int, channels: int):
        self.channels = channels
        self._frame = max(1, round(FRAME_S * sample_rate))
        frequencies = np.fft.rfftfreq(2 * self._frame, 1 / sample_rate)
        *self._edges, self._end = np.unique(np.searchsorted(frequencies, BANDS_HZ))
        self._window = np.hanning(2 * self._frame + 1)[:-1].astype(np.float32)
        self._cancelled, leave_s = (CANCELLED, LEAVE_S) if channels == 2 else (CANCELLED_OF_MANY, RETURN_S)
        self._leave, self._return = (float(np.exp(-self._frame / (s * sample_rate))) for s in (leave_s, RETURN_S))
        self._powers = np.zeros((channels + 1, len(self._edges)))  # decaying sums, of the channels and of their sum
        self._frames = 0.0  # a decaying sum, too
        self._gains = np.ones((2, channels), np.float32)  # of the frame before, and of the one that has begun
        self._kept = np.zeros((0, channels), np.float32)  # the frame before, and the one that has begun

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        if self.channels == 1:
            return np.ascontiguousarray(samples[:, 0])
        with np.errstate(all="ignore"):  # what is not finite stays so, for others to find
            gains = self._gains_of(samples) if len(samples) else None
            return _mean(samples if gains is None else samples * gains)

    def _gains_of(self, samples: np.ndarray) -> np.ndarray | None:
        """The factor of each sample, [N, C]; None: all are 1."""
        if not len(self._kept):  # as if the first sample had been there before: a step would count as sound
            self._kept = np.repeat(samples[:1], self._frame, axis=0)
        begun = len(self._kept) - self._frame
        known = np.concatenate([self._kept, samples])
        frames = len(known) // self._frame - 1
        found = [self._gains]
        for first in range(0, frames, FRAMES):
            part = known[first * self._frame : (min(first + FRAMES, frames) + 1) * self._frame]
            found.append(self._decide(part, found[-1][-1]))
        gains = np.concatenate(found)
        self._gains = gains[-2:]
        self._kept = known[frames * self._frame :].copy()
        if (gains == 1).all():
            return None
        ramp = np.arange(1, self._frame + 1, dtype=np.float32)[:, None] / np.float32(self._frame)
        moved = gains[:-1, None] + ramp * np.diff(gains, axis=0)[:, None]
        return moved.reshape(-1, self.channels)[begun : begun + len(samples)]

    def _decide(self, known: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Return the gains [frames, C] after each whole frame but the first."""
        windows = np.lib.stride_tricks.sliding_window_view(known, len(self._window), axis=0)[:: self._frame]
        spectra = np.fft.rfft(windows * self._window)[..., : self._end]
        with_sum = np.concatenate([spectra, spectra.sum(axis=1, keepdims=True)], axis=1)
        powers = np.add.reduceat(with_sum.real**2 + with_sum.imag**2, self._edges, axis=-1)
        found = []
        for of_frame in powers:
            is_mean = gain.all()
            decay = self._leave if is_mean else self._return
            self._powers = self._powers * decay + of_frame
            self._frames = self._frames * decay + 1
            below = self._cancelled * self._frames / (self._frames + FEW_FRAMES)
            loudest = self._powers[:-1].max(axis=0)
            share = np.count_nonzero(self._powers[-1] < below * loudest) / len(loudest)
            if is_mean and share > LEAVE_MEAN:
                powers = self._powers[:-1].sum(axis=1)
                of_two_alike_the_first = int((powers >= 0.5 * powers.max()).argmax())
                gain = np.zeros_like(gain)
                gain[of_two_alike_the_first] = len(gain)
            elif not is_mean and share < RETURN:
                gain = np.ones_like(gain)
            found.append(gain)
        return np.array(found)


def _mean(samples: np.ndarray) -> np.ndarray:
    if samples.shape[1] == 2:  # the same, five times as fast
        total = samples[:, 0] + samples[:, 1]
        total *= np.float32(0.5)
        return total
    return samples.mean(axis=1)


def downmix(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Samples [N, C] of a whole sound -> [N], see `Downmix`."""
    return Downmix(sample_rate, samples.shape[1])(samples)
