"""Intervals for means over trials that share speakers and noise recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

BLOCK_NUMBERS = 4_000_000  # weights held at a time: 32 MB

Labels = Sequence[str] | Sequence[int] | np.ndarray


class Interval(NamedTuple):
    """A mean and its percentile interval; the bounds are NaN where there was nothing to resample."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: Sequence[float] | np.ndarray,
    speakers: Labels,
    noises: Labels | None = None,
    *,
    groups: Labels | None = None,
    weights: Sequence[float] | np.ndarray | None = None,
    seed: int,
    replicates: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Mean of trials [n] with a percentile interval over speakers and noise recordings.

    Each replicate draws as many speakers and as many noise recordings as there are, with replacement, and
    weighs a trial by the product of the two counts: the pigeonhole bootstrap of Owen, Annals of Applied
    Statistics 1(2), 2007. With `groups` [n] (the noise kinds) the mean is that of the group means, all of the
    same weight; speakers are drawn once for all groups, recordings among those that occur in the same groups.

    With `weights` [n] the values are sums over so many things (the errors of an utterance, and its words), and the
    mean, like that of each replicate, is the sum of the values over that of the weights: a word error rate. A trial
    of weight 0 adds its value alone.

    How far to trust it:

    - It is too wide, by a factor of 1.7 at most, where single trials scatter more than speakers and noise
      recordings do.
    - It is too narrow for fewer than about ten speakers or recordings, or where a few hold most trials.
    - A single speaker, or a single noise recording, cannot vary: the interval then says nothing about others.
      With a single one of both there is no interval: the bounds are NaN.
    - Trials that are all right give [1, 1]: what never happened cannot be resampled.
    - A replicate that leaves a group without a trial, or without weight, has no mean and is left out.

    Raises:
        ValueError: no trials, lengths that differ, values that are not finite, weights that are negative or leave a
            group without any, parameters out of range, or data so thin that more than half of the replicates are
            left out.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: give a share between 0 and 1, such as 0.95")
    mean, replicated = bootstrap_replicates(
        values, speakers, noises, groups=groups, weights=weights, seed=seed, replicates=replicates
    )
    if replicated is None:
        return Interval(mean, np.nan, np.nan)
    if replicated.size < replicates / 2:
        raise ValueError(
            f"{replicates - replicated.size} of {replicates} replicates leave a group without trials: "
            "too few speakers and noise recordings for an interval, add more or merge groups"
        )
    low, high = np.quantile(replicated, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, float(low), float(high))


def bootstrap_replicates(
    values: Sequence[float] | np.ndarray,
    speakers: Labels,
    noises: Labels | None = None,
    *,
    groups: Labels | None = None,
    weights: Sequence[float] | np.ndarray | None = None,
    seed: int,
    replicates: int = 2000,
) -> tuple[float, np.ndarray | None]:
    """The mean of `bootstrap_mean` and those of its replicates, float64 [at most `replicates`], in which every group
    has trials; None where there is nothing to resample.

    Raises:
        ValueError: as `bootstrap_mean`, but not where many replicates are left out.
    """
    numbers = np.asarray(values, dtype=np.float64)
    sizes = np.ones(numbers.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    labels = {"speakers": speakers, "noises": noises, "groups": groups}
    _check(numbers, sizes, labels, replicates)
    speaker, noise, group = (_codes(given, numbers.size) for given in labels.values())

    # Trials that share all three labels always weigh the same: one cell.
    cells, cell = np.unique(np.stack([speaker, noise, group]), axis=1, return_inverse=True)
    in_group = cells[2] == np.arange(group.max() + 1)[:, None]  # [G, cells]
    sums = in_group * np.bincount(cell.ravel(), numbers)
    counts = in_group * np.bincount(cell.ravel(), sizes)
    if not counts.any(1).all():
        raise ValueError("weights are all 0 in a group: a mean needs something to divide by")
    mean = float(np.mean(sums.sum(1) / counts.sum(1)))

    strata = _strata(noise, group)
    if speaker.max() == 0 and np.bincount(strata).max() == 1:
        return mean, None
    means = []
    for drawn in _weights(cells[0], cells[1], strata, seed, replicates):
        total = counts @ drawn
        total[total == 0] = np.nan  # no mean, left out below
        means.append(np.mean((sums @ drawn) / total, axis=0))
    replicated = np.concatenate(means)
    return mean, replicated[~np.isnan(replicated)]


def bootstrap_difference(
    values_a: Sequence[float] | np.ndarray,
    values_b: Sequence[float] | np.ndarray,
    speakers: Labels,
    noises: Labels | None = None,
    *,
    groups: Labels | None = None,
    weights: Sequence[float] | np.ndarray | None = None,
    seed: int,
    replicates: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Mean of a - b over the same trials [n], in the same order, with its interval: see `bootstrap_mean`.

    Raises:
        ValueError: as `bootstrap_mean`, or other shapes of a and b.
    """
    a, b = np.asarray(values_a, dtype=np.float64), np.asarray(values_b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"values of shapes {a.shape} and {b.shape}: a difference needs the same trials")
    return bootstrap_mean(
        a - b,
        speakers,
        noises,
        groups=groups,
        weights=weights,
        seed=seed,
        replicates=replicates,
        confidence=confidence,
    )


def _check(values: np.ndarray, weights: np.ndarray, labels: dict[str, Labels | None], replicates: int) -> None:
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"values of shape {values.shape}: give one number a trial, [n], n > 0")
    if not np.isfinite(values).all():
        raise ValueError(f"{np.sum(~np.isfinite(values))} values are NaN or infinite: leave these trials out")
    if weights.shape != values.shape or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"weights of shape {weights.shape} for {values.size} trials: one each, 0 or more, finite")
    for name, given in labels.items():
        if given is not None and np.shape(given) != values.shape:
            raise ValueError(f"{name} have shape {np.shape(given)} for {values.size} trials: one each")
    if replicates < 1:
        raise ValueError(f"{replicates} replicates: give at least 1, better 2000")


def _codes(labels: Labels | None, trials: int) -> np.ndarray:
    """Labels [n] -> int [n], 0, 1, ... in sorted order; no labels are one label."""
    if labels is None:
        return np.zeros(trials, dtype=np.intp)
    return np.unique(np.asarray(labels), return_inverse=True)[1]


def _strata(noise: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Trials [n] -> int [noise recordings]: equal for recordings that occur in the same groups."""
    occurs = np.zeros((noise.max() + 1, group.max() + 1), dtype=bool)
    occurs[noise, group] = True
    return np.unique(occurs, axis=0, return_inverse=True)[1].ravel()


def _weights(
    speaker: np.ndarray, noise: np.ndarray, strata: np.ndarray, seed: int, replicates: int
) -> Iterator[np.ndarray]:
    """Cells [m] -> their weights [m, replicates], in blocks; the draws do not depend on the blocks."""
    for_speakers, *for_strata = np.random.default_rng(seed).spawn(2 + strata.max())
    block = max(1, BLOCK_NUMBERS // speaker.size)
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        drawn = np.empty((strata.size, size))
        for stratum, generator in enumerate(for_strata):
            members = np.flatnonzero(strata == stratum)
            drawn[members] = _draw(members.size, size, generator)
        yield _draw(speaker.max() + 1, size, for_speakers)[speaker] * drawn[noise]


def _draw(items: int, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """How often each item falls in a resample of all of them, float64 [items, replicates]."""
    return generator.multinomial(items, np.full(items, 1 / items), size=replicates).T.astype(np.float64)
