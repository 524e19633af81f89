"""Where a word is in its clip."""

import numpy as np
import pytest
import torch

from drsn_audio.noise.span import word_span


def test_a_burst_between_silences_is_the_word():
    wave = torch.zeros(1, 1000)
    wave[0, 300:500] = 0.5  # even energy: 2 % of it are 4 samples
    start, end = word_span(wave)
    assert (start.tolist(), end.tolist()) == ([303], [496])
    start, end = word_span(wave, energy=(0, 1))
    assert (start.tolist(), end.tolist()) == ([300], [500])


def test_shares_are_those_of_the_sum_of_squares():
    rng = np.random.default_rng(0)
    waves = rng.standard_normal((5, 4000)) * np.hanning(4000) ** 4
    start, end = word_span(torch.from_numpy(waves))
    for wave, first, stop in zip(waves, start.tolist(), end.tolist(), strict=True):
        energy = np.cumsum(wave**2) / np.sum(wave**2)
        assert energy[first - 1] < 0.02 <= energy[first]
        assert energy[stop - 2] < 0.98 <= energy[stop - 1]


def test_what_lies_behind_the_length_does_not_count():
    wave = torch.randn(3, 2000, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([500, 2000, 1])
    start, end = word_span(wave, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = word_span(wave[row : row + 1, :length])
        assert (int(start[row]), int(end[row])) == (int(alone[0]), int(alone[1]))
        assert 0 <= int(start[row]) < int(end[row]) <= length


def test_silence_has_no_word():
    wave = torch.zeros(2, 100)
    wave[1, 40] = 1e-3
    start, end = word_span(wave)
    assert (start.tolist(), end.tolist()) == ([0, 40], [0, 41])
    assert [bound.tolist() for bound in word_span(torch.zeros(1, 0))] == [[0], [0]]
    assert [bound.tolist() for bound in word_span(wave[1:], torch.tensor([40]))] == [[0], [0]]


def test_a_gain_moves_nothing_and_integers_are_waves_too():
    wave = torch.randn(2, 3000, generator=torch.Generator().manual_seed(1)) * torch.hann_window(3000)
    quiet = word_span(wave * 2**-40)
    assert all(torch.equal(a, b) for a, b in zip(word_span(wave), quiet, strict=True))
    assert [bound.tolist() for bound in word_span(torch.tensor([[0, 300, -300, 0]], dtype=torch.int16))] == [[1], [3]]


@pytest.mark.parametrize("energy", [(0.5, 0.5), (0.9, 0.1), (-0.1, 0.9), (0.1, 1.1)])
def test_shares_out_of_order_are_refused(energy):
    with pytest.raises(ValueError, match="two shares"):
        word_span(torch.ones(1, 4), energy=energy)
