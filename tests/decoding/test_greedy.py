import numpy as np

from drsn_audio.decoding.greedy import greedy_spikes


def test_repeats_are_joined_and_blanks_part_equal_labels():
    path = [0, 1, 1, 0, 1, 2, 2, 0]
    probabilities = np.full((8, 3), 0.1)
    probabilities[np.arange(8), path] = [0.8, 0.6, 0.8, 0.8, 0.8, 0.8, 0.7, 0.8]
    found = greedy_spikes(probabilities)
    assert [(s.label, s.first, s.last) for s in found] == [(1, 1, 2), (1, 4, 4), (2, 5, 6)]
    np.testing.assert_allclose([s.probability for s in found], [0.7, 0.8, 0.75])


def test_of_nothing_or_of_blanks_there_is_nothing():
    assert greedy_spikes(np.zeros((0, 3))) == []
    assert greedy_spikes(np.tile([0.9, 0.05, 0.05], (5, 1))) == []
