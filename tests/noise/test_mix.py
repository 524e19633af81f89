"""An SNR is what was asked, the speech is not touched, and what has no SNR is an error."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.noise.level import active_level, rms_db
from drsn_audio.noise.mix import measure_snr, mix_at_snr, noise_at_level

RATE = 16000


def waves(rows: int, samples: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


def levels(speech: torch.Tensor) -> torch.Tensor:
    return torch.tensor([active_level(row.numpy(), RATE).active_db for row in speech])


@settings(max_examples=30, deadline=None)
@given(
    snr_db=st.floats(-60, 60),
    speech_db=st.floats(-200, 100),
    noise_db=st.floats(-500, 500),
    seed=st.integers(0, 99),
)
def test_the_snr_is_what_was_asked(snr_db, speech_db, noise_db, seed):
    speech = waves(1, 4000, seed) * 10 ** (speech_db / 20)
    noise = waves(1, 4000, seed + 100) * 10 ** (noise_db / 20)
    _, noise_part = mix_at_snr(speech, noise, torch.tensor([snr_db]), speech_level_db=levels(speech))
    assert measure_snr(speech, noise_part, RATE).item() == pytest.approx(snr_db, abs=0.01)


def test_gain_worked_by_hand():
    # Speech at -20 dB, 6.0206 dB of SNR: noise at -26.02 dB, an RMS of 0.05, half of a square of 0.1.
    speech = torch.zeros(1, 4)
    noise = torch.tensor([[0.1, -0.1, 0.1, -0.1]])
    noisy, _ = mix_at_snr(speech, noise, torch.tensor([6.0206]), speech_level_db=torch.tensor([-20.0]))
    torch.testing.assert_close(noisy, torch.tensor([[0.05, -0.05, 0.05, -0.05]]), atol=1e-6, rtol=0)


def test_the_speech_is_not_rescaled_and_rows_do_not_mix():
    speech, noise = waves(3, 1000, 0), waves(3, 1000, 1)
    snr_db, level_db = torch.tensor([20.0, 0.0, -20.0]), levels(speech)
    noisy, noise_part = mix_at_snr(speech, noise, snr_db, speech_level_db=level_db)
    assert torch.equal(noisy, speech + noise_part)
    alone, _ = mix_at_snr(speech[1:2], noise[1:2], snr_db[1:2], speech_level_db=level_db[1:2])
    torch.testing.assert_close(alone[0], noisy[1])


def test_the_noise_is_measured_over_the_span_of_the_speech_and_goes_on_outside():
    speech, noise = waves(2, 1000, 0), waves(2, 1000, 1)
    noise[:, 600:] *= 100
    start, lengths = torch.tensor([0, 200]), torch.tensor([600, 400])
    _, part = mix_at_snr(
        speech,
        noise,
        torch.tensor([5.0, 5.0]),
        speech_level_db=torch.tensor([-20.0, -20.0]),
        start=start,
        lengths=lengths,
    )
    assert rms_db(part[0, :600].numpy()) == pytest.approx(-25, abs=0.01)
    assert rms_db(part[1, 200:600].numpy()) == pytest.approx(-25, abs=0.01)
    assert rms_db(part[0, 600:].numpy()) == pytest.approx(15, abs=1)


def test_infinite_snr_is_clean_even_without_levels():
    speech, noise = waves(2, 100, 0), torch.zeros(2, 100)
    noisy, part = mix_at_snr(
        speech, noise, torch.full((2,), math.inf), speech_level_db=torch.tensor([-math.inf, math.nan])
    )
    assert torch.equal(noisy, speech)
    assert not part.any()


@pytest.mark.parametrize("level_db", [-math.inf, math.nan])
def test_speech_without_a_level_is_named(level_db):
    with pytest.raises(ValueError, match=r"rows \[1\].*leave it out"):
        mix_at_snr(
            waves(2, 100, 0),
            waves(2, 100, 1),
            torch.zeros(2),
            speech_level_db=torch.tensor([-20.0, level_db]),
        )


def test_noise_that_is_silent_where_the_speech_is_is_named():
    noise = waves(3, 100, 1)
    noise[2, :50] = 0
    noise[0] = 0
    with pytest.raises(ValueError, match=r"rows \[0, 2\].*draw another"):
        mix_at_snr(
            waves(3, 100, 0),
            noise,
            torch.zeros(3),
            speech_level_db=torch.zeros(3),
            lengths=torch.tensor([50, 50, 50]),
        )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_noise_that_is_not_finite_is_named(bad):
    noise = waves(1, 100, 1)
    noise[0, 3] = bad
    with pytest.raises(ValueError, match=r"rows \[0\]"):
        mix_at_snr(waves(1, 100, 0), noise, torch.zeros(1), speech_level_db=torch.zeros(1))


def test_other_nonsense_is_refused():
    speech, noise, level = waves(1, 100, 0), waves(1, 100, 1), torch.zeros(1)
    with pytest.raises(ValueError, match="NaN or -inf"):
        mix_at_snr(speech, noise, torch.tensor([-math.inf]), speech_level_db=level)
    with pytest.raises(ValueError, match=r"rows \[0\]"):
        mix_at_snr(speech, noise, torch.zeros(1), speech_level_db=level, lengths=torch.tensor([0]))
    with pytest.raises(ValueError, match="differ"):
        mix_at_snr(speech, noise[:, :50], torch.zeros(1), speech_level_db=level)


def test_noise_alone_has_the_level_that_was_asked():
    noise = waves(2, 1000, 0) * torch.tensor([[1e-20], [1e10]])
    quiet = noise_at_level(noise, torch.tensor([-30.0, -60.0]), lengths=torch.tensor([1000, 500]))
    assert rms_db(quiet[0].numpy()) == pytest.approx(-30, abs=1e-4)
    assert rms_db(quiet[1, :500].numpy()) == pytest.approx(-60, abs=1e-4)
    with pytest.raises(ValueError, match=r"rows \[1\]"):
        noise_at_level(noise, torch.tensor([-30.0, math.nan]))
    with pytest.raises(ValueError, match="draw another"):
        noise_at_level(torch.zeros(1, 10), torch.tensor([-30.0]))


def test_measured_snr_worked_by_hand():
    # Squares of 0.1 and 0.01 lie 20 dB apart; over the first two samples alone the noise is at 0.1: 0 dB.
    speech, noise = torch.full((1, 4), 0.1), torch.tensor([[0.1, 0.1, 0.0, 0.0]])
    assert measure_snr(speech, 0.1 * speech, RATE, level="rms").item() == pytest.approx(20, abs=1e-4)
    assert measure_snr(speech, noise, RATE, torch.tensor([2]), level="rms").item() == pytest.approx(0, abs=1e-4)
    assert measure_snr(speech, noise, RATE, level="rms").item() == pytest.approx(3.01, abs=0.01)


def test_double_precision_stays():
    noisy, _ = mix_at_snr(
        waves(1, 100, 0).double(), waves(1, 100, 1).double(), torch.zeros(1), speech_level_db=torch.zeros(1)
    )
    assert noisy.dtype == torch.float64
    assert np.isfinite(noisy.numpy()).all()
