"""What a model takes over from the one that its training starts from."""

import dataclasses

import pytest
import torch

from drsn_audio.config import ConfigError
from drsn_audio.decoding.units import CHARACTERS
from drsn_audio.labels import BLANK
from drsn_audio.models.checkpoint import load_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.training.start import start_from


def fresh(config, **changes):
    return AudioModel(dataclasses.replace(config.model, **changes))


def test_equal_labels_take_every_weight(run, config):
    trained, _ = load_checkpoint(run / "best.json")
    model = fresh(config)
    assert start_from(model, str(run)) == config.model.labels
    for name, value in trained.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_other_labels_keep_the_encoder_and_the_rows_that_both_know(run, config):
    trained, _ = load_checkpoint(run / "best.json")  # low, mid, high, silence
    model = fresh(config, labels=["silence", "open gate", "low", "close gate", "mid"], clip_s=1.2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert start_from(model, str(run / "best.json")) == ["silence", "low", "mid"]
    after, old = model.state_dict(), trained.state_dict()
    for name in ("head.linear.weight", "head.linear.bias"):
        assert torch.equal(after[name][[0, 2, 4]], old[name][[3, 0, 1]])  # silence, low, mid
        assert torch.equal(after[name][[1, 3]], before[name][[1, 3]])
    for name in old.keys() - {"head.linear.weight", "head.linear.bias"}:
        assert torch.equal(after[name], old[name]), name


def test_what_both_know_is_answered_as_before(run, config):
    """As many labels in another order: not rows by number, but by name."""
    trained, _ = load_checkpoint(run / "best.json")
    model = fresh(config, labels=["mid", "silence", "low", "gate"])
    start_from(model, str(run))
    wave = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(wave)[:, [2, 0, 1]], trained(wave)[:, [0, 1, 3]])


def test_other_layers_are_refused(run, config):
    with pytest.raises(ConfigError, match=r"another model \(shrinkage differ\)"):
        start_from(fresh(config, shrinkage="none"), str(run))


def test_a_model_that_writes_letters_starts_from_one_that_writes_words(config, tmp_path):
    size = {"head": "ctc", "width": 4, "mixer_width": 8, "mixer": [1, 2], "time_reduction": 4}
    words = fresh(config, **size, labels=[BLANK, "A", "GO"])
    save_checkpoint(tmp_path, "best", words, step=1, info={})
    letters = fresh(config, **size, units="characters", labels=CHARACTERS)
    assert start_from(letters, str(tmp_path)) == [BLANK, "A"]
    old, new = words.state_dict(), letters.state_dict()
    assert torch.equal(new["head.linear.weight"][[0, CHARACTERS.index("A")]], old["head.linear.weight"][[0, 1]])
    assert torch.equal(new["head.mixer.join.weight"], old["head.mixer.join.weight"])
