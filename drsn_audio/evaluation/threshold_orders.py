"""What the thresholds of a clip have to do with its noise: with its SNR, and with its bands; one number a trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drsn_audio.evaluation.threshold_bands import pool_bins
from drsn_audio.evaluation.thresholds import ThresholdTrials
from drsn_audio.metrics.ranks import rank_correlation

TINY = 1e-12


def values_of(one: ThresholdTrials, block: str, measure: str) -> np.ndarray:
    """[n, S, bands]. removed: share of the energy of x that is not in y."""
    measures = one.blocks[block]
    return _removed(measures["before"], measures["after"]) if measure == "removed" else measures[measure]


def whole_block(one: ThresholdTrials, block: str, measure: str) -> np.ndarray:
    """[n, S]: of all bands together."""
    measures = one.blocks[block]
    if measure == "removed":
        return _removed(measures["before"].sum(2), measures["after"].sum(2))
    return measures[measure].mean(2)


def _removed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return 1 - np.divide(after, before, out=np.ones_like(before), where=before > 0)


def with_snr(one: ThresholdTrials, values: np.ndarray) -> np.ndarray:
    """Values [n, S, ...] -> [n, ...]: within each clip, their rank correlation with the SNR; clean is left out.

    Below zero they rise with the noise.
    """
    finite = np.isfinite(one.snr_db)
    return rank_correlation(np.moveaxis(values[:, finite], 1, -1), np.array(one.snr_db)[finite])


def change(one: ThresholdTrials, block: str, measure: str, place: int) -> np.ndarray:
    """[n, bands]: at the place-th SNR less the same clip clean; of tau, which has no scale, ln of the ratio."""
    values = values_of(one, block, measure)
    if measure == "tau":
        values = np.log(np.maximum(values, TINY))
    return values[:, place] - values[:, -1]


def noise_db(one: ThresholdTrials, size: int, floor: float) -> np.ndarray:
    """[n, bands]: power of the noise in bands of `size` rows, at an SNR of 0 dB."""
    return 10 * np.log10(pool_bins(one.noise_power, size) + floor)


def noise_to_speech_db(one: ThresholdTrials, size: int, floor: float) -> np.ndarray:
    """[n, bands]: power of the noise over that of the speech in bands of `size` rows, at an SNR of 0 dB."""
    return noise_db(one, size, floor) - 10 * np.log10(pool_bins(one.speech_power, size) + floor)


def own_part(values: Sequence[np.ndarray], trials: Sequence[ThresholdTrials]) -> list[np.ndarray]:
    """Of each kind [n, bands] -> less the mean of each band over all clips and kinds, in each network.

    Most noise is strong in the low bands, and thresholds may do there what they do for any other reason: that makes
    them correlate, too. What is left here is what is special to this clip and its noise.
    """
    joined, runs = np.concatenate(values), np.concatenate([one.runs for one in trials])
    left = joined.copy()
    for run in np.unique(runs):
        left[runs == run] -= joined[runs == run].mean(0)
    return np.split(left, np.cumsum([len(part) for part in values])[:-1])


def follows(
    trials: Sequence[ThresholdTrials], changes: Sequence[np.ndarray], size: int, floor: float
) -> dict[str, list[np.ndarray]]:
    """Changes [n, bands] of each kind -> of each [n]: within a clip, their rank correlation over bands with the noise.

    plain: with the noise over the speech. own: the `own_part` of the changes with that of the noise alone. Clip and
    noise are drawn apart from each other, so own is 0 on average unless it is the noise that moves the thresholds;
    plain may be something else without that: the clip's speech is in the ratio, and in its clean thresholds as well.
    """
    ratios = [noise_to_speech_db(one, size, floor) for one in trials]
    own = zip(own_part(changes, trials), own_part([noise_db(one, size, floor) for one in trials], trials), strict=True)
    return {
        "plain": [rank_correlation(*pair) for pair in zip(changes, ratios, strict=True)],
        "own": [rank_correlation(*pair) for pair in own],
    }
