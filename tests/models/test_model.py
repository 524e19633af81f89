"""The model's size, lengths and refusals."""

import pytest
import torch

from drsn_audio.config import PRESETS, ConfigError, config_from_dict
from drsn_audio.models.encoder import Features
from drsn_audio.models.heads import KeywordHead
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters

TWELVE = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "unknown", "silence"]


def build(**model) -> AudioModel:
    """Behind a front-end without parameters of its own."""
    given = {"labels": ["a", "b"], "frontend": {"name": "logmel"}, **model}
    return AudioModel(config_from_dict({"model": given}).model)


@pytest.mark.parametrize(
    ("family", "named"),
    [
        ("", {"10k": 1e4, "30k": 3e4, "100k": 1e5, "300k": 3e5, "1m": 1e6}),
        ("keyword-", {"10k": 1e4, "30k": 3e4, "100k": 1e5, "300k": 3e5}),
    ],
)
def test_presets_have_the_size_of_their_names(family, named):
    drsn = {name for name, size in PRESETS.items() if size["encoder"] == "drsn" and not name.startswith("ctc")}
    assert {family + size for size in named} == {name for name in drsn if name.startswith("keyword") == bool(family)}
    costs = []
    for size, parameters in named.items():
        model = build(preset=family + size, labels=TWELVE)
        assert model.config.shrinkage == "cw-frequency"
        assert count_parameters(model) == pytest.approx(parameters, rel=0.15)
        costs.append(count_multiply_adds(model))
    assert costs[0] > 0
    assert costs == sorted(set(costs))


@pytest.mark.parametrize(("shrinkage", "gate"), [("none", 0), ("se", 6), ("cs", 6), ("cw", 6), ("cw-frequency", 6)])
def test_parameters_by_hand(shrinkage, gate):
    """One channel, one block, 40 bins (20 after the stem), two labels; the gate is FC (2), BN (2), FC (2)."""
    model = build(width=1, blocks=[1], shrinkage=shrinkage)
    input_norm, stem, output_norm = 2 * 40, 25, 2
    block = 2 + 9 + 2 + 9 + gate
    head = 20 + (1 * 2 + 2)
    assert count_parameters(model) == input_norm + stem + block + output_norm + head


def test_multiply_adds_by_hand():
    """The same model on 1 s: 100 frames of 257 bins into 40 bands, then 20 x 50 maps; a gate of two products."""
    model = build(width=1, blocks=[1], shrinkage="cw").train()
    mel, stem, block, collapse, linear = 40 * 257 * 100, 20 * 50 * 25, 2 * 20 * 50 * 9 + 2, 20 * 50, 2
    assert count_multiply_adds(model) == mel + stem + block + collapse + linear
    assert model.training
    assert all(int(n) == 0 for key, n in model.state_dict().items() if key.endswith("num_batches_tracked"))


def test_behind_a_mixer_a_keyword_is_heard_from_all_of_the_clip():
    """Parameters by hand, of one channel, one block and a mixer of two; and what a frame of the mixer's end hears."""
    model = build(width=1, blocks=[1], shrinkage="none", mixer_width=2, mixer=[1, 2], dropout=0.5).eval()
    encoder = 2 * 40 + 25 + (2 + 9 + 2 + 9) + 2
    join, blocks, output_norm, linear = 2 * 20, 2 * (4 + 12 + 4 + 12), 4, 2 * 2 + 2
    assert count_parameters(model) == encoder + join + blocks + output_norm + linear
    torch.manual_seed(0)
    wide = build(width=1, blocks=[1], shrinkage="none", mixer_width=32, mixer=[1, 2]).eval()
    maps = torch.randn(1, 1, 20, 50).requires_grad_()
    _, end = wide.head.mixer(Features([maps], None))
    end[..., 25].sum().backward()
    assert maps.grad[0, 0].any(0).nonzero().flatten().tolist() == [*range(25 - 6, 25 + 6 + 1)]
    assert isinstance(model.head.collapse, torch.nn.Identity)
    assert model.head.dropout.p == 0.5


def test_the_mixer_of_a_joint_model_is_its_denoiser_s():
    spectrum = {"name": "log-spectrogram", "hop_ms": 16, "f_min_hz": 0}
    size = {"widths": [4, 6], "blocks": [1, 1], "mixer": [1], "stem_stride": [4, 1], "time_reduction": 1}
    joint = build(preset="10k", head="joint", pool="causal", frontend=spectrum, **size)
    assert joint.head.keyword.mixer is None


@pytest.mark.parametrize("stem_stride", [[2, 2], [2, 1], [1, 3]])
@pytest.mark.parametrize("blocks", [[1], [1, 1], [1, 2, 1]])
def test_output_lengths_are_those_of_the_logits(stem_stride, blocks):
    model = build(width=2, blocks=blocks, stem_stride=stem_stride, pool="causal").eval()
    assert model.output_lengths(None) is None
    for samples in (1, 160, 161, 1599, 1601, 5000):
        lengths = torch.tensor([samples, 1])
        with torch.no_grad():
            assert model(torch.zeros(2, samples), lengths).shape[1] == model.output_lengths(lengths)[0]
            features = model.encoder(*model.frontend(torch.zeros(2, samples), lengths))
        assert features.lengths.tolist() == model.output_lengths(lengths).tolist()
        assert len(features.levels) == len(blocks)
        assert [level.shape[1] for level in features.levels] == [2 * 2**i for i in range(len(blocks))]
        assert not features.levels[-1][1, :, :, 1:].any()  # the second clip ends after its first frame


def test_augment_sees_the_spectrogram_and_its_lengths():
    seen = []

    def silence(spectrogram, lengths):
        seen.append((tuple(spectrogram.shape), lengths.tolist()))
        return torch.zeros_like(spectrogram)

    model = build().eval()
    wave, lengths = torch.rand(2, 1600), torch.tensor([1600, 10])
    assert not torch.equal(model(wave, lengths, silence), model(wave, lengths))
    assert seen == [((2, 1, 40, 10), [10, 1])]


def test_a_causal_keyword_is_judged_at_the_end_of_its_clip():
    model = build(pool="causal")
    assert isinstance(model.head, KeywordHead)
    logits = torch.arange(12.0).view(2, 3, 2)
    assert model.head.last(logits, torch.tensor([3, 1])).tolist() == [[4, 5], [6, 7]]
    assert model.head.last(logits, None).tolist() == [[4, 5], [10, 11]]
    assert build(pool="clip").head.last(logits[:, 0], torch.tensor([3, 1])).tolist() == logits[:, 0].tolist()


def test_or_where_it_is_surest_that_somebody_spoke():
    """Silence, the second label, is least probable in frame 1 of one clip, in frame 0 of the one that ends there."""
    head = build(pool="causal", labels=["go", "silence"], clip_answer="surest").head
    logits = torch.tensor([[[0.0, 1], [5, 2], [3, 1]], [[0, 3], [9, 0], [8, 0]]])
    assert head.last(logits, torch.tensor([3, 1])).tolist() == [[5, 2], [0, 3]]
    assert head.last(logits, None).tolist() == [[5, 2], [9, 0]]


def test_keyword_loss_by_hand():
    """Equal logits of two labels cost ln 2; a certain and right answer costs nothing."""
    head = build().head
    assert head.loss(torch.zeros(3, 2), None, torch.tensor([0, 1, 0]))["cross_entropy"].item() == pytest.approx(
        0.693147
    )
    assert head.loss(torch.tensor([[99.0, 0]]), None, torch.tensor([0]))["cross_entropy"].item() == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": []}, "model.labels is empty"),
        ({"labels": ["a", "b", "a"]}, "model.labels names a word twice"),
        ({"shrinkage": "cw_frequency"}, "model.shrinkage='cw_frequency' is unknown: did you mean 'cw-frequency'"),
        ({"pool": "casual"}, "model.pool='casual' is unknown: did you mean 'causal'"),
        ({"head": "ctx"}, "model.head='ctx' is unknown"),
        ({"frontend": {"name": "mel"}}, "model.frontend.name='mel' is unknown: did you mean 'logmel'"),
        ({"frontend": {"sample_rate": 8000}}, "f_max_hz=8000"),
        ({"width": -1}, "model.width=-1"),
        ({"blocks": [1, 0]}, r"model.blocks=\[1, 0\]"),
        ({"stem_stride": [2]}, r"model.stem_stride=\[2\]"),
        ({"gate_reduction": -2}, "model.gate_reduction=-2: give 1, or how many times narrower"),
        ({"stem_kernel": 4}, "model.stem_kernel=4: give an odd number"),
    ],
)
def test_a_model_that_cannot_be_built_says_why(given, message):
    with pytest.raises(ConfigError, match=message) as raised:
        build(**given)
    assert "\n" not in str(raised.value)
