"""SpecAugment covers no more than it may, with the clip's mean, by its generator alone."""

import pytest
import torch

from drsn_audio.config import AugmentConfig
from drsn_audio.training.augment import spec_augment

BINS, FRAMES, HOP_MS = 40, 100, 10.0


def covered(config, seed=0, batch=64):
    """Bool [B, F, T]: True where the spectrogram, here without a value that is its mean, was changed."""
    x = torch.arange(batch * BINS * FRAMES, dtype=torch.float64).view(batch, 1, BINS, FRAMES)
    y = spec_augment(x, config, HOP_MS, torch.Generator().manual_seed(seed))
    assert torch.equal(y[y != x], x.mean((2, 3), keepdim=True).expand_as(x)[y != x])
    return (y != x)[:, 0]


@pytest.mark.parametrize(("masks", "widest"), [(1, 6), (2, 6), (3, 12)])
def test_bands_are_whole_and_no_wider_than_allowed(masks, widest):
    config = AugmentConfig(frequency_masks=masks, frequency_mask_bins=widest, time_masks=0)
    cover = covered(config)
    bands = cover.any(2)
    assert torch.equal(cover, bands[:, :, None].expand_as(cover))
    counts = bands.sum(1)
    assert counts.max() <= masks * widest
    assert counts.max() > masks * widest / 2
    assert len(counts.unique()) > 4  # each clip has its own


def test_stretches_of_time_by_the_hop():
    config = AugmentConfig(frequency_masks=0, time_masks=1, time_mask_ms=120.0)
    cover = covered(config, batch=1024)
    stretches = cover.any(1)
    assert torch.equal(cover, stretches[:, None].expand_as(cover))
    assert 8 < stretches.sum(1).max() <= 12
    # One stretch has one start and one end.
    assert ((stretches[:, 1:] & ~stretches[:, :-1]).sum(1) + stretches[:, 0] <= 1).all()
    assert stretches[:, 0].any()
    assert stretches[:, -1].any()


def test_it_depends_on_the_generator_alone():
    config = AugmentConfig()
    torch.manual_seed(1)
    first = covered(config)
    torch.manual_seed(2)
    assert torch.equal(covered(config), first)
    assert not torch.equal(covered(config, seed=1), first)


def test_masks_wider_than_the_spectrogram():
    config = AugmentConfig(frequency_mask_bins=1000, time_mask_ms=1e6)
    assert torch.isfinite(spec_augment(torch.randn(4, 1, 3, 5), config, HOP_MS, torch.Generator())).all()


def test_no_masks_change_nothing():
    assert not covered(AugmentConfig(frequency_masks=0, time_masks=0)).any()
