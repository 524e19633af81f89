"""SpecAugment covers no more than it may, with the clip's mean, by its generator alone."""

import pytest
import torch

from drsn_audio.config import AugmentConfig
from drsn_audio.training.augment import draw_masks, spec_augment

BINS, FRAMES, HOP_MS = 40, 100, 10.0


def covered(config, seed=0, batch=64):
    """Bool [B, F, T]: True where the spectrogram, here without a value that is its mean, was changed."""
    x = torch.arange(batch * BINS * FRAMES, dtype=torch.float64).view(batch, 1, BINS, FRAMES)
    y = spec_augment(x, config, HOP_MS, draw_masks(config, seed, 3, [f"clip-{row}" for row in range(batch)]))
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


def test_masks_depend_on_seed_step_and_id_alone():
    config = AugmentConfig()
    torch.manual_seed(1)
    first = covered(config)
    torch.manual_seed(2)
    assert torch.equal(covered(config), first)
    assert not torch.equal(covered(config, seed=1), first)
    masks = draw_masks(config, 0, 3, ["a", "b", "c"])
    assert masks.shape == (3, 4, 2)
    assert torch.equal(draw_masks(config, 0, 3, ["c", "a"]), masks[[2, 0]])
    assert not torch.equal(draw_masks(config, 0, 4, ["a"]), masks[:1])


def test_masks_wider_than_the_spectrogram():
    config = AugmentConfig(frequency_mask_bins=1000, time_mask_ms=1e6)
    masks = draw_masks(config, 0, 0, ["a", "b", "c", "d"])
    assert torch.isfinite(spec_augment(torch.randn(4, 1, 3, 5), config, HOP_MS, masks)).all()


def test_no_masks_change_nothing():
    assert not covered(AugmentConfig(frequency_masks=0, time_masks=0)).any()
