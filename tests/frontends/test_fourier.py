import pytest
import torch

from drsn_audio.frontends.fourier import power_by_products


@pytest.mark.parametrize("size", [1, 2, 4, 8, 64, 256, 512, 1024, 2048])
def test_products_give_the_power_of_the_fourier_transform(size):
    frames = torch.randn(2, 3, size, generator=torch.Generator().manual_seed(size))
    exact = torch.fft.rfft(frames.double()).abs().square()
    error = (power_by_products(frames) - exact).abs().max() / exact.max()
    of_the_transform = (torch.fft.rfft(frames).abs().square() - exact).abs().max() / exact.max()
    assert error < 6e-7
    assert error < 4 * of_the_transform + 1e-7


def test_a_sine_is_in_its_bin_alone():
    place = torch.arange(512)
    power = power_by_products((2 * torch.pi * 37 * place / 512).cos().view(1, 1, 512))[0, 0]
    assert power[37] == pytest.approx(256**2, rel=1e-5)
    assert power.sum() - power[37] < 1e-6 * power[37]
