"""A share of the noisy signal given back, so that speech is not taken away with the noise. numpy only.

Distortion costs a recogniser more than what is left of the noise, and adding a little of the noisy signal lessens it
(Iwamoto et al., "How bad are artifacts?", Interspeech 2022, arXiv:2201.06685). The less noise there is, the more of it
may come back.
"""

from __future__ import annotations

import math

import numpy as np

from drsn_audio.errors import InputError

AVERAGE_S = 1.0  # time constant of the powers
LOW_DB, HIGH_DB = -5.0, 20.0  # where the share is least and largest
LEAST = 0.25  # of `blend`, at LOW_DB


def check_blend(blend: float) -> float:
    """Raises InputError for what is no share."""
    if not 0 <= blend <= 1:
        raise InputError(f"a blend of {blend}: give a share, from 0 (off) to 1 (nothing is taken away)")
    return float(blend)


def share_at(snr_db: float, blend: float) -> float:
    """The share that is given back at an SNR: linear, from LEAST * blend at LOW_DB to blend at HIGH_DB."""
    rise = min(1.0, max(0.0, (snr_db - LOW_DB) / (HIGH_DB - LOW_DB)))
    return blend * (LEAST + (1 - LEAST) * rise)


def blended(gains: np.ndarray, share: float) -> np.ndarray:
    """Gains that give back this share of what they take away."""
    return share + (1 - share) * gains


class Blend:
    """Gains, frame by frame -> gains that give back a share of the noisy signal, by the SNR heard so far.

    The SNR is that of the power that the gains keep, (g |X|)^2, over that of what they take away, ((1 - g) |X|)^2,
    each summed over frequency and averaged over the frames so far, exponentially, by AVERAGE_S. Any chunks give the
    same.

    Raises:
        InputError: a `blend` that is no share.
    """

    def __init__(self, blend: float, frame_s: float):
        self.blend, self._new = check_blend(blend), 1 - math.exp(-frame_s / AVERAGE_S)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard."""
        self.state = np.zeros(2)

    @property
    def state(self) -> np.ndarray:
        """Averages of the powers kept and taken away, float64 [2]; a copy."""
        return np.array([self._kept, self._taken])

    @state.setter
    def state(self, state: np.ndarray) -> None:
        self._kept, self._taken = map(float, state)

    @property
    def snr_db(self) -> float:
        """Of what was heard; minus infinity of silence."""
        if self._kept <= 0:
            return -math.inf
        return 10 * math.log10(self._kept / self._taken) if self._taken > 0 else math.inf

    def __call__(self, gains: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
        """Gains [t, bins] and the noisy spectrum [t, bins] of their frames -> gains [t, bins]."""
        size = np.abs(spectrum).astype(np.float64)
        kept, taken = (np.square(part * size).sum(1) for part in (gains, 1 - gains))
        given = np.empty_like(gains)
        for frame, powers in enumerate(zip(kept, taken, strict=True)):
            self._kept += self._new * (powers[0] - self._kept)
            self._taken += self._new * (powers[1] - self._taken)
            given[frame] = blended(gains[frame], share_at(self.snr_db, self.blend))
        return given
