"""Alphas are what the thresholds are made of, and asking for them changes nothing."""

import numpy as np
import pytest
import torch

from drsn_audio.config import load_config
from drsn_audio.evaluation.alphas import alpha_name, block_alphas, in_eval_mode, mean_alphas
from drsn_audio.models.model import AudioModel

BASE = ["model.preset=10k", "model.frontend.name=logmel", "model.clip_s=0.5", "model.labels=[low,mid,high]"]


def model_of(*overrides):
    torch.manual_seed(0)
    model = AudioModel(load_config(None, [*BASE, *overrides]).model).eval()
    for parameter in model.parameters():  # else some begin at 0, and alphas at one half
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def waves(rows=2, samples=8000):
    """Hiss, each row at a level of its own."""
    hiss = torch.randn(rows, samples, generator=torch.Generator().manual_seed(1))
    return hiss * torch.logspace(-3, 0, rows)[:, None]


def seen(model, wave):
    """By block: the shrinkage, what it hears and what it gives."""
    found = {}

    def keep(name):
        return lambda module, inputs, output: found.update({name: (module, inputs[0], output)})

    hooks = [
        block.register_forward_hook(keep(name.removesuffix(".shrinkage")))
        for name, block in model.named_modules()
        if name.endswith(".shrinkage")
    ]
    with torch.inference_mode():
        model(wave)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    ("shrinkage", "dim"), [("cw", (2, 3)), ("cw-frequency", (3,)), ("cs", (1, 2, 3))], ids=lambda value: str(value)
)
def test_alpha_times_the_mean_magnitude_is_the_threshold(shrinkage, dim):
    model = model_of(f"model.shrinkage={shrinkage}")
    alphas, blocks = block_alphas(model, waves()), seen(model, waves())
    assert list(alphas) == list(blocks) != []
    for name, (module, x, y) in blocks.items():
        alpha, magnitude = alphas[name], x.abs().mean(dim, keepdim=True)
        torch.testing.assert_close(alpha * magnitude, module.threshold(x))
        tau = (alpha * magnitude).expand_as(x)
        torch.testing.assert_close(y, x.sign() * (x.abs() - tau).clamp(min=0))
        assert ((alpha > 0) & (alpha < 1)).all()
        assert alpha.std() > 1e-4


def test_a_gate_is_what_is_multiplied_by():
    model = model_of("model.shrinkage=se-frequency")
    alphas, blocks = block_alphas(model, waves()), seen(model, waves())
    assert list(alphas) == list(blocks)
    for name, (_, x, y) in blocks.items():
        torch.testing.assert_close(alphas[name] * x, y)
    assert alpha_name(model) == "gate"


def test_shapes_and_names():
    model = model_of("model.shrinkage=cw-frequency", "model.pool=causal", "model.width=8", "model.blocks=[1,2]")
    alphas = block_alphas(model, waves(3))
    shapes = {name: tuple(alpha.shape) for name, alpha in alphas.items()}
    assert shapes == {
        "encoder.stages.0.0": (3, 8, 20, 26),
        "encoder.stages.1.0": (3, 16, 10, 13),
        "encoder.stages.1.1": (3, 16, 10, 13),
    }
    assert alpha_name(model) == "alpha"


@pytest.mark.parametrize("overrides", [["model.shrinkage=none"], ["model.preset=bc-resnet-1"]])
def test_where_nothing_shrinks_there_are_none(overrides):
    model = model_of(*overrides)
    assert (block_alphas(model, waves()), alpha_name(model), mean_alphas(model, [waves()])) == ({}, "", {})


def test_lengths_are_heard():
    model = model_of("model.shrinkage=cw")
    wave = waves(1)
    longer = torch.cat([wave, torch.randn(1, 8000)], 1)
    alone, padded = block_alphas(model, wave), block_alphas(model, longer, torch.tensor([8000]))
    for name, alpha in alone.items():
        torch.testing.assert_close(alpha, padded[name], rtol=0, atol=1e-5)


def test_means_are_over_utterances_and_all_axes():
    model = model_of("model.shrinkage=cw-frequency")
    both = [waves(2), 0.1 * waves(2, 4000)]
    found = mean_alphas(model, both)
    for name, means in found.items():
        by_hand = [block_alphas(model, wave)[name].mean((1, 2, 3)) for wave in both]
        np.testing.assert_allclose(means, (by_hand[0] + by_hand[1]) / 2, rtol=1e-6)
        assert means.shape == (2,)


def test_the_model_is_left_as_it_was():
    model = model_of("model.shrinkage=cw")
    model.train()
    model.encoder.stem.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    block_alphas(model, waves())
    with pytest.raises(RuntimeError):
        block_alphas(model, torch.zeros(1, 1, 1, 4000))
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_modes_come_back_after_an_error():
    model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU().eval())

    def fail():
        with in_eval_mode(model):
            raise KeyError(model.training)

    with pytest.raises(KeyError, match="False"):
        fail()
    assert [module.training for module in model.modules()] == [True, True, False]
