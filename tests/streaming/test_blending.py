"""Numbers worked by hand: with frames of ln 2 seconds, a frame is half of each average."""

import math

import numpy as np
import pytest

from drsn_audio.errors import InputError
from drsn_audio.streaming.blending import Blend, blended, share_at

HALF_S = math.log(2)


@pytest.mark.parametrize(
    ("snr_db", "share"), [(-5, 0.1), (-60, 0.1), (-math.inf, 0.1), (7.5, 0.25), (20, 0.4), (90, 0.4), (math.inf, 0.4)]
)
def test_the_share_rises_with_the_snr(snr_db, share):
    assert share_at(snr_db, 0.4) == pytest.approx(share)


def test_a_share_of_what_is_taken_away_comes_back():
    assert blended(np.array([0.0, 0.5, 1.0]), 0.2) == pytest.approx([0.2, 0.6, 1.0])


def test_two_frames():
    blend = Blend(0.5, HALF_S)
    # Half of an amplitude of 2 is kept: power 1, and 1 is taken away: 0 dB, a fifth of the way up.
    first = blend(np.array([[0.5]], np.float32), np.array([[2j]]))
    assert blend.state == pytest.approx([0.5, 0.5])
    assert first == pytest.approx(np.array([[0.2 + 0.8 * 0.5]]), abs=1e-6)
    # Of an amplitude of 10, 9 are kept and 1 is taken: averages 0.25 + 40.5 and 0.25 + 0.5.
    second = blend(np.array([[0.9]], np.float32), np.array([[-10.0]]))
    assert blend.state == pytest.approx([40.75, 0.75])
    assert blend.snr_db == pytest.approx(17.3507, abs=1e-3)
    share = 0.5 * (0.25 + 0.75 * 22.3507 / 25)
    assert second == pytest.approx(np.array([[share + (1 - share) * 0.9]]), abs=1e-5)


def test_power_is_summed_over_frequency():
    blend = Blend(1.0, HALF_S)
    blend(np.array([[1.0, 0.0, 0.5]], np.float32), np.array([[3.0, 1.0, 4.0]]))
    assert blend.state == pytest.approx([(9 + 4) / 2, (1 + 4) / 2])


def test_any_chunks_give_the_same_and_the_state_goes_on():
    rng = np.random.default_rng(0)
    gains, spectrum = rng.random((9, 5), np.float32), rng.standard_normal((9, 5)) * np.arange(9)[:, None]
    whole, parted, other = (Blend(0.5, 0.016) for _ in range(3))
    expected = whole(gains, spectrum)
    parts = [parted(gains[:1], spectrum[:1]), parted(gains[1:1], spectrum[1:1]), parted(gains[1:6], spectrum[1:6])]
    other.state = parted.state
    parts.append(other(gains[6:], spectrum[6:]))
    assert np.concatenate(parts) == pytest.approx(expected, abs=1e-7)
    assert len(np.unique(expected)) > 9  # the share changes
    whole.reset()
    assert np.array_equal(whole(gains, spectrum), expected)


def test_of_silence_the_least_comes_back():
    blend = Blend(0.8, 0.016)
    assert blend(np.zeros((2, 3), np.float32), np.zeros((2, 3))) == pytest.approx(0.2)
    assert blend.snr_db == -math.inf
    assert blend(np.ones((1, 3), np.float32), np.ones((1, 3))) == pytest.approx(1.0)
    assert blend.snr_db == math.inf  # nothing was taken away


@pytest.mark.parametrize("blend", [-0.1, 1.1, math.nan])
def test_what_is_no_share_is_refused(blend):
    with pytest.raises(InputError, match="give a share, from 0"):
        Blend(blend, 0.016)
