import pytest
import torch

from drsn_audio.errors import InputError
from drsn_audio.export.step import StreamStep, without_norms
from drsn_audio.frontends import FRONTENDS
from drsn_audio.nn.shrinkage import SHRINKAGES

from .conftest import WRITES, causal_model


def through_steps(step, wave):
    state = [value.repeat(len(wave), *[1] * (value.dim() - 1)) for value in step.beginning.values()]
    logits = []
    for block in wave.split(step.samples, dim=1):
        answer, *state = step(block, *state)
        logits.append(answer[:, None] if step.blocks == 1 else answer)
    return torch.cat(logits, dim=1)


@pytest.mark.parametrize("settings", [
    *({"shrinkage": name} for name in SHRINKAGES),
    *({"frontend": {"name": name}} for name in FRONTENDS if name != "spectrogram"),
    {"pool": "causal-cumulative", "frontend": {"name": "logmel", "norm": "causal"}},
    WRITES,
    {"mixer_width": 8, "mixer": [1, 2], "gate_reduction": 4},
])  # fmt: skip
@torch.no_grad()
def test_steps_without_norms_give_what_the_model_gives_at_once(settings):
    model = causal_model(**settings)
    wave = 0.1 * torch.randn(2, 12 * model.block, generator=torch.Generator().manual_seed(1))
    logits = model(wave)
    torch.testing.assert_close(through_steps(StreamStep(without_norms(model)), wave), logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(through_steps(StreamStep(without_norms(model), 4), wave), logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(model(wave), logits, rtol=0, atol=0)  # the model itself was left as it was


def test_what_has_no_step_is_refused():
    with pytest.raises(InputError, match="export a causal one"):
        StreamStep(causal_model(pool="clip"))
    for blocks in (0, 33):
        with pytest.raises(InputError, match=f"a step of {blocks} blocks: give 1 to 32"):
            StreamStep(causal_model(), blocks)
