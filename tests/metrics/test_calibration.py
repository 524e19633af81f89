"""Temperature and reject threshold on cases worked by hand."""

import math

import numpy as np
import pytest

from drsn_audio.metrics.calibration import (
    choose_rejection,
    fit_temperature,
    mean_nll,
    reject,
    softmax,
    wilson_interval,
)


def test_temperature_worked_by_hand():
    """Logits (2, 0), right in three of four: the likeliest probability is 3/4, so 2 / T = log 3."""
    logits = np.array([[2.0, 0.0]] * 4)
    targets = np.array([0, 0, 0, 1])
    temperature = fit_temperature(logits, targets)
    assert temperature == pytest.approx(2 / math.log(3), rel=1e-6)
    np.testing.assert_allclose(softmax(logits, temperature)[:, 0], 3 / 4)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert mean_nll(logits, targets, temperature) == pytest.approx(entropy)


def test_temperature_undoes_a_scaling():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    targets = np.array([rng.choice(5, p=p) for p in softmax(logits)])
    assert fit_temperature(3 * logits, targets) == pytest.approx(3, rel=0.1)
    assert fit_temperature(0.5 * logits, targets) == pytest.approx(fit_temperature(logits, targets) / 2, rel=1e-6)
    best = fit_temperature(logits, targets)
    nll = [mean_nll(logits, targets, factor * best) for factor in (0.95, 1, 1.05)]
    assert nll[1] < min(nll[0], nll[2])


def test_temperature_at_its_ends():
    assert fit_temperature(np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([0, 1])) == 1  # all right: no minimum
    assert fit_temperature(np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([1, 0])) == pytest.approx(10)  # all wrong
    large = np.array([[1e4, 0.0], [1e4, 0.0], [0.0, 1e4]])  # no overflow
    assert np.isfinite(mean_nll(large, np.array([0, 1, 1])))
    with pytest.raises(ValueError, match="1 trials have NaN"):
        fit_temperature(np.array([[np.nan, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    with pytest.raises(ValueError, match="n > 0"):
        fit_temperature(np.zeros((0, 2)), np.zeros(0, int))


def answers(scores, keyword=0):
    """Probabilities [n, 3] whose best label is the keyword with these scores."""
    found = np.empty((len(scores), 3))
    found[:] = ((1 - np.array(scores)) / 2)[:, None]
    found[:, keyword] = scores
    return found


UNSAID = [0.9, 0.8, 0.7, 0.6]  # trials of "unknown" that are taken for keyword 0
SAID = [0.95, 0.85, 0.75, 0.65]
PROBABILITIES = np.concatenate([answers(UNSAID), answers([0.9] * 6, keyword=2), answers(SAID)])
TARGETS = np.array([2] * 10 + [0] * 4)


@pytest.mark.parametrize(
    ("rate", "threshold", "false_accepts", "misses"),
    [
        (0.05, 0.9, 0.0, 3 / 4),  # of ten, half of one: none
        (0.1, 0.8, 0.1, 2 / 4),
        (0.25, 0.7, 0.2, 1 / 4),  # two and a half: two
        (0.3, 0.6, 0.3, 0.0),
        (0.4, 0.0, 0.4, 0.0),  # kept without a threshold
        (1.0, 0.0, 0.4, 0.0),
    ],
)
def test_threshold_worked_by_hand(rate, threshold, false_accepts, misses):
    chosen = choose_rejection(PROBABILITIES, TARGETS, [0, 1], rate)
    assert chosen.reject_below == pytest.approx(threshold)
    assert (chosen.false_accepts, chosen.misses) == pytest.approx((false_accepts, misses))
    assert not threshold or chosen.reject_below > threshold  # the trial that sets it is itself rejected


def test_ties_are_rejected_together():
    """One of five may pass, but the three most probable tie: none does."""
    probabilities = np.concatenate([answers([0.8, 0.8, 0.8]), answers([0.9, 0.9], keyword=2), answers([0.8, 0.81])])
    chosen = choose_rejection(probabilities, np.array([2] * 5 + [0, 0]), [0], 0.2)
    assert (chosen.false_accepts, chosen.misses) == (0, 1 / 2)


def test_a_rate_that_only_silence_keeps():
    """An unsaid word that is a keyword with probability 1 is rejected only together with every keyword."""
    probabilities = np.concatenate([answers([1.0]), answers([1.0, 0.9])])
    chosen = choose_rejection(probabilities, np.array([2, 0, 0]), [0], 0.0)
    assert chosen.reject_below > 1
    assert (chosen.false_accepts, chosen.misses) == (0, 1)


def test_shares_of_nothing():
    with pytest.raises(ValueError, match="every trial holds a keyword"):
        choose_rejection(answers(SAID), np.zeros(4, int), [0], 0.05)
    with pytest.raises(ValueError, match="false_accept_rate is 5"):
        choose_rejection(PROBABILITIES, TARGETS, [0], 5)
    assert math.isnan(reject(answers(SAID), np.zeros(4, int), [0], 0.5).false_accepts)
    assert math.isnan(reject(answers(UNSAID), np.full(4, 2), [0], 0.5).misses)


def test_wilson_interval_worked_by_hand():
    low, high = wilson_interval(0.5, 4, z=2)  # (1/2 + 1/2) / 2, plus and minus 2 sqrt(1/16 + 1/16) / 2
    assert (low, high) == pytest.approx((0.5 - math.sqrt(1 / 8), 0.5 + math.sqrt(1 / 8)))
    assert wilson_interval(0.0, 20, z=2) == pytest.approx((0, 4 / 24))
    assert wilson_interval(1.0, 20, z=2) == pytest.approx((20 / 24, 1))
    with pytest.raises(ValueError, match="no trials"):
        wilson_interval(0.5, 0)
