"""Thresholds for keywords, chosen on development data."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from drsn_audio.metrics.streaming import check_heard


class Chosen(NamedTuple):
    """Thresholds [K] and their places in the grid [K]; the counts that they give, of all keywords together."""

    thresholds: np.ndarray
    places: np.ndarray
    misses: int
    false_alarms: int
    per_hour: float


def choose_thresholds(
    thresholds: np.ndarray, misses: np.ndarray, false_alarms: np.ndarray, per_hour: float, hours: float
) -> Chosen:
    """One threshold for each keyword, so that little is missed at `per_hour` false alarms of all keywords together.

    thresholds: a grid, ascending [G], or one for each keyword [K, G]; misses, false_alarms: int [K, G], counted on
    development data, in `hours` of it. Each keyword takes the least of misses + lambda * false alarms (of equal ones
    that of fewer false alarms, then the higher threshold), with the smallest lambda >= 0 that meets the budget: the
    best of all choices with no more false alarms than it has (Everett, Operations Research 11, 1963).

    Raises:
        ValueError: other shapes, counts that are not whole, a grid that does not ascend, no time, or a budget that the
            fewest false alarms of the grid exceed.
    """
    grid, missed, alarms = _check(thresholds, misses, false_alarms)
    check_heard(int(alarms.min()), hours)
    rows, budget = np.arange(len(missed)), per_hour * hours + 1e-9

    def choose(price: tuple[int, int]) -> np.ndarray:
        cost = price[1] * missed + price[0] * alarms
        rank = np.broadcast_to(-np.arange(missed.shape[1]), missed.shape)
        return np.array([np.lexsort((rank[k], missed[k], alarms[k], cost[k]))[0] for k in rows])

    prices = _prices(missed, alarms)
    low, high = 0, len(prices) - 1  # fewer false alarms the higher the price
    while low < high:
        middle = (low + high) // 2
        within = alarms[rows, choose(prices[middle])].sum() <= budget
        low, high = (low, middle) if within else (middle + 1, high)
    places = choose(prices[low])
    total = int(alarms[rows, places].sum())
    if total > budget:
        raise ValueError(
            f"{total} false alarms in {hours:.3g} h at the thresholds with the fewest, {per_hour:g}/h allow "
            f"{math.floor(budget)}: give higher thresholds, or allow more"
        )
    return Chosen(grid[rows, places], places, int(missed[rows, places].sum()), total, total / hours)


def _prices(misses: np.ndarray, false_alarms: np.ndarray) -> list[tuple[int, int]]:
    """All lambda, as (p, q) for p / q, at which choices change, ascending; at the last, false alarms are fewest."""
    found = {Fraction(0)}
    for missed, alarms in zip(misses.tolist(), false_alarms.tolist(), strict=True):
        points = sorted(set(zip(missed, alarms, strict=True)))
        for (few, many), (more, less) in itertools.combinations(points, 2):
            if less < many:
                found.add(Fraction(more - few, many - less))
    return [(price.numerator, price.denominator) for price in sorted(found)]


def _check(
    thresholds: np.ndarray, misses: np.ndarray, false_alarms: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    missed, alarms = np.asarray(misses), np.asarray(false_alarms)
    if missed.ndim != 2 or missed.shape != alarms.shape or not missed.size:
        raise ValueError(f"shapes {missed.shape}, {alarms.shape} of misses and false alarms: give [K, G] of both")
    if missed.dtype.kind not in "iu" or alarms.dtype.kind not in "iu":
        raise ValueError(f"misses are {missed.dtype}, false alarms {alarms.dtype}: give counts, whole numbers")
    grid = np.broadcast_to(np.asarray(thresholds, float), missed.shape)
    if (np.diff(grid) <= 0).any():
        raise ValueError("thresholds do not ascend: sort them")
    return grid, missed.astype(np.int64), alarms.astype(np.int64)  # whole, so that ties are ties
