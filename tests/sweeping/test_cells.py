"""When two configs are the same run, and the sweeps of this repository."""

import dataclasses
import itertools
from pathlib import Path

import pytest

from drsn_audio.config import ConfigError, load_config
from drsn_audio.sweeping.cells import cells_of, differences, settings_digest, settings_of
from drsn_audio.sweeping.config import read_sweep
from drsn_audio.sweeping.jobs import commands, last_lines

ROOT = Path(__file__).resolve().parents[2]
SWEEPS = sorted(ROOT.glob("recipes/*/sweeps/*.yaml"))


def settings(*overrides):
    return settings_of(load_config(None, ["model.preset=10k", *overrides]))


@pytest.mark.slow
def test_what_changes_no_weight_changes_no_digest():
    one = settings("seed=3", "train.epochs=9")
    other = settings("seed=3", "train.epochs=9", "run=elsewhere", "resume=true", "train.threads=1", "train.workers=2")
    assert settings_digest(one) == settings_digest(other)
    assert settings_digest(one) == settings_digest(settings("seed=3", "train.epochs=9", "evaluate.batch_size=7"))
    assert settings_digest(one) != settings_digest(settings("seed=4", "train.epochs=9"))
    assert differences(one, settings("seed=4", "train.epochs=8", "data.test=[a]")) == {
        "seed": (3, 4), "data.test": ([], ["a"]), "train.epochs": (9, 8)
    }  # fmt: skip


@pytest.mark.slow
def test_a_key_that_did_not_exist_then_had_its_default():
    old = settings()
    del old["augment"]["noises"], old["model"]["frontend"]["lifter"]
    assert differences(old, settings()) == {}
    assert differences(old, settings("augment.noises=2")) == {"augment.noises": (1, 2)}
    old["train"]["momentum"] = 0.9
    with pytest.raises(ConfigError, match=r"train\.momentum: unknown key"):
        differences(old, settings())


@pytest.mark.slow
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_sweeps_of_this_repository(path, monkeypatch):
    """They resolve, and no cell hears the noise of its test, or its development, in training. One of each label."""
    monkeypatch.chdir(ROOT)
    sweep = read_sweep(path)
    of_label = {item: cell for cell in sweep.cells for item in cell.items()}
    few = [cell for cell in sweep.cells if any(cell is one for one in of_label.values())]
    for cell in cells_of(dataclasses.replace(sweep, cells=tuple(few))):
        data = cell.settings["data"]
        assert data["noise_test"]
        for trained, other in itertools.product(data["noise_train"], [*data["noise_dev"], *data["noise_test"]]):
            all_of_one = not (trained["folds"] and other["folds"])  # without folds it is all of a manifest
            shared = all_of_one or set(trained["folds"]) & set(other["folds"])
            assert trained["manifest"] != other["manifest"] or not shared


@pytest.mark.slow
def test_the_first_cells_of_the_main_table_are_all_models_on_one_fold(monkeypatch):
    monkeypatch.chdir(ROOT)
    sweep = read_sweep(ROOT / "recipes/keywords/sweeps/evidence.yaml")
    models = list(sweep.axes[0].choices)
    assert [(cell["model"], cell["fold"]) for cell in sweep.cells[: len(models) + 1]] == [
        *((model, "1") for model in models), (models[0], "2")
    ]  # fmt: skip


@pytest.mark.slow
def test_alone_a_run_has_all_cores_and_beside_others_one(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    sweep = read_sweep("recipes/keywords/sweeps/small.yaml", ["train.threads=3", f"out={tmp_path}"])
    cell = cells_of(sweep)[0]
    train, test = commands(sweep, cell, alone=True)
    assert train[1:5] == [
        "recipes/keywords/train.py",
        "--config",
        "recipes/keywords/configs/demo.yaml",
        f"run={cell.run}",
    ]
    assert "train.threads=1" not in train
    assert test[1:] == ["recipes/keywords/answers.py", str(cell.run), "evaluate.draws=1"]
    train, _ = commands(sweep, cell, alone=False)
    assert train.index("train.threads=1") < train.index("train.threads=3")  # what is asked for wins


@pytest.mark.slow
def test_the_end_of_a_log(tmp_path):
    assert last_lines(tmp_path / "none") == []
    (tmp_path / "log").write_bytes(b"one\n\n 10 %\r 20 %\rtwo \xff\n\n")
    assert last_lines(tmp_path / "log", 2) == [" 20 %", "two \ufffd"]


def write_sweeps(folder):
    (folder / "base.yaml").write_text(
        "recipe: r\nconfig: c\nout: o\nresults: s\n"
        "axes: {model: {a: [model.width=3], b: [model.width=4]}, fold: {1: [], 2: []}, seed: [0]}\n"
        "reference: b\noverrides: [train.epochs=2]\n"
    )
    (folder / "one.yaml").write_text("base: base.yaml\nout: p\naxes: {model: {c: []}, fold: null}\nreference: c\n")
    return folder / "one.yaml"


@pytest.mark.slow
def test_a_sweep_with_a_base_replaces_keys_and_whole_axes(tmp_path):
    sweep = read_sweep(write_sweeps(tmp_path), ["results=t"])
    assert (sweep.recipe, sweep.out, sweep.results) == ("r", "p", "t")
    assert sweep.cells == ({"model": "c", "seed": "0"},)
    assert sweep.overrides == ("train.epochs=2",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "told"),
    [("one.yaml", "leads back to itself"), ("3", "the path of one sweep, got 3"), ("none.yaml", "no such sweep")],
)
def test_a_base_that_cannot_be_used(tmp_path, base, told):
    path = write_sweeps(tmp_path)
    path.write_text(f"base: {base}\n")
    with pytest.raises(ConfigError, match=told):
        read_sweep(path)
