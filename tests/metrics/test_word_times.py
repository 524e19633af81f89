"""Heard words meet spoken ones: worked by hand, and against every possible matching."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from drsn_audio.metrics.word_times import TimedWord, match_words


def words(text, *times_s):
    return [TimedWord(word, time_s) for word, time_s in zip(text.split(), times_s, strict=True)]


@pytest.mark.parametrize(
    ("said", "heard", "pairs"),
    [
        (words("left stop", 1, 2), words("left stop", 1.3, 2.3), [(0, 0), (1, 1)]),
        (words("left stop", 1, 2), words("stop", 2.3), [(1, 0)]),
        (words("left stop", 1, 2), words("stop left", 1.1, 2.1), [(1, 0)]),  # one of two, since they change places
        (words("no no", 1, 2), words("no", 2.1), [(1, 0)]),  # the nearer one
        (words("no no", 1, 2), words("no", 1.1), [(0, 0)]),
        (words("no", 1), words("no no", 0.2, 1.1), [(0, 1)]),
        (words("no", 1), words("no", 3.5), []),  # too far
        (words("no", 1), [], []),
        ([], words("no", 1), []),
        (words("a b a", 1, 2, 3), words("a a", 2.9, 3.0), [(0, 0), (2, 1)]),  # two, though one alone were nearer
    ],
)
def test_by_hand(said, heard, pairs):
    assert match_words(said, heard, 2.0) == pairs


def of_all_matchings(said, heard, within_s):
    """Pairs and summed difference of the best matching, by trying all."""
    found = []
    for count in range(min(len(said), len(heard)) + 1):
        for left in combinations(range(len(said)), count):
            for right in combinations(range(len(heard)), count):
                pairs = [(said[i], heard[j]) for i, j in zip(left, right, strict=True)]
                if all(one.text == two.text and abs(one.time_s - two.time_s) <= within_s for one, two in pairs):
                    found.append((count, -sum(abs(one.time_s - two.time_s) for one, two in pairs)))
    return max(found)


def test_no_matching_is_better():
    rng = np.random.default_rng(0)
    for _ in range(100):
        said, heard = (
            words(" ".join(rng.choice(["a", "b"], count)), *np.sort(rng.uniform(0, 5, count))) if count else []
            for count in rng.integers(0, 6, 2)
        )
        pairs = match_words(said, heard, 1.5)
        off_s = sum(abs(said[i].time_s - heard[j].time_s) for i, j in pairs)
        assert (len(pairs), -off_s) == pytest.approx(of_all_matchings(said, heard, 1.5))
        assert all(said[i].text == heard[j].text for i, j in pairs)
        assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))
