"""Do thresholds rise with noise, and in its bands? thresholds.json, from what was measured clip by clip.

{"schema": 1, "command", "commit", ..., "seed", "level", "replicates", "snr_db": [S, null: clean, the last],
 "model": {"encoder", "shrinkage", "name": "alpha" | "gate"},
 "runs": [{"run", "checkpoint", "clips", "speakers", "noise"}],
 "trials": {kind: {"trials", "speakers", "noise_recordings"}},
 "spectra": null or {"edges_hz": [F + 1], "speech_db": [F], "noise_db": {kind: [F]}, at an SNR of 0 dB},
 "blocks": [{"name", "channels", "bands_hz": null or [[low, high]],
   "kinds": {kind: {"levels": {measure: [interval] * S}, "with_snr": {measure: interval}, "rising": share,
     "bands": null or {"levels": {measure: [bands][S]}, "with_snr", "change": {measure: [interval] * bands},
                       "noise_to_speech_db": [bands], at 0 dB},
     "follows": null or {measure: {"plain" | "own": [interval] * (S - 1)}}}},
   "difference": null or {"kinds": [b, a], "snr_db", "alpha": interval, "bands": null or [interval]}}]}

An interval is [mean, low, high], of 95 %; null bounds where there is none. Keys are explained where they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drsn_audio.evaluation.alphas import alpha_name
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.evaluation.threshold_bands import bin_edges_hz, bins_a_band, power_floor
from drsn_audio.evaluation.threshold_orders import (
    change,
    follows,
    noise_to_speech_db,
    values_of,
    whole_block,
    with_snr,
)
from drsn_audio.evaluation.thresholds import ThresholdTrials
from drsn_audio.metrics.bootstrap import bootstrap_mean
from drsn_audio.models.model import AudioModel

SCHEMA = 1
LEVELS = ("alpha", "tau", "magnitude", "zeroed", "removed")
ORDERED = ("alpha", "tau", "zeroed", "removed", "magnitude")  # whose order over the SNRs is asked for
IN_BANDS = ("alpha", "tau", "zeroed")
LEAST_BANDS = 3  # to rank

Bounds = list[float | None]


class Bootstrap:
    """Means of a number a trial with their intervals over speakers and noise recordings."""

    def __init__(self, seed: int, replicates: int):
        self.seed, self.replicates = seed, replicates

    def __call__(self, trials: Sequence[ThresholdTrials], values: Sequence[np.ndarray]) -> Bounds:
        """Of each kind of noise its values [n] -> mean, low, high; kinds weigh the same."""
        interval = bootstrap_mean(
            np.concatenate(values),
            np.concatenate([one.speakers for one in trials]),
            np.concatenate([one.noise_sources for one in trials]),
            groups=np.repeat([one.noise_kind for one in trials], [len(one.speakers) for one in trials]),
            seed=self.seed,
            replicates=self.replicates,
        )
        return [short(bound) for bound in interval]

    def columns(self, one: ThresholdTrials, values: np.ndarray) -> list[Bounds]:
        """Values [n, columns] -> an interval a column."""
        return [self([one], [column]) for column in values.T]


def short(number: float) -> float | None:
    """Three digits; None of NaN."""
    return None if np.isnan(number) else float(f"{number:.3g}")


def threshold_facts(
    model: AudioModel,
    trials: Sequence[ThresholdTrials],
    runs: Sequence[Mapping[str, Any]],
    *,
    level: str,
    seed: int,
    replicates: int,
) -> dict[str, Any]:
    """What was measured of networks of one make, of which `model` is one -> thresholds.json's content.

    runs: what is to be said of each. Where the spectrogram is no spectrum (MFCC) nothing is said by band.
    """
    edges_hz, sizes, floor = bin_edges_hz(model), bins_a_band(model), power_floor(model.frontend)
    bootstrap = Bootstrap(seed, replicates)
    return {
        "schema": SCHEMA,
        **provenance(),
        "seed": seed,
        "level": level,
        "replicates": replicates,
        "snr_db": [snr if np.isfinite(snr) else None for snr in trials[0].snr_db],
        "model": {
            "encoder": model.config.encoder,
            "shrinkage": model.config.shrinkage,
            "name": alpha_name(model),
        },
        "runs": [dict(run) for run in runs],
        "trials": _counts(trials),
        "spectra": _spectra(trials, edges_hz, floor),
        "blocks": [
            block_facts(trials, block, size=sizes[block], edges_hz=edges_hz, floor=floor, bootstrap=bootstrap)
            for block in trials[0].blocks
        ],
    }


def block_facts(
    trials: Sequence[ThresholdTrials],
    block: str,
    *,
    size: int,
    edges_hz: np.ndarray | None,
    floor: float,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """What one block did in each kind of noise. `size`: rows of the spectrogram a band; `floor`: see `power_floor`."""
    bands = trials[0].blocks[block]["alpha"].shape[2]
    banded = bands > 1 and edges_hz is not None
    kinds: dict[str, dict[str, Any]] = {}
    for one in trials:
        whole = {measure: whole_block(one, block, measure) for measure in LEVELS if _has(one, block, measure)}
        kinds[one.noise_kind] = {
            "levels": {measure: bootstrap.columns(one, values) for measure, values in whole.items()},
            "with_snr": {
                measure: bootstrap([one], [with_snr(one, whole[measure])]) for measure in ORDERED if measure in whole
            },
            "rising": _rising(one, block),
            "bands": _band_facts(one, block, size, floor, bootstrap) if banded else None,
        }
    followed = _follow_facts(trials, block, size, floor, bootstrap) if banded and bands >= LEAST_BANDS else None
    for kind, found in kinds.items():
        found["follows"] = followed[kind] if followed else None
    return {
        "name": block,
        "channels": trials[0].each_alpha[block].shape[2],
        "bands_hz": _band_edges(edges_hz, size) if banded and edges_hz is not None else None,
        "kinds": kinds,
        "difference": _difference(trials, block, banded, bootstrap) if len(trials) == 2 else None,
    }


def _spectra(trials: Sequence[ThresholdTrials], edges_hz: np.ndarray | None, floor: float) -> dict[str, Any] | None:
    """Mean spectra over the clips in dB, at an SNR of 0 dB; None where the front-end has no frequencies."""
    if edges_hz is None:
        return None

    def mean_db(power: np.ndarray) -> list[float]:
        return [round(float(level), 1) for level in (10 * np.log10(power + floor)).mean(0)]

    return {
        "edges_hz": [round(float(edge)) for edge in edges_hz],
        "speech_db": mean_db(trials[0].speech_power),
        "noise_db": {one.noise_kind: mean_db(one.noise_power) for one in trials},
    }


def _counts(trials: Sequence[ThresholdTrials]) -> dict[str, dict[str, int]]:
    return {
        one.noise_kind: {
            "trials": len(one.speakers),
            "speakers": len(set(one.speakers)),
            "noise_recordings": len(set(one.noise_sources)),
        }
        for one in trials
    }


def _has(one: ThresholdTrials, block: str, measure: str) -> bool:
    return measure == "removed" or measure in one.blocks[block]


def _lowest(one: ThresholdTrials) -> int:
    """Place of the lowest SNR."""
    return int(np.argmin(one.snr_db))


def _rising(one: ThresholdTrials, block: str) -> float | None:
    """Share of the single alphas, one a channel (and band), that are higher at the lowest SNR than clean."""
    each = one.each_alpha[block]
    return short(float((each[:, _lowest(one)] > each[:, -1]).mean()))


def _band_facts(one: ThresholdTrials, block: str, size: int, floor: float, bootstrap: Bootstrap) -> dict[str, Any]:
    there = [measure for measure in IN_BANDS if _has(one, block, measure)]
    levels = {measure: values_of(one, block, measure).mean(0).T for measure in there if measure != "tau"}
    return {
        "levels": {measure: [[short(level) for level in band] for band in of_it] for measure, of_it in levels.items()},
        "with_snr": {
            measure: bootstrap.columns(one, with_snr(one, values_of(one, block, measure))) for measure in there
        },
        "change": {measure: bootstrap.columns(one, change(one, block, measure, _lowest(one))) for measure in there},
        "noise_to_speech_db": [round(float(ratio), 1) for ratio in noise_to_speech_db(one, size, floor).mean(0)],
    }


def _follow_facts(
    trials: Sequence[ThresholdTrials], block: str, size: int, floor: float, bootstrap: Bootstrap
) -> dict[str, dict[str, dict[str, list[Bounds]]]]:
    """By kind, measure, and "plain" or "own", at each SNR: `follows`."""
    found: dict[str, dict[str, dict[str, list[Bounds]]]] = {one.noise_kind: {} for one in trials}
    for measure in (measure for measure in IN_BANDS if _has(trials[0], block, measure)):
        for place in range(len(trials[0].snr_db) - 1):
            changes = [change(one, block, measure, place) for one in trials]
            for way, of_kinds in follows(trials, changes, size, floor).items():
                for one, values in zip(trials, of_kinds, strict=True):
                    ways = found[one.noise_kind].setdefault(measure, {})
                    ways.setdefault(way, []).append(bootstrap([one], [values]))
    return found


def _difference(trials: Sequence[ThresholdTrials], block: str, banded: bool, bootstrap: Bootstrap) -> dict[str, Any]:
    """Alpha in the second kind less that in the first, of the same clips, at the lowest SNR."""
    first, second = trials
    place = _lowest(first)
    alphas = [values_of(one, block, "alpha")[:, place] for one in trials]

    def between(a: np.ndarray, b: np.ndarray) -> Bounds:
        return bootstrap(trials, [-2 * a, 2 * b])  # the mean of both kinds is then b - a

    bands = [between(a, b) for a, b in zip(alphas[0].T, alphas[1].T, strict=True)] if banded else None
    return {
        "kinds": [second.noise_kind, first.noise_kind],
        "snr_db": first.snr_db[place],
        "alpha": between(alphas[0].mean(1), alphas[1].mean(1)),
        "bands": bands,
    }


def _band_edges(edges_hz: np.ndarray, size: int) -> list[list[int]]:
    last = len(edges_hz) - 1
    starts = range(0, last, size)
    return [[round(float(edges_hz[k])), round(float(edges_hz[min(k + size, last)]))] for k in starts]
