"""A training that is killed goes on as if it had not been: at any step, in the middle of one, while a checkpoint is
written, with the disk full, by a signal; and it says so where it cannot.
"""

import dataclasses
import errno
import gzip
import importlib
import json
import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from drsn_audio import files
from drsn_audio.config import ConfigError, TrainConfig, config_to_yaml
from drsn_audio.datasets.keyword import TrainingClips
from drsn_audio.datasets.sharding import shard_cuts
from drsn_audio.errors import InputError
from drsn_audio.training import loop, resume
from drsn_audio.training.keyword import KeywordTask
from drsn_audio.training.resume import CheckpointClock, newest_position
from drsn_audio.training.stopping import LossGuard, Stopped

EPOCHS, STEPS = 2, 6  # of three batches
TESTS = Path(__file__).parents[1]


@pytest.fixture
def check(monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS))
    return importlib.import_module("check_kills")


@pytest.fixture(scope="module")
def short(config):
    """(folder, changes of train) -> a config of six steps in two epochs, with a checkpoint after each."""

    def make(folder, **changes):
        changes = {"epochs": EPOCHS, "batch_size": 4, "checkpoint_steps": 1, "picture_epochs": 0, **changes}
        return dataclasses.replace(
            config, run=str(folder), resume=True, train=dataclasses.replace(config.train, **changes)
        )

    return make


@pytest.fixture(scope="module")
def whole(short, tmp_path_factory):
    """A run folder that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    loop.train(short(folder))
    return folder


def die_at(monkeypatch, count, owner, name, how):
    """At the `count`-th call of owner.name; `how` does it."""
    calls, true = [], getattr(owner, name)

    def call(*arguments, **named):
        calls.append(name)
        if len(calls) == count:
            how()
        return true(*arguments, **named)

    monkeypatch.setattr(owner, name, call)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "checkpoint")


def test_a_run_leaves_no_checkpoints_behind_and_says_that_it_has_finished(whole, short, caplog):
    assert not (whole / "resume").exists()
    facts = json.loads((whole / "training.json").read_text())
    assert (facts["status"], facts["step"], facts["total_steps"], facts["epoch"]) == ("finished", STEPS, STEPS, EPOCHS)
    assert [start["step"] for start in facts["starts"]] == [0]
    assert len(facts["data"]) == 3
    weights = sorted(path.name for path in whole.glob("*.safetensors"))
    with caplog.at_level("INFO"):
        assert loop.train(short(whole)) == whole / "best.json"
    assert "nothing is left to do" in caplog.text
    assert sorted(path.name for path in whole.glob("*.safetensors")) == weights


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "count"),
    [
        (torch.optim.AdamW, "step", 1),  # before there is a checkpoint
        (torch.Tensor, "backward", 3),  # in the middle of a step
        (torch.optim.AdamW, "step", 5),
        (KeywordTask, "score", 1),  # an epoch is learnt, and not scored yet
        (loop, "save_checkpoint", 2),  # between the last and the best of an epoch
        (KeywordTask, "finish", 1),  # all is learnt
    ],
)
def test_killed_in_the_middle_it_ends_with_the_same_bits(
    owner, name, count, short, whole, check, fork, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        die_at(patch, count, owner, name, kill)
        assert fork(lambda: loop.train(short(tmp_path)) and 0).wait(300) == -signal.SIGKILL
    loop.train(short(tmp_path))
    assert check.differences(whole, tmp_path) == []
    starts = json.loads((tmp_path / "training.json").read_text())["starts"]
    assert len(starts) == (1 if name == "step" and count == 1 else 2)


@pytest.mark.parametrize(
    ("how", "name", "count"),
    [
        (kill, "fsync", 5),
        (fill_disk, "fsync", 8),
        *(pytest.param(*call, marks=pytest.mark.slow) for call in ((kill, "replace", 7), (kill, "fsync", 11))),
        pytest.param(fill_disk, "replace", 9, marks=pytest.mark.slow),
    ],
)
def test_a_file_that_is_not_written_does_not_harm_those_before(
    how, name, count, short, whole, check, fork, tmp_path, monkeypatch
):
    """At calls by which files come to be: those of training.json, of checkpoints, of weights."""
    with monkeypatch.context() as patch:
        die_at(patch, count, files.os, name, how)
        assert fork(lambda: loop.train(short(tmp_path)) and 0).wait(300) in (-signal.SIGKILL, 1)
    loop.train(short(tmp_path))
    assert check.differences(whole, tmp_path) == []
    assert [path.name for path in tmp_path.glob(".*")] == [".lock"]


@pytest.mark.slow
def test_a_recipe_killed_ten_times_ends_with_the_same_bits(short, check, fork, tmp_path, monkeypatch):
    """After at most three of its 36 steps each time, wherever that is: in the first or the last lines of a step."""
    recipe = TESTS.parent / "recipes" / "keywords" / "train.py"
    given = tmp_path / "config.yaml"
    given.write_text(config_to_yaml(short("unused", epochs=12, checkpoint_steps=2)))

    def start(run):
        def train():
            sys.argv = [str(recipe), "--config", str(given), f"run={run}", "resume=true"]
            try:
                runpy.run_path(str(recipe), run_name="__main__")
            except SystemExit as end:
                return end.code

        return fork(train)

    moments = ((torch.optim.AdamW, "step"), (torch.Tensor, "backward"), (loop.Watch, "step"))
    rng = random.Random(0)
    for _ in range(10):
        with monkeypatch.context() as patch:
            die_at(patch, rng.randint(1, 3), *rng.choice(moments), kill)
            assert start(tmp_path / "killed").wait(300) == -signal.SIGKILL
    for name in ("killed", "whole"):
        assert start(tmp_path / name).wait(300) == 0
    assert check.differences(tmp_path / "whole", tmp_path / "killed") == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_and_writes_a_checkpoint(number, short, whole, check, tmp_path, monkeypatch):
    """Not one that was due."""
    config = short(tmp_path, checkpoint_steps=0)
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with monkeypatch.context() as patch:
        die_at(patch, 2, torch.Tensor, "backward", lambda: os.kill(os.getpid(), number))
        with pytest.raises(Stopped, match=r"after step [23] of 6; resume=true goes on from there") as stopped:
            loop.train(config)
    assert stopped.value.signal == number
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["status"] == "stopped"
    assert facts["step"] == newest_position(tmp_path)[0].step
    with pytest.raises(InputError, match="holds a training that was stopped: resume=true goes on with it"):
        loop.train(dataclasses.replace(config, resume=False))
    loop.train(config)
    assert check.differences(whole, tmp_path) == []
    assert json.loads((tmp_path / "training.json").read_text())["reason"] == ""


@pytest.fixture
def stopped(short, fork, tmp_path, monkeypatch):
    """A run folder that was left in the middle of the fifth step, with checkpoints of the third and the fourth."""
    with monkeypatch.context() as patch:
        die_at(patch, 5, torch.optim.AdamW, "step", kill)
        assert fork(lambda: loop.train(short(tmp_path)) and 0).wait(300) == -signal.SIGKILL
    names = sorted(path.name for path in (tmp_path / "resume").glob("step-*"))
    assert names == [f"step-00000000{step}.{kind}" for step in (3, 4) for kind in ("json", "safetensors")]
    return tmp_path


@pytest.mark.slow
def test_what_was_learnt_before_is_not_loaded_again(stopped, short, monkeypatch):
    loaded, load = [], TrainingClips.__getitem__
    monkeypatch.setattr(TrainingClips, "__getitem__", lambda clips, key: loaded.append(key) or load(clips, key))
    loop.train(short(stopped))
    assert len(loaded) == 4 + 3  # of the second epoch's batches of 4, 4 and 3 rows, the first is learnt
    assert {epoch for epoch, _ in loaded} == {1}


@pytest.mark.slow
def test_a_torn_checkpoint_gives_way_to_the_one_before(stopped, short, whole, check, caplog):
    newest = stopped / "resume" / "step-000000004.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    loop.train(short(stopped))
    assert "step-000000004.json: is not whole (its SHA-256 differs)" in caplog.text
    assert check.differences(whole, stopped) == []


def test_where_no_checkpoint_is_whole_nothing_is_trained_over(stopped, short):
    for path in (stopped / "resume").glob("*.safetensors"):
        path.unlink()
    with pytest.raises(InputError, match="no checkpoint is whole: remove the folder to begin anew"):
        loop.train(short(stopped))


@pytest.mark.slow
def test_another_config_and_other_data_are_refused(stopped, short, task, whole, check):
    config = short(stopped, learning_rate=0.5, workers=1)
    with pytest.raises(ConfigError, match=r"resume=true with another config: train.learning_rate=0.5 \(was 0.01\)"):
        loop.train(config)
    manifest = gzip.decompress(task.dev.read_bytes())
    before = task.dev.read_bytes()
    task.dev.write_bytes(gzip.compress(manifest.replace(b": ", b":  ", 1)))
    try:
        with pytest.raises(ConfigError, match=r"is not the manifest that .* began with"):
            loop.train(short(stopped))
    finally:
        task.dev.write_bytes(before)
    loop.train(short(stopped, workers=1))  # what changes no weight may change
    assert check.differences(whole, stopped) == []


def test_two_trainings_in_one_folder_are_refused(short, fork, tmp_path, monkeypatch):
    monkeypatch.setattr(KeywordTask, "score", lambda *_: time.sleep(600))
    other = fork(lambda: loop.train(short(tmp_path)) and 0)
    try:
        while not (tmp_path / "steps.jsonl").exists():
            time.sleep(0.02)
        with pytest.raises(InputError, match="another training is at work there"):
            loop.train(short(tmp_path))
    finally:
        other.kill()


@pytest.mark.slow
def test_a_loss_that_explodes_stops_training_and_keeps_the_checkpoint_before(short, tmp_path, monkeypatch):
    losses, heard = KeywordTask.losses, []

    def explode(task, model, batch, accelerator, step):
        heard.append(batch.ids)
        found = losses(task, model, batch, accelerator, step)
        return found._replace(named={name: value * (1e4 if step == 55 else 1) for name, value in found.named.items()})

    monkeypatch.setattr(KeywordTask, "losses", explode)
    with pytest.raises(InputError, match=r"step 55: the loss is [\d.e+]+, after at most [\d.]+ in the 55 steps before"):
        loop.train(short(tmp_path, epochs=30, checkpoint_steps=50))
    stopped = json.loads((tmp_path / "stopped.json").read_text())
    assert (stopped["step"], stopped["utterances"]) == (55, list(heard[-1]))
    assert json.loads((tmp_path / "training.json").read_text())["status"] == "failed"
    assert newest_position(tmp_path)[0].step == 50


def test_losses_below_zero_and_steady_ones_do_not_explode():
    guard = LossGuard(10.0)
    assert not any(guard.fault(-20 + 0.01 * step) for step in range(200))
    assert guard.fault(0.0) == ""  # twice the size of what was, or the range ten times: neither
    assert guard.fault(500.0)
    assert guard.fault(float("nan")) == "the loss is nan"
    assert not LossGuard(0.0).fault(1e9)
    steady = LossGuard(10.0, [1.0] * 100)
    assert not steady.fault(1.5)
    assert steady.fault(12.0)


def test_checkpoints_by_the_clock_take_no_more_than_their_share(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(resume.time, "perf_counter", lambda: now[0])
    clock = CheckpointClock(TrainConfig(checkpoint_minutes=1.0))
    written = []
    while now[0] < 7200:
        now[0] += 1.0
        if clock.due(step=1):
            with clock.timed():
                now[0] += 3.0
            written.append(now[0])
    assert 3.0 * len(written) / now[0] == pytest.approx(0.02, abs=0.002)
    assert CheckpointClock(TrainConfig(checkpoint_steps=5)).due(10)
    assert not CheckpointClock(TrainConfig(checkpoint_steps=5)).due(11)


@pytest.mark.slow
def test_memory_of_streams_goes_on_to_the_bit(short, check, fork, tmp_path, monkeypatch):
    """In channels-last layout, too, which a checkpoint has to give back."""

    def config(name):
        given = short(tmp_path / name, stretch_s=1.0, max_steps=6)
        return dataclasses.replace(given, model=dataclasses.replace(given.model, pool="causal", pool_ms=300.0))

    loop.train(config("whole"))
    with monkeypatch.context() as patch:
        die_at(patch, 6, torch.optim.AdamW, "step", kill)
        assert fork(lambda: loop.train(config("killed")) and 0).wait(300) == -signal.SIGKILL
    loop.train(config("killed"))
    assert check.differences(tmp_path / "whole", tmp_path / "killed") == []


@pytest.mark.slow
def test_training_from_shards_learns_the_same_and_is_resumed_within_a_window(
    short, task, check, fork, tmp_path, monkeypatch
):
    """The words are learnt, in another order than from files; killed in the middle of an epoch, with the same bits."""
    shard_cuts([str(task.train)], tmp_path / "shards", shard_size=2)

    def config(name):
        given = short(tmp_path / name, epochs=40, batch_size=5, checkpoint_steps=3)
        data = dataclasses.replace(given.data, train=[str(tmp_path / "shards")], shard_window=4)
        return dataclasses.replace(given, data=data)

    loop.train(config("whole"))
    with monkeypatch.context() as patch:
        die_at(patch, 48, torch.optim.AdamW, "step", kill)
        assert fork(lambda: loop.train(config("killed")) and 0).wait(300) == -signal.SIGKILL
    loop.train(config("killed"))
    assert check.differences(tmp_path / "whole", tmp_path / "killed") == []
    found = json.loads((tmp_path / "whole" / "best.json").read_text())["metrics"]
    assert found["dev_accuracy"] > 0.6  # by chance 0.25
    assert len(json.loads((tmp_path / "whole" / "training.json").read_text())["data"]) == 3  # shards.json among them
