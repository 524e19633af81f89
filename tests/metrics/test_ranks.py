"""Spearman's rho against numbers worked by hand."""

import numpy as np
import pytest

from drsn_audio.metrics.ranks import rank_correlation


def test_order_alone_counts():
    assert rank_correlation([1, 2, 3], [1, 10, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [0, -1, -1000]) == pytest.approx(-1)
    # 1 - 6 sum d^2 / (n (n^2 - 1)), d = (0, 1, 1, 0, 0)
    assert rank_correlation([1, 2, 3, 4, 5], [1, 3, 2, 4, 5]) == pytest.approx(1 - 6 * 2 / 120)


def test_ties_share_the_mean_of_their_ranks():
    # Ranks (1, 2.5, 2.5, 4) and (1, 3, 2, 4): 4.5 / sqrt(4.5 * 5).
    assert rank_correlation([1, 2, 2, 4], [1, 3, 2, 4]) == pytest.approx(np.sqrt(0.9))
    # Both tied at the same places: the same order.
    assert rank_correlation([1, 2, 2, 4], [5, 6, 6, 7]) == pytest.approx(1)


def test_what_does_not_vary_has_no_order():
    assert rank_correlation([3, 3, 3], [1, 2, 3]) == 0
    np.testing.assert_array_equal(rank_correlation([[1, 2, 3], [3, 3, 3]], [1, 2, 3]), [1, 0])


def test_rows_are_ranked_each_by_itself():
    x = np.array([[1, 2, 3], [300, 200, 100]])
    np.testing.assert_allclose(rank_correlation(x, x[0]), [1, -1])
    assert rank_correlation(np.zeros((4, 5, 3)), np.arange(3)).shape == (4, 5)


@pytest.mark.parametrize("pair", [([1], [1]), ([1, 2], [1, 2, 3]), ([1, np.nan], [1, 2]), (1, 1)])
def test_what_cannot_be_ranked_is_refused(pair):
    with pytest.raises(ValueError, match="values"):
        rank_correlation(*pair)
