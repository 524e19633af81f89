"""The random equaliser: a filter of the gains asked for; noise played faster or slower on the way."""

import math

import numpy as np
import pytest
import torch

from drsn_audio.noise.equalise import WARP, equalise, play_noise

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


def test_played_noise_has_pitch_level_and_gain_of_its_own():
    """One batch of several speeds: a tone moves by L / N, keeps its level, and has its row's gain."""
    speeds = [0.8, 1.0, 1.25, 0.8, 1.1]
    waves = [tone(1000).repeat(1, 2)[0, : int(RATE * speed)].numpy() for speed in speeds]
    gains = torch.tensor([-6.0, 0.0, 6.0, 3.0, -3.0])
    played = play_noise(waves, RATE, gains[:, None].expand(-1, 9))
    assert played.shape == (len(speeds), RATE)
    assert played.dtype == torch.float32
    for row, speed in enumerate(speeds):
        assert torch.fft.rfft(played[row]).abs().argmax() == pytest.approx(1000 * speed)
        assert gain_db(played[row : row + 1], tone(1000)) == pytest.approx(gains[row].item(), abs=0.01)


def test_what_would_lie_over_half_the_rate_is_gone():
    high = np.sin(2 * np.pi * 7000 * np.arange(20000) / RATE).astype(np.float32)
    assert play_noise([high], RATE, torch.zeros(1, 9)).abs().max() < 1e-4


def test_noise_as_it_is_stays_as_it_is():
    wave = np.random.default_rng(0).standard_normal((2, 100)).astype(np.float32)
    assert np.array_equal(play_noise(list(wave), 100, torch.zeros(2, 9)), wave)


def test_gains_are_exact_under_autocast():
    wave, gains = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0)), torch.full((2, 9), 7.77)
    with torch.autocast("cpu", torch.bfloat16):
        filtered = equalise(wave, gains)
    torch.testing.assert_close(filtered, equalise(wave, gains), atol=0, rtol=0)
