"""Probabilities that mean what they say, and how probable a keyword must be to be answered."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

TEMPERATURES = (0.1, 10.0)  # the search ends here


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Logits [n, K] -> probabilities [n, K]."""
    return special.softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)


def mean_nll(logits: np.ndarray, targets: np.ndarray, temperature: float = 1.0) -> float:
    """Mean negative log likelihood in nats of targets [n] under logits [n, K] divided by the temperature."""
    log_probabilities = special.log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return float(-log_probabilities[np.arange(len(targets)), targets].mean())


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature, within 0.1 to 10, that minimises the negative log likelihood of targets [n] under logits [n, K].

    Guo, Pleiss, Sun, Weinberger 2017 (arXiv:1706.04599). In 1 / T the likelihood is convex: its derivative, the mean
    of the expected logit minus the target's, rises, and is searched for its zero. Where every target has the highest
    logit there is none (the colder, the likelier): then the temperature is 1.

    Raises:
        ValueError: no trials, other counts of the two, or logits that are not finite.
    """
    z, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if z.ndim != 2 or len(z) == 0 or targets.shape != z.shape[:1]:
        raise ValueError(f"logits of shape {z.shape}, targets of shape {targets.shape}: give [n, K] and [n], n > 0")
    if not np.isfinite(z).all():
        raise ValueError(f"{np.sum(~np.isfinite(z).all(axis=1))} trials have NaN or infinite logits: leave them out")
    of_target = z[np.arange(len(z)), targets]
    if (of_target == z.max(axis=1)).all():
        return 1.0

    def surplus(log_temperature: float) -> float:
        """Above zero where the model is too sure of itself."""
        probabilities = softmax(z, math.exp(log_temperature))
        return float(np.mean((probabilities * z).sum(axis=1) - of_target))

    low, high = (math.log(bound) for bound in TEMPERATURES)
    if surplus(low) <= 0 or surplus(high) >= 0:  # the zero lies beyond an end
        return TEMPERATURES[0] if surplus(low) <= 0 else TEMPERATURES[1]
    return math.exp(optimize.brentq(surplus, low, high))


class Rejection(NamedTuple):
    """Shares of answers when keywords less probable than `reject_below` are answered with no keyword."""

    reject_below: float
    false_accepts: float  # of the trials without a keyword: answered with one
    misses: float  # of the trials with a keyword: answered with none


def named_keywords(probabilities: np.ndarray, keywords: np.ndarray | list[int], reject_below: float) -> np.ndarray:
    """Return the keyword that each trial is answered with, int [n]: its class, or -1 where none is.

    `probabilities` [n, K]; `keywords` are those of the K classes that are keywords. The answer is the most probable
    class, unless it is a keyword less probable than `reject_below`.
    """
    best = probabilities.argmax(axis=1)
    named = np.isin(best, keywords) & (probabilities.max(axis=1) >= reject_below)
    return np.where(named, best, -1)


def reject(
    probabilities: np.ndarray, targets: np.ndarray, keywords: np.ndarray | list[int], reject_below: float
) -> Rejection:
    """What a threshold does to trials: probabilities [n, K], targets [n], and which of the K classes are keywords.

    NaN where there is no trial to take a share of.
    """
    said = np.isin(targets, keywords)
    heard = named_keywords(probabilities, keywords, reject_below) >= 0
    with np.errstate(invalid="ignore"):
        false_accepts = np.divide(np.sum(heard & ~said), np.sum(~said))
        misses = np.divide(np.sum(~heard & said), np.sum(said))
    return Rejection(float(reject_below), float(false_accepts), float(misses))


def choose_rejection(
    probabilities: np.ndarray, targets: np.ndarray, keywords: np.ndarray | list[int], false_accept_rate: float
) -> Rejection:
    """The lowest threshold at which at most `false_accept_rate` of the trials without a keyword are answered with one.

    Probabilities [n, K], targets [n], and which of the K classes are keywords. Of n trials without a keyword,
    floor(rate * n) may be answered with one: those where it is most probable. The threshold lies just above the most
    probable of the others, so trials that tie with it are rejected together, and the share may stay below the rate.
    It is 0 where the rate is kept without one, and above 1, so that no keyword is ever answered, where too many
    trials are mistaken with probability 1: `misses` then says that the rate is not to be had.

    Raises:
        ValueError: a rate that is no share, or no trial without a keyword, on which the rate could be measured.
    """
    if not 0 <= false_accept_rate <= 1:
        raise ValueError(f"false_accept_rate is {false_accept_rate}: give a share from 0 to 1")
    without = ~np.isin(targets, keywords)
    if not without.any():
        raise ValueError("every trial holds a keyword: a false-accept rate needs some that hold none")
    answered = without & np.isin(probabilities.argmax(axis=1), keywords)
    scores = np.sort(probabilities.max(axis=1)[answered])[::-1]
    allowed = math.floor(false_accept_rate * without.sum() + 1e-9)  # 0.29 * 100 is 28.999...
    threshold = 0.0 if len(scores) <= allowed else float(np.nextafter(scores[allowed], np.inf))
    return reject(probabilities, targets, keywords, threshold)


def wilson_interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share seen in `count` independent trials: Wilson, J. Am. Stat. Assoc. 22(158), 1927.

    Unlike a bootstrap it does not shrink to a point when a few trials are all right, or all wrong.

    Raises:
        ValueError: no trials.
    """
    if count < 1:
        raise ValueError("a share of no trials has no interval: give one at least")
    middle = share + z**2 / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, (middle - half) / (1 + z**2 / count)), min(1.0, (middle + half) / (1 + z**2 / count))
