"""Segmental SNR of cases worked by hand."""

import math

import pytest
import torch

from drsn_audio.metrics.enhancement import segmental_snr_db, si_sdr_db

RATE = 8000
FRAME = 256  # 32 ms


def square(amplitude: float, frames: float) -> torch.Tensor:
    """A square wave: every frame has the power amplitude^2."""
    return amplitude * (-1.0) ** torch.arange(round(frames * FRAME), dtype=torch.float64)


def measure(clean: torch.Tensor, error: torch.Tensor, **options: float) -> float:
    return segmental_snr_db(clean[None], (clean + error)[None], RATE, **options).item()


def test_a_constant_snr_is_itself():
    # 20 log10(0.5 / 0.05) = 20 dB in every frame.
    assert measure(square(0.5, 10), square(0.05, 10)) == pytest.approx(20, abs=1e-9)


def test_a_loud_noisy_half_and_a_clean_one_count_alike():
    # 0 dB and 30 dB, 15 on average; the SNR over all of it would be near 3 dB.
    error = torch.cat([square(0.5, 5), square(0.5 * 10 ** (-30 / 20), 5)])
    assert measure(square(0.5, 10), error) == pytest.approx(15, abs=1e-9)


def test_frames_stand_side_by_side():
    # Only the second of four frames is noisy: (3 * 30 + 10) / 4 = 25 dB.
    error = square(10 ** (-30 / 20), 4)
    error[FRAME : 2 * FRAME] = square(10 ** (-10 / 20), 1)
    assert measure(square(1, 4), error) == pytest.approx(25, abs=1e-9)


@pytest.mark.parametrize(("soft_db", "expected"), [(-math.inf, 20), (-41, 20), (-39, (20 - 10) / 2)])
def test_frames_without_speech_are_left_out(soft_db, expected):
    # 39 dB below the loudest frame is speech still: its SNR of -19 dB counts as -10.
    clean = torch.cat([square(0.5, 5), square(0.5 * 10 ** (soft_db / 20), 5)])
    assert measure(clean, square(0.05, 10)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("snr_db", "expected"), [(60, 35), (math.inf, 35), (35, 35), (-10, -10), (-40, -10)])
def test_a_frame_is_limited(snr_db, expected):
    assert measure(square(0.5, 3), square(0.5 * 10 ** (-snr_db / 20), 3)) == pytest.approx(expected, abs=1e-6)


def test_the_limits_hold_for_each_frame_not_for_the_mean():
    # 60 and 0 dB: (35 + 0) / 2, not 30.
    error = torch.cat([square(0.001, 1), square(1, 1)])
    assert measure(square(1, 2), error) == pytest.approx(17.5, abs=1e-6)


def test_rows_and_their_lengths_are_kept_apart():
    # The row ends within its third frame; what comes after two whole ones is NaN and does not count.
    clean = torch.stack([square(0.5, 4), square(0.5, 4)])
    noisy = clean + torch.stack([square(0.05, 4), square(0.5, 4)])
    noisy[1, 2 * FRAME + 100 :] = clean[1, 2 * FRAME + 100 :] = math.nan
    measured = segmental_snr_db(clean, noisy, RATE, torch.tensor([4 * FRAME, 2 * FRAME + 100]))
    assert measured.tolist() == pytest.approx([20, 0], abs=1e-9)


def test_no_speech_has_no_measure():
    assert math.isnan(measure(square(0, 4), square(0.5, 4)))
    assert math.isnan(measure(square(0.5, 0.9), square(0.5, 0.9)))
    assert segmental_snr_db(torch.ones(2, FRAME), torch.ones(2, FRAME), RATE, torch.tensor([0, FRAME]))[0].isnan()


def test_a_gain_of_both_changes_nothing_and_float32_is_enough():
    clean, error = square(1e-6, 4).float(), square(1e-7, 4).float()
    assert measure(clean, error) == pytest.approx(20, abs=1e-3)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="B, N"):
        segmental_snr_db(torch.ones(2, 10), torch.ones(2, 11), RATE)
    with pytest.raises(ValueError, match="B, N"):
        segmental_snr_db(torch.ones(10), torch.ones(10), RATE)
    with pytest.raises(ValueError, match="no sample"):
        segmental_snr_db(torch.ones(1, 10), torch.ones(1, 10), RATE, frame_ms=0.01)


def test_si_sdr_of_vectors_at_right_angles():
    # x = (1, 0.1), s = (2, 0): a s = (1, 0), the rest (0, 0.1): 10 log10(1 / 0.01) = 20 dB, whatever the scale.
    estimate = torch.tensor([[1.0, 0.1], [50.0, 5.0]])
    assert si_sdr_db(estimate, torch.tensor([[2.0, 0.0], [2.0, 0.0]])).tolist() == pytest.approx([20, 20], abs=1e-6)


def test_si_sdr_of_a_tenth_of_noise_that_is_no_part_of_the_speech():
    speech = square(0.5, 8)
    other = speech * (-1.0) ** (torch.arange(len(speech)) // FRAME)  # changes its sign every frame: at right angles
    assert si_sdr_db((speech + 0.1 * other)[None], speech[None]).item() == pytest.approx(20, abs=1e-6)


def test_si_sdr_at_its_ends():
    speech, silence = square(0.5, 2)[None], torch.zeros(1, 2 * FRAME, dtype=torch.float64)
    assert si_sdr_db(speech, speech).item() == math.inf
    assert si_sdr_db(silence, speech).item() == -math.inf
    assert math.isnan(si_sdr_db(speech, silence).item())
    with pytest.raises(ValueError, match="give both as"):
        si_sdr_db(speech[0], speech[0])
