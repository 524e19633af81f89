"""p of a bootstrap, and what Holm makes of several: numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsn_audio.metrics.bootstrap import bootstrap_mean, bootstrap_replicates
from drsn_audio.metrics.significance import bootstrap_p, holm


def test_p_is_twice_the_smaller_share_beyond_no_difference():
    means = np.array([-1.0, *[1.0] * 98])  # (1 + 1) / (99 + 1), twice
    assert bootstrap_p(means) == pytest.approx(0.04)
    assert bootstrap_p(-means) == pytest.approx(0.04)
    assert bootstrap_p(np.ones(99)) == pytest.approx(0.02)  # never 0
    assert bootstrap_p(np.zeros(99)) == 1.0  # no difference at all
    assert bootstrap_p(np.array([0.0, *[1.0] * 98])) == pytest.approx(0.04)  # 0 is no gain
    with pytest.raises(ValueError, match="no replicates"):
        bootstrap_p(np.array([]))


def test_p_agrees_with_the_interval():
    generator = np.random.default_rng(3)
    for shift in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        values, speakers = generator.normal(shift, 1, 200), np.arange(200) // 5
        interval = bootstrap_mean(values, speakers, seed=1)
        mean, means = bootstrap_replicates(values, speakers, seed=1)
        assert mean == interval.mean
        assert (bootstrap_p(means) < 0.05) == (interval.low > 0 or interval.high < 0)


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04, and none is below the one before it.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.001]) == pytest.approx([0.5, 0.002])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_lowers_nothing(p_values):
    corrected = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, corrected, strict=True))
    ranked = sorted(range(len(p_values)), key=lambda k: p_values[k])
    assert [corrected[k] for k in ranked] == sorted(corrected)
