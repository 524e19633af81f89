"""BC-ResNet: the published sizes, what a logit can hear, what a block adds up, and what it refuses."""

import pytest
import torch
from torch import nn

from drsn_audio.config import PRESETS, ConfigError, ModelConfig, config_from_dict
from drsn_audio.models.bcresnet import BroadcastedBlock
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters

TWELVE = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "unknown", "silence"]


def build(preset: str = "bc-resnet-1", **model) -> AudioModel:
    torch.manual_seed(0)
    return AudioModel(
        config_from_dict({"model": {"preset": preset, "labels": TWELVE, "frontend": {"name": "logmel"}, **model}}).model
    )


@pytest.mark.parametrize(
    ("tau", "thousands"), [("1", 9.2), ("1.5", 17.2), ("2", 27.3), ("3", 54.2), ("6", 188), ("8", 321)]
)
def test_parameters_are_the_published_ones(tau, thousands):
    """Table 3 of arXiv:2106.04140: three digits."""
    assert count_parameters(build(f"bc-resnet-{tau}")) / 1000 == pytest.approx(
        thousands, abs=0.5 if tau > "5" else 0.05
    )


def test_parameters_by_hand():
    """BC-ResNet-4 is not in the paper; the sum of its Table 1 with channels times four."""

    def stage(channels_in, channels, count):
        frequency, temporal = 3 + 2 * 5, 3 + 2  # a kernel and a norm, of five bands or of one
        blocks = count * (channels * (frequency + temporal) + channels * channels)
        return channels_in * channels + 2 * channels + blocks

    stem = 64 * 25 + 2 * 64
    stages = stage(64, 32, 2) + stage(32, 48, 2) + stage(48, 64, 4) + stage(64, 80, 4)
    head = 80 * 25 + 80 * 128 + 2 * 128 + 128 * 12 + 12
    assert count_parameters(build("bc-resnet-4")) == stem + stages + head == 89_884


def test_multiply_adds_by_hand():
    """BC-ResNet-1 on 1 s: 100 frames, of 257 bins into 40 bands, then Table 1 row by row."""

    def stage(channels_in, channels, bins_in, bins, count):
        block = channels * (3 * bins + 3) + channels * channels  # the pointwise convolution is 1-D
        return channels_in * channels * bins_in + count * block

    stages = stage(16, 8, 20, 20, 2) + stage(8, 12, 20, 10, 2) + stage(12, 16, 10, 5, 4) + stage(16, 20, 5, 5, 4)
    frame = 40 * 257 + 16 * 20 * 25 + stages + 20 * 25 + 20 * 32
    assert count_multiply_adds(build()) == 100 * frame + 32 * 12


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("bc-resnet-")])
def test_one_word_selects_it(name):
    """From a file and from the dataclass alike; tau stands in the name."""
    config = config_from_dict({"model": {"preset": name}}).model
    assert config == ModelConfig(preset=name)
    assert (config.encoder, config.shrinkage, config.width) == ("bc-resnet", "", 8 * float(name.rpartition("-")[2]))


def test_a_feature_hears_58_frames_to_each_side():
    """Stem 2, blocks 2 x 1 + 2 x 2 + 4 x 4 + 4 x 8, last kernel 2: dilations are where the paper has them."""
    encoder = build().double().eval().encoder
    spectrogram = torch.randn(1, 1, 40, 161, dtype=torch.float64, requires_grad=True)
    encoder(spectrogram).levels[-1][0, :, 0, 80].sum().backward()
    heard = spectrogram.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert heard.tolist() == list(range(80 - 58, 80 + 58 + 1))


def test_maps_have_the_published_shapes():
    """Table 1: 16 x 20, then 8 x 20, 12 x 10, 16 x 5, 20 x 5, then 32 x 1; time stays."""
    encoder, shapes = build().eval().encoder, []
    for part in (encoder.stem, *encoder.blocks):
        part.register_forward_hook(lambda _module, _given, out: shapes.append(tuple(out.shape[1:])))
    features = encoder(torch.randn(1, 1, 40, 33))
    assert list(dict.fromkeys(shapes)) == [(16, 20, 33), (8, 20, 33), (12, 10, 33), (16, 5, 33), (20, 5, 33)]
    assert [level.shape for level in features.levels] == [(1, 32, 1, 33)]
    assert encoder.levels[-1] == (32, 1)


@pytest.mark.parametrize("channels_in", [4, 6])
def test_a_block_adds_what_the_paper_adds(channels_in):
    """y = ReLU([x +] f2 + broadcast(f1)); a convolution in time of zero weights leaves f1 = 0."""
    torch.manual_seed(0)
    block = BroadcastedBlock(channels_in, 4, stride=1, dilation=2, dropout=0.1).eval()
    x = torch.randn(2, channels_in, 10, 7)
    local = block.frequency_norm(block.frequency(x if channels_in == 4 else block.widen_norm(block.widen(x)).relu()))
    shortcut = x if channels_in == 4 else 0
    residual = block(x, None)
    nn.init.zeros_(block.pointwise.weight)
    torch.testing.assert_close(block(x, None), (shortcut + local).relu())
    assert (residual != (shortcut + local).relu()).any()


def test_what_is_learned_in_time_is_the_same_in_every_bin():
    """The temporal part is broadcast: it moves all bins of a channel by one amount."""
    torch.manual_seed(0)
    block = BroadcastedBlock(4, 4, stride=1, dilation=1, dropout=0.0).eval()
    x = torch.rand(1, 4, 10, 7) + 5  # so that the ReLU at the end lets everything through
    with_time = block(x, None)
    nn.init.zeros_(block.pointwise.weight)
    moved = with_time - block(x, None)
    torch.testing.assert_close(moved, moved[:, :, :1].expand_as(moved), rtol=0, atol=1e-5)
    assert moved.abs().max() > 1e-3


def test_dropout_takes_whole_channels():
    """Of the temporal part, over all its frames (and never at use)."""
    block = BroadcastedBlock(4, 4, stride=1, dilation=1, dropout=0.5)
    seen = []
    block.dropout.register_forward_hook(lambda _module, _given, out: seen.append(out))
    torch.manual_seed(0)
    block(torch.randn(8, 4, 10, 7), None)
    block.eval()(torch.randn(8, 4, 10, 7), None)
    kept = (seen[0] != 0).float().mean(3)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert (seen[1] != 0).all()


def test_the_loudness_of_the_front_end_does_not_matter_in_training():
    """The input is standardised per bin, with nothing trained: gains and offsets of the bins change no logit."""
    model = build(dropout=0.0).train()
    assert not [name for name, _ in model.named_parameters() if name.startswith("encoder.input_norm")]
    spectrogram = torch.randn(4, 1, 40, 30)
    other = 3 * spectrogram + torch.linspace(-9, 2, 40)[:, None]
    torch.testing.assert_close(
        model.encoder(other).levels[-1], model.encoder(spectrogram).levels[-1], rtol=0, atol=1e-3
    )


def test_output_lengths_are_frames():
    model = build().eval()
    assert model.output_lengths(None) is None
    assert model.output_lengths(torch.tensor([1, 160, 161, 16000])).tolist() == [1, 1, 2, 100]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pool": "causal"}, "model.pool='causal': bc-resnet hears whole clips: set clip"),
        ({"shrinkage": "cw"}, "model.shrinkage='cw': bc-resnet has none"),
        ({"frontend": {"n_mels": 64}}, "model.frontend.n_mels=64: bc-resnet is made for 40"),
        ({"blocks": [1, 1, 1]}, r"model.blocks=\[1, 1, 1\]: bc-resnet has four stages"),
        ({"width": 9}, "model.width=9: bc-resnet's is even"),
        ({"encoder": "bcresnet"}, "model.encoder='bcresnet' is unknown: did you mean 'bc-resnet'"),
    ],
)
def test_a_model_that_cannot_be_built_says_why(given, message):
    with pytest.raises(ConfigError, match=message) as raised:
        build(**given)
    assert "\n" not in str(raised.value)


def test_training_in_channels_last_is_the_same():
    """Output and gradients: it has its own way to add over frequency."""
    block, x = BroadcastedBlock(4, 4, 1, 2, 0.0).double(), torch.randn(2, 4, 10, 7, dtype=torch.double)
    found = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        y = block.to(memory_format=memory_format)(given := x.to(memory_format=memory_format).requires_grad_(), None)
        assert y.is_contiguous(memory_format=memory_format)
        found.append((y, *torch.autograd.grad((y * torch.arange(7)).sum(), [given, *block.parameters()])))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
