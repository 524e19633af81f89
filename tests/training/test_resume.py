"""A training that is killed goes on as if it had not been: at any step, in the middle of one, while a checkpoint is
written, with the disk full, by a signal; and it says so where it cannot.
"""

import dataclasses
import errno
import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import pytest
import torch

from drsn_audio import files
from drsn_audio.config import ConfigError, config_to_yaml
from drsn_audio.errors import InputError
from drsn_audio.training import loop
from drsn_audio.training.keyword import KeywordTask
from drsn_audio.training.resume import newest_position
from drsn_audio.training.stopping import Stopped

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
def test_killed_in_the_middle_it_ends_with_the_same_bits(owner, name, count, short, whole, check, fork, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        die_at(patch, count, owner, name, kill)
        assert fork(lambda: loop.train(short(tmp_path)) and 0).wait(60) == -signal.SIGKILL
    loop.train(short(tmp_path))
    assert check.differences(whole, tmp_path) == []
    starts = json.loads((tmp_path / "training.json").read_text())["starts"]
    assert len(starts) == (1 if name == "step" and count == 1 else 2)


@pytest.mark.parametrize(
    ("how", "name", "count"),
    [(kill, "fsync", 5), (kill, "replace", 7), (kill, "fsync", 11), (fill_disk, "fsync", 8), (fill_disk, "replace", 9)],
)
def test_a_file_that_is_not_written_does_not_harm_those_before(
    how, name, count, short, whole, check, fork, tmp_path, monkeypatch
):
    """At calls by which files come to be: those of training.json, of checkpoints, of weights."""
    with monkeypatch.context() as patch:
        die_at(patch, count, files.os, name, how)
        assert fork(lambda: loop.train(short(tmp_path)) and 0).wait(60) in (-signal.SIGKILL, 1)
    loop.train(short(tmp_path))
    assert check.differences(whole, tmp_path) == []
    assert [path.name for path in tmp_path.glob(".*")] == [".lock"]


def test_a_recipe_killed_ten_times_ends_with_the_same_bits(short, check, fork, tmp_path, monkeypatch):
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

    done, _ = check.kill_and_go_on(start, tmp_path / "whole", tmp_path / "killed", kills=10)
    assert done == 10
    assert check.differences(tmp_path / "whole", tmp_path / "killed") == []
