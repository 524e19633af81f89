"""What a device does to sound, and that it does nothing unless asked."""

import math

import pytest
import torch

from drsn_audio.errors import InputError
from drsn_audio.noise.recorder import CODES, MU, DeviceEffects, apply_effects, band_limit, clip, mu_law

RATE = 16000


def hiss(rows: int = 1, samples: int = RATE, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


def tone(frequency_hz: float) -> torch.Tensor:
    return torch.sin(2 * math.pi * frequency_hz * torch.arange(RATE) / RATE)[None]


def gain_db(frequency_hz: float, low_hz: float, high_hz: float) -> float:
    limited = band_limit(tone(frequency_hz), torch.tensor([low_hz]), torch.tensor([high_hz]), RATE)
    middle = slice(4000, 12000)
    power = limited[0, middle].square().mean() / tone(frequency_hz)[0, middle].square().mean()
    return 10 * math.log10(power)


def test_nothing_is_the_default():
    wave = hiss(2)
    assert torch.equal(apply_effects(wave, DeviceEffects(), RATE), wave)
    assert torch.equal(apply_effects(wave[0], DeviceEffects(), RATE), wave[0])


def test_a_telephone_band():
    assert gain_db(1000, 300, 3400) == pytest.approx(0, abs=0.05)
    assert gain_db(300, 300, 3400) == pytest.approx(-3.01, abs=0.1)
    assert gain_db(3400, 300, 3400) == pytest.approx(-3.01, abs=0.1)
    assert gain_db(150, 300, 3400) == pytest.approx(-24.1, abs=0.3)  # an octave outside
    assert gain_db(6800, 300, 3400) == pytest.approx(-24.1, abs=0.3)


def test_a_band_limit_delays_nothing_and_does_not_wrap_around():
    click = torch.zeros(1, 4000)
    click[0, 2000] = 1
    limited = band_limit(click, torch.tensor([300.0]), torch.tensor([3400.0]), RATE)[0]
    assert limited.abs().argmax() == 2000
    torch.testing.assert_close(limited[1:2000], limited[2001:].flip(0), atol=1e-6, rtol=0)  # zero phase
    end = torch.zeros(1, 4000)
    end[0, -1] = 1
    limited = band_limit(end, torch.tensor([300.0]), torch.tensor([3400.0]), RATE)[0]
    assert limited[:2000].abs().max() < 1e-4


def test_each_row_has_a_device_of_its_own():
    wave = hiss(5)
    effects = [
        DeviceEffects(),
        DeviceEffects(band_hz=(300, 3400)),
        DeviceEffects(gain_db=6),
        DeviceEffects(clip_db=-20),
        DeviceEffects(mu_law=True),
    ]
    together = apply_effects(wave, effects, RATE)
    assert torch.equal(together[0], wave[0])
    for row, effect in enumerate(effects):
        torch.testing.assert_close(apply_effects(wave[row], effect, RATE), together[row], atol=1e-7, rtol=1e-6)
        assert torch.equal(together[row], wave[row]) == (row == 0)


def test_order_band_then_gain_then_clip_then_mu_law():
    wave = hiss()
    all_of_it = DeviceEffects((300, 3400), 20.0, -12.0, True)
    step = band_limit(wave, torch.tensor([300.0]), torch.tensor([3400.0]), RATE) * 10
    expected = mu_law(clip(step, torch.tensor([-12.0])))
    torch.testing.assert_close(apply_effects(wave, all_of_it, RATE), expected)


def test_clipping_worked_by_hand():
    wave = torch.tensor([[0.4, -0.6, 0.5], [0.4, -0.6, 0.5], [0.4, -3.0, 0.5]])
    clipped = clip(wave, torch.tensor([-6.0206, -12.0412, math.nan]))
    expected = torch.tensor([[0.4, -0.5, 0.5], [0.25, -0.25, 0.25], [0.4, -3.0, 0.5]])
    torch.testing.assert_close(clipped, expected, atol=1e-6, rtol=0)


def test_mu_law_worked_by_hand():
    # ln(1 + 255 / 2) / ln(256) is 0.87570 of the way: step 111 of 127, and back: (256^(111 / 127) - 1) / 255.
    half = (256 ** (111 / 127) - 1) / 255
    wave = torch.tensor([[0.0, 0.5, -0.5, 1.0, -1.0, 7.0]])
    torch.testing.assert_close(mu_law(wave), torch.tensor([[0.0, half, -half, 1.0, -1.0, 1.0]]))


def test_mu_law_takes_eight_bits_and_keeps_38_decibels():
    wave = torch.linspace(-1, 1, 100_001)[None]
    assert mu_law(wave).unique().numel() == 2 * CODES + 1
    again = mu_law(mu_law(wave))
    torch.testing.assert_close(again, mu_law(wave), atol=1e-6, rtol=0)
    for level in (0.3, 0.03):  # the noise of a logarithmic quantiser follows the signal
        sine = level * tone(441.7)
        error = mu_law(sine) - sine
        assert 10 * math.log10(sine.square().mean() / error.square().mean()) == pytest.approx(37, abs=2.5)


def test_mu_law_companding_is_that_of_torchaudio():
    from torchaudio.functional import mu_law_decoding, mu_law_encoding

    wave = torch.linspace(-1, 1, 4001)
    theirs = mu_law_decoding(mu_law_encoding(wave, MU + 1), MU + 1)
    # They have no step for zero, so the two lie up to a step apart, which is 4.5 % of a sample.
    assert ((mu_law(wave) - theirs).abs() <= 0.045 * wave.abs() + 2e-4).all()


@pytest.mark.parametrize(
    "wrong",
    [{"band_hz": (3400, 300)}, {"band_hz": (-1, 300)}, {"gain_db": math.nan}, {"clip_db": math.inf}],
)
def test_a_device_that_cannot_be(wrong):
    with pytest.raises(InputError, match="give"):
        DeviceEffects(**wrong)


def test_double_precision_stays():
    wave = hiss().double()
    assert apply_effects(wave, DeviceEffects((300, 3400), 6.0, -12.0, True), RATE).dtype == torch.float64
