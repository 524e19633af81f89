"""An SNR is what was asked, the speech is not touched, and what has no SNR is an error."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.noise.level import active_level, rms_db
from drsn_audio.noise.mix import combine_noises, measure_snr, mix_at_snr, noise_at_level

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
    speech, noise = torch.tensor([[0.1, -0.1, 0.1, -0.1]]), torch.tensor([[0.1, -0.1, 0.0, 0.0]])
    assert measure_snr(speech, 0.1 * speech, RATE, level="rms").item() == pytest.approx(20, abs=1e-4)
    assert measure_snr(speech, noise, RATE, torch.tensor([2]), level="rms").item() == pytest.approx(0, abs=1e-4)
    assert measure_snr(speech, noise, RATE, level="rms").item() == pytest.approx(3.01, abs=0.01)


@pytest.mark.parametrize("offset", [0.1, -0.9])
@pytest.mark.parametrize("span", [{}, {"start": torch.tensor([100, 300]), "lengths": torch.tensor([3000, 2000])}])
def test_an_offset_of_the_noise_is_no_noise_and_that_of_the_speech_stays(offset, span):
    speech, noise = waves(2, 4000, 0), 1e-3 * waves(2, 4000, 1)
    plain, _ = mix_at_snr(speech, noise, torch.zeros(2), speech_level_db=levels(speech), **span)
    mixed, _ = mix_at_snr(speech, noise + offset, torch.zeros(2), speech_level_db=levels(speech), **span)
    torch.testing.assert_close(mixed, plain, atol=2e-3 * speech.std().item(), rtol=0)  # of float32 beside the offset
    moved, part = mix_at_snr(speech + offset, noise, torch.zeros(2), speech_level_db=levels(speech + offset), **span)
    torch.testing.assert_close(moved, plain + offset, atol=1e-5, rtol=0)
    assert torch.equal(moved, speech + offset + part)
    pair, shifted = (torch.stack([noise + o, waves(2, 4000, 2)], 1) for o in (0, offset))
    gains_db = torch.tensor([[0.0, -3.0]] * 2)
    combined = [combine_noises(noises, gains_db, **span) for noises in (pair, shifted)]
    torch.testing.assert_close(combined[1], combined[0], atol=2e-3, rtol=0)


@pytest.mark.parametrize("value", [0.1, -0.9, 1e-20])
def test_a_constant_is_silence(value):
    noise = torch.full((1, 4000), value)
    for span in ({}, {"start": torch.tensor([10]), "lengths": torch.tensor([3000])}):
        with pytest.raises(ValueError, match="draw another"):
            mix_at_snr(waves(1, 4000, 0), noise, torch.zeros(1), speech_level_db=torch.zeros(1), **span)
        with pytest.raises(ValueError, match="draw another"):
            noise_at_level(noise, torch.zeros(1), **span)
        with pytest.raises(ValueError, match="draw another"):
            combine_noises(noise[:, None], torch.zeros(1, 1), **span)


def test_double_precision_stays():
    noisy, _ = mix_at_snr(
        waves(1, 100, 0).double(), waves(1, 100, 1).double(), torch.zeros(1), speech_level_db=torch.zeros(1)
    )
    assert noisy.dtype == torch.float64
    assert np.isfinite(noisy.numpy()).all()


def tones(rows: int, count: int) -> torch.Tensor:
    """[rows, count, 1000]: sines of whole periods, which do not add up to more than their powers; of any level."""
    seconds = torch.arange(1000) / 1000
    waves = torch.stack([torch.sin(2 * math.pi * 10 * (place + 1) * seconds) for place in range(count)])
    scale = 10.0 ** torch.randn(rows, count, 1, generator=torch.Generator().manual_seed(0))
    return waves * scale


def test_noises_are_combined_at_their_gains():
    total = combine_noises(tones(2, 3), torch.tensor([[0.0, -6.0, -20.0], [0.0, 3.0, -math.inf]]))
    power = torch.fft.rfft(total).abs().square()[:, [10, 20, 30]] / 1000**2 * 2
    measured_db = 10 * torch.log10(power)
    torch.testing.assert_close(measured_db[0], torch.tensor([0.0, -6.0, -20.0]), atol=0.01, rtol=0)
    torch.testing.assert_close(measured_db[1, :2], torch.tensor([0.0, 3.0]), atol=0.01, rtol=0)
    assert measured_db[1, 2] < -100


def test_one_noise_combined_is_that_noise():
    noise = waves(1, 1000, 0)
    combined = combine_noises(noise[:, None], torch.zeros(1, 1))
    torch.testing.assert_close(combined, (noise - noise.mean()) / noise.std(correction=0))


def test_the_snr_is_that_of_the_sum_of_the_noises():
    speech = waves(2, 4000, 0)
    noises = torch.stack([waves(2, 4000, seed) for seed in (1, 2, 3)], 1)
    start, lengths = torch.tensor([0, 500]), torch.tensor([4000, 3000])
    combined = combine_noises(noises, torch.tensor([[0.0, -3.0, -9.0]] * 2), start=start, lengths=lengths)
    spans = [row[first : first + size] for row, first, size in zip(speech, start, lengths, strict=True)]
    level_db = torch.tensor([active_level(span.numpy(), RATE).active_db for span in spans])
    _, part = mix_at_snr(
        speech, combined, torch.full((2,), 5.0), speech_level_db=level_db, start=start, lengths=lengths
    )
    assert level_db[1].item() - rms_db(part[1, 500:3500].numpy()) == pytest.approx(5, abs=0.01)
    assert level_db[0].item() - rms_db(part[0].numpy()) == pytest.approx(5, abs=0.01)


def test_noises_are_measured_over_the_span():
    noises = torch.stack([waves(1, 1000, 1), waves(1, 1000, 2)], 1)
    noises[:, 1, 600:] *= 100
    start, lengths = torch.tensor([100]), torch.tensor([400])
    alone = [
        combine_noises(noises[:, :1], torch.zeros(1, 1), start=start, lengths=lengths),
        combine_noises(noises, torch.tensor([[0.0, -10.0]]), start=start, lengths=lengths),
    ]
    further = alone[1] - alone[0]
    assert rms_db(further[0, 100:500].numpy()) == pytest.approx(-10, abs=0.01)
    assert rms_db(further[0, 600:].numpy()) == pytest.approx(30, abs=1)


def test_lead_in_and_trail_of_noise_are_outside_the_snr():
    # Half a second of noise before and after the speech, louder than that under it: the SNR knows nothing of them.
    speech, noise = torch.zeros(1, 3 * RATE), waves(1, 3 * RATE, 1)
    spoken = slice(RATE // 2, 5 * RATE // 2)
    speech[0, spoken] = waves(1, 2 * RATE, 0)[0]
    noise[0, : RATE // 2] *= 10
    level_db = torch.tensor([active_level(speech[0, spoken].numpy(), RATE).active_db])
    start, lengths = torch.tensor([RATE // 2]), torch.tensor([2 * RATE])
    noisy, part = mix_at_snr(speech, noise, torch.tensor([5.0]), speech_level_db=level_db, start=start, lengths=lengths)
    assert level_db.item() - rms_db(part[0, spoken].numpy()) == pytest.approx(5, abs=0.01)
    assert torch.equal(noisy[0, : RATE // 2], part[0, : RATE // 2])
    assert rms_db(part[0, : RATE // 2].numpy()) == pytest.approx(rms_db(part[0, spoken].numpy()) + 20, abs=0.3)
    assert part[0, 5 * RATE // 2 :].any()


def test_a_silent_one_of_several_noises_is_named():
    noises = tones(3, 2)
    noises[0, 0] = 0
    noises[2, 1] = 0
    with pytest.raises(ValueError, match=r"rows \[0, 2\].*draw another"):
        combine_noises(noises, torch.zeros(3, 2))
    left_out = combine_noises(noises[1:], torch.tensor([[0.0, 0.0], [0.0, -math.inf]]))
    assert left_out.isfinite().all()
    assert left_out[1].any()


def test_gains_that_are_none():
    for gain in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"rows \[0\].*-inf for none"):
            combine_noises(tones(1, 2), torch.tensor([[0.0, gain]]))
    with pytest.raises(ValueError, match="first noise is left out"):
        combine_noises(tones(1, 2), torch.tensor([[-math.inf, 0.0]]))
