"""The random equaliser: a filter of the gains asked for."""

import math

import pytest
import torch

from drsn_audio.noise.equalise import WARP, equalise

RATE = 16000


def tone(hz: float) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(RATE) / RATE)[None]


def gain_db(filtered: torch.Tensor, wave: torch.Tensor) -> float:
    return 20 * math.log10(filtered.square().mean().sqrt() / wave.square().mean().sqrt())


def test_no_gains_change_nothing():
    wave = torch.randn(3, 1001, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(equalise(wave, torch.zeros(3, 9)), wave, atol=1e-5, rtol=0)


def test_equal_gains_are_one_gain():
    wave = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(equalise(wave, torch.full((2, 9), -20.0)), 0.1 * wave, atol=1e-5, rtol=0)


@pytest.mark.parametrize("point", range(1, 8))
def test_a_tone_at_a_point_has_the_gain_of_that_point(point):
    gains = torch.tensor([[0.0, 6, -12, 3, 9, -3, 1, 15, 0]])
    hz = round(RATE / 2 * math.expm1(point / 8 * math.log1p(WARP)) / WARP)
    assert gain_db(equalise(tone(hz), gains), tone(hz)) == pytest.approx(gains[0, point].item(), abs=0.3)


def test_rows_have_gains_of_their_own():
    wave = tone(1000).repeat(2, 1)
    filtered = equalise(wave, torch.tensor([[-6.0] * 5, [6.0] * 5]))
    assert gain_db(filtered[0], wave[0]) == pytest.approx(-6, abs=0.01)
    assert gain_db(filtered[1], wave[1]) == pytest.approx(6, abs=0.01)
