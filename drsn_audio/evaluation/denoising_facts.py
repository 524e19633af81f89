"""Scores of denoisers -> their means with intervals, and how much one of them is better than the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from drsn_audio.evaluation.denoising import NOISY, Scores
from drsn_audio.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean

MEAN = "mean"
GAIN = "si_sdr_gain_db"
# A wave that is restored perfectly, or in which nothing of the speech is left, would decide a mean by itself.
SI_SDR_RANGE_DB = (-30.0, 60.0)


class Condition(NamedTuple):
    """A noise kind at an SNR, either of them "mean"; where: bool [n], its trials; groups [n], of one weight each."""

    noise_kind: str
    snr_db: float | str
    where: np.ndarray
    groups: np.ndarray


def usable_values(scores: Scores) -> dict[str, dict[str, np.ndarray]]:
    """Values by measure and system, SI-SDR within SI_SDR_RANGE_DB and beside it its gain over the noisy wave.

    A trial in which one system has no value of a measure has none for any: NaN, so that all means are of the same.
    """
    values = {name: dict(by_system) for name, by_system in scores.values.items()}
    limited = {system: np.clip(found, *SI_SDR_RANGE_DB) for system, found in values["si_sdr_db"].items()}
    values["si_sdr_db"] = limited
    values[GAIN] = {system: found - limited[NOISY] for system, found in limited.items()}
    for by_system in values.values():
        lacking = np.any([~np.isfinite(found) for found in by_system.values()], axis=0)
        for system, found in by_system.items():
            by_system[system] = np.where(lacking, np.nan, found)
    return values


def conditions(scores: Scores) -> Iterator[Condition]:
    """Each kind at each SNR and over the SNRs; then, where there are several kinds, the same of their mean."""
    kinds, snrs = np.array(scores.noise_kinds), np.array(scores.snr_db)
    groups = np.array([f"{kind} {snr_db}" for kind, snr_db in zip(kinds, snrs, strict=True)])
    names = sorted(set(scores.noise_kinds))
    for kind in [*names, *([MEAN] if len(names) > 1 else [])]:
        of_kind = np.ones(len(kinds), dtype=bool) if kind == MEAN else kinds == kind
        snrs_db: list[float | str] = [*dict.fromkeys(scores.snr_db), MEAN]
        for snr_db in snrs_db:
            where = of_kind if snr_db == MEAN else of_kind & (snrs == snr_db)
            yield Condition(kind, snr_db, where, groups)


def summarise(scores: Scores, *, seed: int, replicates: int) -> list[dict[str, Any]]:
    """Scores -> run.json's conditions: a line for each system, noise kind and SNR; a mean weighs all of them the same.

    Intervals are over speakers and noise recordings.
    """
    values = usable_values(scores)
    found = []
    for system in scores.cpu_s:
        for condition in conditions(scores):
            line: dict[str, Any] = {
                "system": system,
                "noise_kind": condition.noise_kind,
                "snr_db": condition.snr_db,
                "trials": int(condition.where.sum()),
                "speakers": len(set(np.array(scores.speakers)[condition.where])),
                "noise_recordings": len(set(np.array(scores.noise_sources)[condition.where])),
            }
            for name, by_system in values.items():
                kept = condition.where & np.isfinite(by_system[system])
                line[name] = None
                if kept.any():
                    interval = bootstrap_mean(
                        by_system[system][kept],
                        *_labels(scores, kept),
                        groups=condition.groups[kept],
                        seed=seed,
                        replicates=replicates,
                    )
                    line[name] = bounds(interval) | {"trials": int(kept.sum())}
            found.append(line)
    return found


def differences(scores: Scores, ours: str, *, seed: int, replicates: int) -> list[dict[str, Any]]:
    """What the system `ours` has more of each measure than each other one, over kinds and SNRs, paired trial by trial.

    The gain in SI-SDR is left out: its difference is that of SI-SDR.
    """
    found = []
    *_, condition = conditions(scores)
    for name, by_system in usable_values(scores).items():
        kept = condition.where & np.isfinite(by_system[ours])
        if name == GAIN or not kept.any():
            continue
        for system, others in by_system.items():
            if system != ours:
                interval = bootstrap_difference(
                    by_system[ours][kept],
                    others[kept],
                    *_labels(scores, kept),
                    groups=condition.groups[kept],
                    seed=seed,
                    replicates=replicates,
                )
                line = {"measure": name, "system": system, "noise_kind": condition.noise_kind, "snr_db": MEAN}
                found.append(line | bounds(interval, "difference") | {"trials": int(kept.sum())})
    return found


def left_out(scores: Scores) -> dict[str, int]:
    """By measure, the trials in which a system has no value though it was asked for one."""
    found = {}
    for name, by_system in scores.values.items():
        lacking = np.stack([np.isnan(values) for values in by_system.values()])
        asked = ~lacking.all(0) if name.startswith("dnsmos") else np.ones(lacking.shape[1], dtype=bool)
        found[name] = int((lacking.any(0) & asked).sum())
    return found


def bounds(interval: Interval, name: str = "mean") -> dict[str, float | None]:
    """An interval as JSON: null where there is none."""
    return {
        key: None if np.isnan(value) else float(value)
        for key, value in zip((name, "low", "high"), interval, strict=True)
    }


def _labels(scores: Scores, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.array(scores.speakers)[kept], np.array(scores.noise_sources)[kept]
