"""An SNR follows its law, and what a law cannot draw from is refused."""

import math
from collections import Counter

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.noise.snr import SNR_LAWS, check_snr_law, draw_snr


def drawn(law, values, count=4000):
    rng = np.random.default_rng(0)
    return np.array([draw_snr(law, values, rng) for _ in range(count)])


def test_fixed_draws_nothing():
    rng = np.random.default_rng(0)
    assert draw_snr("fixed", [5], rng) == 5
    assert rng.random() == np.random.default_rng(0).random()


def test_listed_gives_each_equally_often():
    counts = Counter(drawn("listed", [20, 5, -5, math.inf]).tolist())
    assert set(counts) == {20, 5, -5, math.inf}
    # A count of 4000 / 4 has a standard deviation of 27.
    assert all(abs(count - 1000) < 110 for count in counts.values())


def test_uniform_fills_its_bounds_evenly():
    snr_db = drawn("uniform", [-5, 20])
    assert snr_db.min() >= -5
    assert snr_db.max() <= 20
    shares = np.histogram(snr_db, 5, (-5, 20))[0] / len(snr_db)
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.03)


def test_normal_has_its_mean_and_deviation():
    snr_db = drawn("normal", [5, 8])
    assert snr_db.mean() == pytest.approx(5, abs=0.5)
    assert snr_db.std() == pytest.approx(8, abs=0.4)
    assert np.mean(abs(snr_db - 5) < 8) == pytest.approx(0.683, abs=0.03)


@pytest.mark.parametrize("law", SNR_LAWS)
def test_a_generator_of_the_same_names_draws_the_same(law):
    values = {"fixed": [3.0], "listed": [1.0, 2.0, 3.0]}.get(law, [0.0, 9.0])
    assert np.array_equal(drawn(law, values, 20), drawn(law, values, 20))


@pytest.mark.parametrize(
    ("law", "values"),
    [
        ("fixed", []),
        ("fixed", [5, 6]),
        ("fixed", [math.nan]),
        ("fixed", [-math.inf]),
        ("listed", []),
        ("listed", [5, -math.inf]),
        ("uniform", [5]),
        ("uniform", [5, 4]),
        ("uniform", [5, math.inf]),
        ("normal", [5]),
        ("normal", [5, -1]),
        ("normal", [math.inf, 1]),
    ],
)
def test_values_that_are_none(law, values):
    with pytest.raises(InputError, match=f"law {law}: give dB such as"):
        check_snr_law(law, values)


def test_an_unknown_law_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'uniform'"):
        draw_snr("unifrom", [0, 1], np.random.default_rng(0))
