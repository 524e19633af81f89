"""The average that looks back only, against a loop."""

import pytest
import torch

from drsn_audio.nn.causal import CausalMean, causal_mean


@pytest.mark.parametrize("average_frequency", [True, False])
def test_causal_mean_against_a_loop(average_frequency):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 4, 7, generator=generator, dtype=torch.float64)
    module = CausalMean(3, average_frequency).double()
    with torch.no_grad():
        module.log_prior.copy_(torch.tensor([-2.0, 0, 1]).view(3, 1, 1))
        module.log_prior_frames.copy_(torch.tensor([1.0, 2, 3]).view(3, 1, 1))
    prior, weight = module.log_prior.exp().flatten(1), module.log_prior_frames.exp().flatten(1)  # [C, 1]

    total, expected = prior * weight, []
    for t in range(7):
        frame = x[..., t].mean(2, keepdim=True) if average_frequency else x[..., t]
        total = total + frame
        expected.append(total / (weight + t + 1))
    torch.testing.assert_close(module(x), torch.stack(expected, 3))


def test_by_hand_and_from_the_prior_to_the_data():
    """Prior 10 worth 2 frames, then ones: (20 + 1) / 3, (20 + 2) / 4, ... and at last 1."""
    x = torch.ones(1, 1, 1, 20_000)
    mean = causal_mean(x, torch.tensor(10.0), torch.tensor(2.0)).flatten()
    assert mean[:3].tolist() == pytest.approx([7, 5.5, 23 / 5])
    assert mean[-1].item() == pytest.approx(1, abs=1e-3)


def test_prior_and_its_weight_are_learned():
    module = CausalMean(2, average_frequency=False)
    module(torch.rand(1, 2, 3, 4)).square().sum().backward()
    assert all((p.grad != 0).all() for p in module.parameters())
