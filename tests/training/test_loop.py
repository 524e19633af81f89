"""The training loop: it learns, it repeats itself to the bit, it leaves behind what it promises."""

import dataclasses
import json

import pytest
import torch

from drsn_audio.config import ConfigError, load_config
from drsn_audio.datasets.keyword import keyword_clips
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import run_trials
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.training import settings
from drsn_audio.training.keyword import class_log_prior
from drsn_audio.training.loop import train
from drsn_audio.training.task import RowsPlan


def weights(config, folder, **changes):
    """Last weights of two short epochs."""
    short = {"epochs": 2, "batch_size": 5, **changes}
    seed = short.pop("seed", 0)
    config = dataclasses.replace(config, run=str(folder), seed=seed, train=dataclasses.replace(config.train, **short))
    train(config)
    return load_checkpoint(folder / "last.json")[0].state_dict()


def test_it_overfits_a_few_tones(run, config):
    """Of the best epoch: what the last one is like hangs on the last bits of sixty steps. By chance 0.25 are right."""
    model, info = load_checkpoint(run / "best.json")
    store = AudioStore(16000)
    words = dataclasses.replace(config.data, silence_share=0)
    clips = keyword_clips(read_cuts(config.data.train), config.model.labels, words)
    trials = run_trials(model, clips, NoisePool(config.data.noise_train, store), store, snr_db=[20.0], draws=1, seed=0)
    assert {t.noise_kind for t in trials} == {"clean", "machinery", "street"}
    assert all(t.accuracy > 0.75 for t in trials)
    assert info["metrics"]["dev_accuracy"] > 0.8


def test_the_run_folder(run, config):
    given = load_config(run / "config.yaml")
    assert given == dataclasses.replace(config, run=str(run), seed=given.seed)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 61))
    assert lines[-1]["step"] == 60  # 9 words and 2 silences are one batch
    assert lines[-1]["best"] == max(line["dev_accuracy"] for line in lines)
    last, best = (json.loads((run / f"{name}.json").read_text()) for name in ("last", "best"))
    assert (last["step"], last["seed"], last["labels"]) == (60, given.seed, ["low", "mid", "high", "silence"])
    assert best["metrics"]["dev_accuracy"] == lines[-1]["best"]
    assert last["command"]
    assert len(list(run.glob("*.safetensors"))) == 2
    assert len(list((run / "tensorboard").glob("events.*"))) == 1


def test_the_loss_falls(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    loss = [scalar.value for scalar in events.Scalars("train/cross_entropy")]
    assert len(loss) == 6
    assert loss[-1] < 0.7 * loss[0]
    assert [scalar.step for scalar in events.Scalars("dev/accuracy")] == list(range(1, 61))


@pytest.mark.slow
def test_a_seed_fixes_every_bit(config, tmp_path):
    first = weights(config, tmp_path / "a")
    again = weights(config, tmp_path / "b")
    assert all(torch.equal(first[key], again[key]) for key in first)
    loaded = weights(config, tmp_path / "c", workers=1)
    assert all(torch.equal(first[key], loaded[key]) for key in first)
    other = weights(config, tmp_path / "d", seed=1)
    assert not torch.equal(first["head.linear.weight"], other["head.linear.weight"])


def test_max_steps_stops_and_saves(config, tmp_path):
    weights(config, tmp_path, max_steps=1)
    assert json.loads((tmp_path / "best.json").read_text())["step"] == 1


def test_a_plan_names_epoch_and_index():
    plan = RowsPlan(7, batch_size=3, seed=0)
    batches = plan.batches(4)
    assert len(batches) == plan.steps(1) == 2
    assert sorted(index for batch in batches for _, index in batch) == list(range(7))
    assert {epoch for batch in batches for epoch, _ in batch} == {4}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("device", "gpu", "one of auto, cpu, cuda, mps"),
        ("precision", "fp8.5", "train.precision=fp8.5"),
        ("epochs", 0, "train.epochs=0"),
        ("batch_size", 1, "train.batch_size=1"),
    ],
)
def test_settings_that_cannot_train(config, tmp_path, key, value, message):
    with pytest.raises(ConfigError, match=message):
        weights(config, tmp_path / "run", **{key: value})


def test_a_device_that_is_not_here(config, tmp_path, monkeypatch):
    monkeypatch.setitem(settings.DEVICES, "cuda", lambda: False)
    with pytest.raises(ConfigError, match=r"device=cuda: torch finds none here"):
        weights(config, tmp_path / "run", device="cuda")


def test_data_that_is_not_there_leaves_the_run_folder_alone(config, tmp_path):
    nothing = dataclasses.replace(config, data=dataclasses.replace(config.data, train=[]))
    with pytest.raises(ManifestError, match="no manifest is given"):
        weights(nothing, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_log_prior_is_that_of_the_clips(task, config):
    clips = keyword_clips(read_cuts([task.train]), ["low", "mid", "high", "other"], config.data)  # three of each word
    expected = torch.tensor([3, 3, 3, 1]) / len(clips)  # no clip counts as one
    torch.testing.assert_close(class_log_prior(clips, 4), expected.log())


def test_adjusted_logits_pay_for_rare_classes(config):
    """A model that says nothing is told to say what the prior does not: the gradient lifts the rare class most."""
    head = AudioModel(config.model).head
    prior = torch.tensor([0.7, 0.1, 0.1, 0.1])
    for adjustment, expected in ((None, 0.25), (prior.log(), 0.1)):
        logits = torch.zeros(1, 4, requires_grad=True)
        head.loss(logits, None, torch.tensor([1]), log_prior=adjustment)["cross_entropy"].backward()
        assert logits.grad[0, 1] == pytest.approx(expected - 1, abs=1e-6)
