"""Thresholds chosen for a rate of false alarms."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from drsn_audio.metrics.thresholds import choose_thresholds

# Two keywords, three thresholds; 10 h.
GRID = np.array([0.2, 0.5, 0.8])
MISSES = np.array([[0, 4, 10], [0, 1, 20]])
ALARMS = np.array([[30, 10, 0], [20, 10, 1]])


@pytest.mark.parametrize(
    ("per_hour", "places", "misses", "alarms"),
    [
        (5, [0, 0], 0, 50),  # lambda 0: all that is missed is what no threshold finds
        (4.9, [0, 1], 1, 40),  # lambda 1 / 10: the second keyword gives 10 false alarms for one miss
        (4, [0, 1], 1, 40),  # the budget itself is within it
        (3.9, [1, 1], 5, 20),  # lambda 4 / 20
        (1.9, [2, 1], 11, 10),  # lambda 6 / 10
        (0.9, [2, 2], 30, 1),  # lambda 19 / 9
    ],
)
def test_the_cheapest_false_alarms_are_given_up_first(per_hour, places, misses, alarms):
    chosen = choose_thresholds(GRID, MISSES, ALARMS, per_hour, 10.0)
    assert list(chosen.places) == places
    np.testing.assert_array_equal(chosen.thresholds, GRID[places])
    assert chosen[2:] == (misses, alarms, alarms / 10)


def test_a_budget_below_the_fewest_is_refused():
    with pytest.raises(ValueError, match=r"1 false alarms in 10 h at the thresholds with the fewest, 0\.09/h allow 0"):
        choose_thresholds(GRID, MISSES, ALARMS, 0.09, 10.0)


def test_the_last_false_alarm_has_its_price():
    chosen = choose_thresholds(GRID[:2], np.array([[0, 5]]), np.array([[1, 0]]), 0, 10.0)
    assert (list(chosen.places), chosen.misses, chosen.false_alarms) == ([1], 5, 0)


def test_of_equal_choices_the_higher_threshold_is_taken():
    chosen = choose_thresholds(GRID, np.array([[3, 3, 3]]), np.array([[2, 2, 2]]), 1, 10.0)
    assert list(chosen.places) == [2]
    # Equal cost at lambda 1 / 2, the first that meets the budget: 0 + 20 / 2 = 5 + 10 / 2 = 10 + 0 / 2.
    chosen = choose_thresholds(GRID, np.array([[0, 5, 10]]), np.array([[20, 10, 0]]), 1.9, 10.0)
    assert list(chosen.places) == [2]


def test_grids_may_differ_between_keywords():
    grids = np.stack([GRID, GRID / 2])
    np.testing.assert_allclose(choose_thresholds(grids, MISSES, ALARMS, 4, 10.0).thresholds, [0.2, 0.25])


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_smallest_lambda_and_no_choice_with_as_few_false_alarms_misses_less(seed):
    """Against all lambda that such counts can have between them, and against all choices there are."""
    rng = np.random.default_rng(seed)
    misses = np.sort(rng.integers(0, 8, (3, 5)), axis=1)
    alarms = rng.integers(0, 8, (3, 5))  # in no order
    alarms[:, -1] = 0
    budget = int(rng.integers(0, 15))
    chosen = choose_thresholds(np.linspace(0.1, 0.9, 5), misses, alarms, budget, 1.0)

    def choice(price: Fraction) -> list[int]:
        return [
            min(range(5), key=lambda g: (misses[k, g].item() + price * alarms[k, g].item(), alarms[k, g], -g))
            for k in range(3)
        ]

    rows = np.arange(3)
    prices = sorted({Fraction(p, q) for p in range(8) for q in range(1, 8)})
    assert list(chosen.places) == next(c for c in map(choice, prices) if alarms[rows, c].sum() <= budget)
    assert chosen.misses == min(
        misses[rows, places].sum()
        for places in itertools.product(range(5), repeat=3)
        if alarms[rows, places].sum() <= chosen.false_alarms
    )


@pytest.mark.parametrize(
    ("thresholds", "misses", "alarms", "message"),
    [
        (GRID, MISSES[0], ALARMS[0], r"give \[K, G\] of both"),
        (GRID, MISSES, ALARMS[:1], r"give \[K, G\] of both"),
        (GRID[::-1], MISSES, ALARMS, "do not ascend"),
        (GRID, MISSES / 2, ALARMS, "give counts, whole numbers"),
        (GRID, MISSES, ALARMS - 2, "-1 false alarms|-2 false alarms"),
    ],
)
def test_errors_say_what_to_do(thresholds, misses, alarms, message):
    with pytest.raises(ValueError, match=message):
        choose_thresholds(thresholds, misses, alarms, 1, 10.0)
