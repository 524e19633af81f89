"""Losses of a denoiser on cases worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.nn.losses import (
    FLOOR,
    compressed_magnitude_loss,
    intelligibility_loss,
    magnitudes,
    multi_resolution_loss,
    si_sdr_loss,
    third_octaves,
)

LOSSES = (si_sdr_loss, multi_resolution_loss, compressed_magnitude_loss, intelligibility_loss)


def sine(bin_number: int, amplitude: float, samples: int = 4096, size: int = 512) -> torch.Tensor:
    """A sine in the middle of a bin of a transform of `size`, [1, samples]."""
    return amplitude * torch.sin(2 * math.pi * bin_number / size * torch.arange(samples))[None]


def noise(seed: int, rows: int = 2, samples: int = 3000) -> torch.Tensor:
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


def test_si_sdr_of_vectors_at_right_angles():
    # x = (1, 0.1), s = (2, 0): a s = (1, 0), the rest (0, 0.1): 10 log10(1 / 0.01) = 20 dB, capped at 30 dB.
    loss = si_sdr_loss(torch.tensor([[1.0, 0.1]]), torch.tensor([[2.0, 0.0]]))
    assert loss.item() == pytest.approx(-10 * math.log10(1 / (0.01 + 0.001)), abs=1e-4)


def test_si_sdr_ends_at_most_db():
    clean = noise(0)
    assert si_sdr_loss(3 * clean, clean, most_db=25).tolist() == pytest.approx([-25, -25], abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_si_sdr_does_not_depend_on_scale(gain: float, seed: int):
    clean = noise(seed)
    estimate = clean + 0.3 * noise(seed + 1000)
    assert torch.allclose(si_sdr_loss(gain * estimate, clean), si_sdr_loss(estimate, clean), atol=1e-3)


def test_a_full_scale_sine_has_half_its_amplitude_in_its_bin():
    # The window sums to one, and half of a sine is at the negative frequency.
    peak = magnitudes(sine(40, 0.8), 512, 256)[0, :, 3]
    assert peak.argmax() == 40
    assert peak[40].item() == pytest.approx(0.4, abs=1e-5)
    assert peak[39].item() == pytest.approx(0.2, abs=1e-5)  # Hann: its neighbours have half


def test_multi_resolution_of_half_the_wave():
    # |S - S / 2| / |S| = 1/2, |ln S - ln S / 2| = ln 2 wherever S is above twice the floor, as it is in noise.
    clean = noise(1, samples=4096)
    loss = multi_resolution_loss(clean / 2, clean, [(256, 256), (512, 512)])  # the same at both: so is their mean
    assert loss.tolist() == pytest.approx([0.5 + math.log(2)] * 2, rel=1e-3)


def test_multi_resolution_of_silence_given_back():
    # 0 / |S| is no estimate: the convergence is 1, and every bin is as far as it is above the floor.
    clean = noise(2, samples=1024)
    loss = multi_resolution_loss(torch.zeros_like(clean), clean, [(512, 512)])
    logs = (magnitudes(clean, 512, 512) / FLOOR).log().mean((1, 2))
    assert loss.tolist() == pytest.approx((1 + logs).tolist(), rel=1e-4)


def test_compressed_magnitude_of_twice_a_wave():
    # (2^0.3 - 1)^2 times the mean of |S|^0.6.
    clean = noise(3, samples=2048)
    expected = (2**0.3 - 1) ** 2 * (magnitudes(clean, 512, 256) ** 0.6).mean((1, 2))
    assert compressed_magnitude_loss(2 * clean, clean).tolist() == pytest.approx(expected.tolist(), rel=1e-3)


def test_soft_noise_counts_more_when_compressed():
    """The same error in a pause and beside a loud sound: linear magnitudes would not tell them apart."""
    clean = torch.zeros(1, 8192)
    clean[:, :4096] = sine(40, 0.5)
    error = 0.01 * noise(4, rows=1, samples=4096)
    loud, pause = torch.zeros_like(clean), torch.zeros_like(clean)
    loud[:, :4096], pause[:, 4096:] = error, error
    size = {"size": 512, "hop": 512}
    assert compressed_magnitude_loss(clean + pause, clean, **size) > compressed_magnitude_loss(
        clean + loud, clean, **size
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_the_clean_wave_is_best(loss):
    clean = noise(5)
    best = loss(clean, clean)
    assert (loss(clean + 0.1 * noise(6), clean) > best).all()
    if loss is not si_sdr_loss:
        assert best.tolist() == [0, 0]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("samples", [1, 700])
def test_silence_has_a_value_and_a_gradient(loss, samples: int):
    silence = torch.zeros(1, samples)
    for estimate, clean in ((silence, silence), (silence, noise(7, 1, samples)), (noise(8, 1, samples), silence)):
        estimate = estimate.clone().requires_grad_()
        value = loss(estimate, clean)
        value.sum().backward()
        assert value.isfinite().all()
        assert estimate.grad.isfinite().all()


def test_a_row_without_speech_has_no_si_sdr():
    estimate, clean = noise(9), torch.zeros(2, 3000)
    clean[1] = noise(10)[1]
    loss = si_sdr_loss(estimate, clean)
    assert loss[0] == 0
    assert loss[1] > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_down_the_gradient_is_better(loss):
    clean = noise(11)
    estimate = (clean + 0.5 * noise(12)).requires_grad_()
    before = loss(estimate, clean).sum()
    (gradient,) = torch.autograd.grad(before, estimate)
    after = loss(estimate - 1e-2 * gradient / gradient.norm() * estimate.norm(), clean).sum()
    assert after < before


def test_a_third_octave_holds_the_bins_between_its_edges():
    """Bins of 31.25 Hz: 133.6 to 168.4 Hz has bin 5, 168.4 to 212.1 Hz bin 6, then 7 and 8. None is in two."""
    bands = third_octaves(512, 16000)
    assert bands.shape == (257, 15)
    assert [bands[:, band].nonzero().flatten().tolist() for band in range(3)] == [[5], [6], [7, 8]]
    assert bands.sum(1).max() == 1
    assert bands[:, -1].nonzero().max() * 31.25 < 150 * 2 ** (14.5 / 3)  # 4.3 kHz


def beats(depth: float, phase: float) -> torch.Tensor:
    """A tone at 1 kHz whose loudness goes up and down twice a second, [1, 32000]."""
    time_s = torch.arange(32000) / 16000
    return (torch.sin(2000 * math.pi * time_s) * (1 + depth * torch.sin(4 * math.pi * time_s + phase)))[None]


def test_envelopes_that_go_up_and_down_together_lose_nothing():
    """Correlation counts: half as loud, half as deep is the same; against each other it is -1, a loss of 2."""
    clean = beats(0.8, 0)
    hiss = 1e-4 * noise(0, 1, 32000)  # the other bands: nothing goes up and down in them
    assert intelligibility_loss(0.5 * clean, clean).item() == pytest.approx(0, abs=0.02)
    together, against = (
        intelligibility_loss(beats(0.4, phase) + hiss, clean + hiss).item() for phase in (0.0, math.pi)
    )
    assert together < 0.1
    assert against > together + 2 / 15 * 0.9  # one band of 15 at least


def test_what_is_soft_counts_for_no_intelligibility():
    """Segments 40 dB below the loudest are left out, whatever is in them."""
    clean = torch.cat([beats(0.8, 0), 1e-4 * beats(0.8, 0)], 1)
    wrong = torch.cat([beats(0.8, 0), beats(0.8, math.pi) * 1e-4], 1)
    assert intelligibility_loss(wrong, clean).item() == pytest.approx(
        intelligibility_loss(clean, clean).item(), abs=0.02
    )


def test_more_noise_is_less_intelligible():
    clean = beats(0.8, 0) + 0.1 * noise(0, 1, 32000)
    losses = [intelligibility_loss(clean + level * noise(1, 1, 32000), clean).item() for level in (0, 0.03, 0.1, 0.3)]
    assert losses == sorted(losses)
    assert losses[-1] > 0.2
