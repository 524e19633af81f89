"""Sub-spectral normalisation: every band of every channel by itself."""

import pytest
import torch
from torch import nn

from drsn_audio.nn.masking import frame_mask
from drsn_audio.nn.subspectral import SubSpectralNorm


def draw(*shape: int) -> torch.Tensor:
    """Bands of neighbouring bins that differ in level and spread."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    level = torch.arange(shape[2])[:, None] // 2
    return x * (1 + level) + 10 * level


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_is_a_batch_norm_of_each_band(memory_format):
    x = draw(3, 4, 10, 6).to(memory_format=memory_format)
    expected = torch.cat([nn.BatchNorm2d(4)(x[:, :, bins : bins + 2]) for bins in range(0, 10, 2)], 2)
    out = SubSpectralNorm(4, 5)(x)
    torch.testing.assert_close(out, expected)
    assert out.shape == x.shape


@pytest.mark.parametrize("bins", [5, 10])
def test_channels_last_stays_so(bins):
    """Bands of one bin, too: what follows would be slower."""
    x = draw(3, 4, bins, 6).to(memory_format=torch.channels_last)
    assert SubSpectralNorm(4, 5)(x).is_contiguous(memory_format=torch.channels_last)


def test_at_use_each_band_has_its_own_statistics_gain_and_offset():
    norm, x = SubSpectralNorm(2, 5), draw(4, 2, 10, 50)
    norm.norm.momentum = 1.0
    norm(x)
    with torch.no_grad():
        norm.norm.weight.copy_(torch.rand(10) + 1)
        norm.norm.bias.copy_(torch.randn(10))
    bands = norm.eval()(x).unflatten(2, (5, 2))
    moments = torch.stack([bands.mean((0, 3, 4)), bands.std((0, 3, 4))])  # [2, C, bands]
    found = {(round(m, 2), round(s, 2)) for m, s in moments.flatten(1).T.tolist()}
    given = {
        (round(b, 2), round(w, 2)) for w, b in zip(norm.norm.weight.tolist(), norm.norm.bias.tolist(), strict=True)
    }
    assert found == given


def test_frames_beyond_a_length_enter_no_statistic():
    x, lengths = draw(2, 3, 10, 8), torch.tensor([8, 5])
    expected = SubSpectralNorm(3, 5)(torch.cat([x[:1], x[1:, :, :, :5]], 3))
    x[1, :, :, 5:] = 1e4
    out = SubSpectralNorm(3, 5)(x, frame_mask(lengths, 8))
    torch.testing.assert_close(out[0], expected[0, :, :, :8])
    torch.testing.assert_close(out[1, :, :, :5], expected[0, :, :, 8:])
    assert not out[1, :, :, 5:].any()
