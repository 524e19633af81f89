"""What a checkpoint's JSON says of its calibration, and on how little it rests."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from drsn_audio.config import ConfigError
from drsn_audio.models import checkpoint as checkpoints
from drsn_audio.training import calibrate as module
from drsn_audio.training.calibrate import calibrate, calibration, describe_calibration, keyword_classes


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def heard(logits, targets):
    return SimpleNamespace(logits=np.array(logits, float), targets=np.array(targets))


def test_unknown_and_silence_are_no_keywords():
    assert keyword_classes(["silence", "go", "unknown", "stop"]) == [1, 3]


def test_figures_worked_by_hand():
    """A keyword and 20 unknowns, heard clean and in noise, where two unknowns are taken for it; one may be."""
    targets = [0, *[1] * 20]
    clean = [[3, 0], *[[0, 3]] * 20]
    noisy = [[1.5, 0], [2, 0], [1, 0], *[[0, 3]] * 18]
    clips = [SimpleNamespace(target=target) for target in targets]
    found = calibration([heard(clean, targets), heard(noisy, targets)], clips, ["go", "unknown"], 0.025)
    assert (found["trials"], found["conditions"], found["clips_without_keyword"]) == (42, 2, 20)
    assert found["false_accepts_before"] == pytest.approx(2 / 40)
    assert found["false_accepts"] == pytest.approx(1 / 40)  # above the one at 1 lie the one at 2 and both keywords
    assert found["misses"] == found["misses_before"] == 0
    probability = 1 / (1 + np.exp(-1 / found["temperature"]))
    assert found["reject_below"] == pytest.approx(probability)

    low, high = found["false_accepts_interval"]
    assert high - low > 0.15  # forty trials, but twenty clips
    assert found["nll"] < found["nll_before"]
    said = describe_calibration(found)
    assert "False accepts 2.5%" in said
    assert "20 clips without a keyword" in said


def test_a_rate_out_of_reach_is_said():
    targets = [0, 1]
    clips = [SimpleNamespace(target=target) for target in targets]
    found = calibration([heard([[2, 0], [3, 0]], targets)], clips, ["go", "unknown"], 0.05)
    assert (found["false_accepts"], found["misses"]) == (0, 1)
    assert "Most keywords are missed at this rate: raise train.false_accept_rate" in describe_calibration(found)


def test_a_training_that_diverged_is_told_so():
    with pytest.raises(ConfigError, match="its training diverged: lower"):
        calibration([heard([[float("nan"), 0, 0, 0]], [0])], [], ["low", "mid", "high", "silence"], 0.05)


def test_training_calibrates_its_best_checkpoint(run):
    best = json.loads((run / "best.json").read_text())["calibration"]
    assert best["trials"] == 15  # three words, clean and in two noises at two SNRs
    assert 0.1 <= best["temperature"] <= 10
    assert best["clips_without_keyword"] == 0
    assert "reject_below" not in best  # nothing to measure it on
    assert "no reject threshold" in describe_calibration(best)


def test_a_checkpoint_calibrated_anew_keeps_its_weights(copy, config):
    before = json.loads((copy / "best.json").read_text())
    data = dataclasses.replace(config.data, silence_share=0.5)
    found = calibrate(copy / "best.json", dataclasses.replace(config, data=data))
    after = json.loads((copy / "best.json").read_text())
    assert after == before | {"calibration": found}
    assert found["clips_without_keyword"] == 3
    assert found["false_accepts"] <= found["false_accept_rate"] == 0.05
    assert 0 <= found["reject_below"] <= 1
    model, info = checkpoints.load_checkpoint(copy / "best.json")
    assert info["calibration"] == found
    assert model.config.labels == config.model.labels


def test_a_checkpoint_replaced_meanwhile_is_left_alone(copy, config, monkeypatch):
    replaced = json.loads((copy / "best.json").read_text()) | {"sha256": "of other weights"}

    def run_trials(*arguments, **options):
        (copy / "best.json").write_text(json.dumps(replaced))
        return [heard([[1, 0, 0, 0]], [0])]

    monkeypatch.setattr(module, "run_trials", run_trials)
    with pytest.raises(ConfigError, match="was replaced meanwhile"):
        calibrate(copy / "best.json", config)
    assert json.loads((copy / "best.json").read_text()) == replaced
