"""The DRSN thresholds against the paper, written out, and against the mistakes of known re-implementations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck

from drsn_audio.nn.causal import POOLS, Pooling
from drsn_audio.nn.shrinkage import SHRINKAGES, ChannelSharedShrinkage, ChannelWiseShrinkage

C, F, T = 4, 3, 6
DRSN = ("cs", "cw", "cw-frequency")


class Literal(nn.Module):
    """Figures 4(b) and 6(b) of Zhao et al. 2020: |x|, global average, FC-BN-ReLU-FC-sigmoid, times the average."""

    def __init__(self, channels: int, shared: bool):
        super().__init__()
        self.shared = shared
        self.fc1, self.bn = nn.Linear(channels, channels), nn.BatchNorm1d(channels)
        self.fc2 = nn.Linear(channels, 1 if shared else channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        average = x.abs().flatten(2).mean(2)  # [B, C]
        alpha = torch.sigmoid(self.fc2(torch.relu(self.bn(self.fc1(average)))))
        tau = alpha * (average.mean(1, keepdim=True) if self.shared else average)
        tau = tau[:, :, None, None]
        return torch.sign(x) * torch.maximum(x.abs() - tau, torch.zeros_like(x))


def build(name: str, pool: str = "clip", seed: int = 0, channels: int = C, bins: int = F) -> nn.Module:
    """A shrinkage in float64, its BatchNorm with statistics and weights away from their first values."""
    torch.manual_seed(seed)
    module = SHRINKAGES[name](channels, Pooling(pool, 4.0, bins)).double()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value, low in (
                (part.running_mean, -0.5),
                (part.running_var, 0.5),
                (part.weight, 0.5),
                (part.bias, -0.5),
            ):
                nn.init.uniform_(value, low, low + 1)
    return module


def signal(seed: int = 0, batch: int = 5, offset: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    channel_gain = torch.tensor([0.1, 1.0, 3.0, 0.5], dtype=torch.float64)[:, None, None]
    return torch.randn(batch, C, F, T, generator=generator, dtype=torch.float64) * channel_gain + offset


def copy_weights(module: nn.Module, reference: Literal) -> None:
    gate = module.gate
    for ours, theirs in ((gate.fc1, reference.fc1), (gate.fc2, reference.fc2)):
        theirs.weight.data.copy_(ours.weight.flatten(1))
        theirs.bias.data.copy_(ours.bias)
    reference.bn.load_state_dict(gate.bn.state_dict())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kind", "shared"), [(ChannelWiseShrinkage, False), (ChannelSharedShrinkage, True)])
def test_equals_the_paper(kind, shared, training):
    module = build("cs" if shared else "cw").train(training)
    assert type(module) is kind
    reference = Literal(C, shared).double().train(training)
    copy_weights(module, reference)
    x = signal()
    torch.testing.assert_close(module(x), reference(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(module.gate.bn.running_var, reference.bn.running_var)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(DRSN),
    pool=st.sampled_from(POOLS),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.0, 1e-6, 1.0, 1e6]),
    offset=st.sampled_from([-1e3, 0.0, 2.0]),
    training=st.booleans(),
)
def test_a_threshold_lies_between_zero_and_the_mean_magnitude(name, pool, seed, scale, offset, training):
    module = build(name, pool, seed).train(training)
    x = signal(seed, offset=offset) * scale
    average = module.pool(x.abs(), None)
    if name == "cs":
        average = average.mean(1, keepdim=True)
    tau = module.threshold(x)
    assert (tau >= 0).all()
    assert (tau <= average * (1 + 1e-12)).all()
    if scale == 1:
        assert (tau > 0).all()


@pytest.mark.parametrize("name", DRSN)
def test_the_mean_is_of_the_magnitude(name):
    """Averaging x instead of |x| gives negative thresholds on a negative map: here x and -x are thresholded alike."""
    module = build(name).eval()
    x = signal(offset=-4)
    assert (module.threshold(x) > 0).all()
    torch.testing.assert_close(module(x), -module(-x))


@pytest.mark.parametrize("name", DRSN)
def test_the_fully_connected_path_is_normalised(name):
    """In training BatchNorm takes out the scale of A: the factor alpha stays, tau and the output scale with x."""
    module = build(name).train()
    x = signal() * 100
    torch.testing.assert_close(module.threshold(7 * x), 7 * module.threshold(x), rtol=1e-5, atol=0)
    torch.testing.assert_close(module(7 * x), 7 * module(x), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", DRSN)
def test_the_threshold_is_scaled_by_the_mean(name):
    """With alpha held at one half, tau is half the mean of |x|, at every scale and in eval mode too."""
    module = build(name).eval()
    nn.init.zeros_(module.gate.fc2.weight)
    nn.init.zeros_(module.gate.fc2.bias)
    x = signal()
    average = x.abs().mean({"cs": (1, 2, 3), "cw": (2, 3), "cw-frequency": 3}[name], keepdim=True)
    torch.testing.assert_close(module.threshold(x), average / 2)
    torch.testing.assert_close(module(1000 * x), 1000 * module(x))


@pytest.mark.parametrize("name", [*SHRINKAGES])
def test_negative_values_survive(name):
    """A ReLU before the shrinkage would leave none."""
    x = signal()
    assert (build(name).eval()(x) < 0).any(dim=(2, 3)).any(1).all()


@pytest.mark.parametrize(
    ("name", "shape"),
    [("cs", (5, 1, 1, 1)), ("cw", (5, C, 1, 1)), ("cw-frequency", (5, C, F, 1))],
)
def test_each_sample_has_thresholds_of_its_own(name, shape):
    """Changing one clip changes its own thresholds only, and clips that differ have different ones."""
    module = build(name).eval()
    x = signal()
    tau = module.threshold(x)
    assert tau.shape == shape
    assert (tau[0] != tau[1]).all()
    louder = x.clone()
    louder[2] *= 3
    changed = (module.threshold(louder) != tau).flatten(1)
    assert changed[2].all()
    assert not changed[[0, 1, 3, 4]].any()


def test_channel_wise_averages_are_over_frequency_and_time_alone():
    """A channel's A does not depend on other channels: with alpha held, one louder channel moves one threshold."""
    module = build("cw").eval()
    nn.init.zeros_(module.gate.fc2.weight)
    x = signal(batch=1)
    louder = x.clone()
    louder[:, 1] *= 2
    ratio = (module.threshold(louder) / module.threshold(x)).flatten()
    torch.testing.assert_close(ratio, torch.tensor([1.0, 2, 1, 1], dtype=torch.float64))


def test_channel_shared_sees_every_channel():
    """Two inputs of equal mean over channels but another spread get another factor."""
    module = build("cs").eval()
    x = torch.ones(2, C, F, T, dtype=torch.float64)
    x[1, 0], x[1, 1] = 0.25, 1.75
    first, second = module.threshold(x).flatten().tolist()
    assert first != pytest.approx(second, rel=1e-6)


def test_thresholds_differ_by_frequency():
    """Noise in one band raises the threshold there; with alpha held, the other bands keep theirs."""
    module = build("cw-frequency").eval()
    nn.init.zeros_(module.gate.fc2.weight)
    x = signal(batch=1)
    noisy = x.clone()
    noisy[:, :, 1] *= 5
    ratio = module.threshold(noisy) / module.threshold(x)
    torch.testing.assert_close(ratio, torch.tensor([1.0, 5, 1], dtype=torch.float64).view(1, 1, F, 1).expand_as(ratio))
    assert module.threshold(x).unique().numel() == C * F


@pytest.mark.parametrize("name", [*SHRINKAGES])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("training", [True, False])
def test_padding_enters_no_average(name, pool, training):
    """Valid frames come out the same whatever stands beyond a length, and as they do without the padding."""
    module = build(name, pool).train(training)
    statistics = {key: value.clone() for key, value in module.state_dict().items()}
    mask = torch.ones(5, 1, 1, T, dtype=torch.float64)
    mask[:, :, :, 4:] = 0
    x = signal()
    padded = torch.cat([x[..., :4], torch.full((5, C, F, 2), 1e3, dtype=torch.float64)], 3)
    out = module(padded, mask)[..., :4]
    after = {key: value.clone() for key, value in module.state_dict().items()}
    module.load_state_dict(statistics)
    torch.testing.assert_close(out, module(x[..., :4], None), rtol=0, atol=1e-12)
    for key, value in module.state_dict().items():
        torch.testing.assert_close(after[key], value, msg=key)


@pytest.mark.parametrize("pool", POOLS)
def test_the_control_has_the_identical_sub_network(pool):
    def shapes(name):
        module = SHRINKAGES[name](C, Pooling(pool, 4.0, F))
        return {key: tuple(value.shape) for key, value in module.state_dict().items()}

    assert shapes("se") == shapes("gate") == shapes("cw")
    assert shapes("se-frequency") == shapes("gate-frequency") == shapes("cw-frequency")
    assert not shapes("none")


def test_squeeze_and_excitation_multiplies():
    module = build("se").eval()
    x = signal()
    ratio = module(x) / x
    assert ((ratio > 0) & (ratio < 1)).all()
    torch.testing.assert_close(ratio, ratio[..., :1, :1].expand_as(ratio))
    assert (module(-x) / -x != ratio).all()  # its statistic is the mean of x, not of |x|


@pytest.mark.parametrize(("control", "ours", "dim"), [("gate", "cw", (2, 3)), ("gate-frequency", "cw-frequency", 3)])
def test_the_gate_of_magnitudes_multiplies_by_the_alpha_of_the_threshold(control, ours, dim):
    gate, shrinkage = build(control).eval(), build(ours).eval()
    gate.load_state_dict(shrinkage.state_dict())
    x = signal()
    average = x.abs().mean(dim, keepdim=True)
    torch.testing.assert_close(gate(x), x * shrinkage.threshold(x) / average)
    torch.testing.assert_close(gate(-x), -gate(x))


@pytest.mark.parametrize("name", [*SHRINKAGES])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_in_float64(name, pool, training):
    """Of input and every parameter, padding included (2 channels, small maps: finite differences of all)."""
    module = build(name, pool, channels=2, bins=2).train(training)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(3, 2, 2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]], dtype=torch.float64)[:, None, None]
    names, values = [], []
    for key, value in module.named_parameters():
        names.append(key)
        values.append(value.detach().clone().requires_grad_())

    def call(x, *parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x, mask)) * mask

    assert gradcheck(call, (x, *values), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in SHRINKAGES if name != "none"])
@pytest.mark.parametrize(("channels", "reduction", "middle"), [(64, 1, 64), (64, 4, 16), (20, 4, 8), (6, 4, 6)])
def test_a_reduction_narrows_the_middle_of_the_gate_alone(name, channels, reduction, middle):
    """FC, BN, FC: by so many times, but to 8 channels at least. All its kinds stay of one size."""
    module = SHRINKAGES[name](channels, Pooling(), reduction)
    out = 1 if name == "cs" else channels
    parameters = (channels + 1) * middle + 2 * middle + (middle + 1) * out
    assert sum(p.numel() for p in module.parameters()) == parameters
    x = torch.randn(2, channels, 3, 7)
    assert module(x).shape == x.shape


def test_an_unknown_pool_is_named():
    with pytest.raises(ValueError, match="pool='middle' is unknown: use one of clip, causal"):
        SHRINKAGES["cw"](C, Pooling("middle"))
