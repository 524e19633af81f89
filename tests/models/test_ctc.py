"""The CTC head: its loss on cases worked by hand, windows, priors, the middle of the mixer; sizes of its presets."""

import math

import pytest
import torch

from drsn_audio.config import PRESETS, ConfigError, config_from_dict
from drsn_audio.decoding.units import CHARACTERS
from drsn_audio.models.heads.ctc import allowed_labels, ctc_loss
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters

THIRDS = torch.full((1, 2, 3), 1 / 3).log()  # two frames, three labels, each as probable
ALL = torch.tensor([2])


def build(**model) -> AudioModel:
    torch.manual_seed(0)
    given = {"preset": "ctc-500k", "head": "ctc", "units": "characters", "labels": CHARACTERS, **model}
    return AudioModel(config_from_dict({"model": given}).model)


def test_presets_have_the_size_of_their_names():
    sizes = {"ctc-500k": 5e5, "ctc-1m": 1e6, "ctc-3m": 3e6, "ctc-10m": 1e7, "ctc-30m": 3e7}
    assert sizes.keys() == {name for name in PRESETS if name.startswith("ctc")}
    costs = []
    for preset, parameters in sizes.items():
        model = build(preset=preset)
        assert count_parameters(model) == pytest.approx(parameters, rel=0.1)
        assert model.block == 640
        costs.append(count_multiply_adds(model))
    assert costs == sorted(set(costs))


def test_loss_by_hand():
    """Of nine paths of two frames three read "1": 1 1, 1 -, - 1."""
    assert ctc_loss(THIRDS, ALL, torch.tensor([[1]])) == pytest.approx(math.log(3))
    assert ctc_loss(THIRDS, ALL, torch.tensor([[1, 2]])) == pytest.approx(math.log(9) / 2)  # one path, two labels
    assert ctc_loss(THIRDS, ALL, torch.tensor([[-1, -1]])) == pytest.approx(math.log(9))  # blanks alone


def test_loss_is_a_label_s_whatever_the_batch():
    two = THIRDS.expand(2, -1, -1)
    rows = ctc_loss(two, torch.tensor([2, 2]), torch.tensor([[1, -1], [1, 2]]))
    assert rows == pytest.approx((math.log(3) + math.log(9)) / 3)


def test_more_labels_than_frames_count_as_nothing():
    """Equal labels need a blank between them: three frames."""
    logits = THIRDS.clone().requires_grad_()
    loss = ctc_loss(logits, ALL, torch.tensor([[1, 1]]))
    loss.backward()
    assert loss == 0
    assert logits.grad.isfinite().all()


def test_windows_leave_blank_and_each_target_in_its_time():
    targets, windows = torch.tensor([[1, 2, 1], [3, -1, -1]]), torch.full((2, 3, 2), -1)
    windows[0] = torch.tensor([[0, 1], [2, 2], [4, 4]])
    allowed = allowed_labels(targets, windows, 5, 4)
    assert allowed[0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 2], [3, 0], [4, 0], [4, 1]]
    assert allowed[1, :, 3].all()  # not told when
    assert not allowed[1, :, 1:3].any()


def test_a_window_leaves_one_path_of_three():
    model = build().train()
    logits = torch.zeros(1, 2, len(CHARACTERS))
    loss = model.head.loss(logits, None, torch.tensor([[1]]), windows=torch.tensor([[[1, 1]]]))
    assert loss["ctc"] == pytest.approx(2 * math.log(len(CHARACTERS)), rel=1e-5)  # - 1 alone
    assert model.head.loss(logits, None, torch.tensor([[1]]))["ctc"] < loss["ctc"]


def test_label_prior_learns_what_the_model_gives_and_lowers_blank():
    model = build().train()
    logits = torch.zeros(4, 50, len(CHARACTERS))
    logits[..., 0] = 6.0  # blank almost always
    target = torch.tensor([[5, 6]]).expand(4, -1)
    plain = model.head.loss(logits, None, target)["ctc"]
    assert not model.head.log_prior.any()
    model.head.loss(logits, None, target, label_prior=0.5)
    torch.testing.assert_close(model.head.log_prior.exp(), logits[0, 0].softmax(-1))
    assert model.head.loss(logits, None, target, label_prior=0.5)["ctc"] < plain


def test_intermediate_loss_reaches_the_middle_of_the_mixer_alone():
    model = build(intermediate_ctc=0.3).train()
    wave, target = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)), torch.tensor([[3, 4], [5, -1]])
    logits = model(wave)
    assert logits.shape == (2, 2, 25, len(CHARACTERS))
    losses = model.head.loss(logits, None, target)
    assert losses.keys() == {"intermediate_ctc", "ctc"}
    losses["intermediate_ctc"].backward()
    reached = [
        any(p.grad is not None and p.grad.any() for p in block.parameters()) for block in model.head.mixer.blocks
    ]
    assert reached == [True, True, False, False]
    assert model.eval()(wave).shape == (2, 25, len(CHARACTERS))


@pytest.mark.parametrize("dilations", [[1, 2, 4], [8]])
def test_the_mixer_of_a_causal_model_sees_as_far_back_as_its_dilations_and_no_frame_ahead(dilations):
    """Two kernels of three frames a block: 4 times the sum of the dilations. Behind a front-end and shrinkage without
    memory, what a frame sees is the 2-D part's few frames and that.
    """
    model = build(pool="causal", mixer=dilations, shrinkage="none", frontend={"name": "logmel"}).eval()
    x = torch.randn(1, *model.encoder.levels[-1], 60, generator=torch.Generator().manual_seed(1))
    x.requires_grad_()
    from drsn_audio.memory import Memory
    from drsn_audio.models.encoder import Features

    _, end = model.head.mixer(Features([x], None), Memory())
    end[..., 40].square().sum().backward()
    seen = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert seen.max() == 40
    assert seen.min() == 40 - 4 * sum(dilations) if 4 * sum(dilations) <= 40 else seen.min() == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"labels": ["a", "b"]}, "begin with '<blank>'"),
        ({"labels": []}, "begin with '<blank>'"),
        ({"units": "letters"}, "model.units='letters'"),
        ({"mixer": [0]}, "dilations"),
        ({"encoder": "bc-resnet", "blocks": [2, 2, 4, 4], "width": 8}, "encoder"),
    ],
)
def test_what_cannot_be_built_is_refused(wrong, told):
    with pytest.raises((ConfigError, ValueError), match=told):
        build(**wrong)
