"""compare.py on trained runs: every run hears the trials that evaluate.py puts to it."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from drsn_audio.config import config_to_yaml, load_config


@pytest.fixture
def runs(run, tmp_path):
    """The trained model three times: as it is, as if from another seed, and as if another shrinkage had been asked."""

    def copied(name, *overrides):
        folder = tmp_path / name
        shutil.copytree(run, folder)
        config = load_config(run / "config.yaml", overrides)
        (folder / "config.yaml").write_text(config_to_yaml(config))
        return folder

    return copied("tones-0", "seed=0"), copied("tones-1", "seed=1"), copied("longer-0", "seed=0", "train.epochs=61")


@pytest.mark.slow
def test_every_run_hears_the_same_trials_as_in_evaluate(recipe, call, runs, tmp_path):
    out = tmp_path / "compared"
    status, printed, err = call("compare", *runs, "-o", out, "evaluate.draws=1", "--reference", "longer")
    assert status == 0
    assert printed == [f"{out}/compare.json", f"{out}/compare.md"]
    assert [line for line in err if line.endswith(": evaluated")] == [f"{run}: evaluated" for run in runs]
    facts = json.loads((out / "compare.json").read_text())
    assert (facts["reference"], facts["draws"], facts["noise_kinds"]) == ("longer", 1, ["machinery", "street"])
    seeds, other = facts["models"]
    assert (seeds["name"], seeds["seeds"], other["name"]) == ("tones", [0, 1], "longer")
    assert all(found == {"mean": 0, "low": 0, "high": 0} for found in seeds["difference"].values())  # the same weights
    assert "difference" not in other

    recipe("evaluate").evaluate_run(runs[0], ["evaluate.draws=1"])
    evaluated = json.loads((runs[0] / "run.json").read_text())
    conditions = {(one["noise_kind"], one["snr_db"]): one for one in evaluated["conditions"]}
    for column, key in {"clean": ("clean", None), "20 dB": ("mean", 20.0), "0 dB": ("mean", 0.0)}.items():
        for ours, theirs in (("mean", "accuracy"), ("low", "low"), ("high", "high")):
            assert seeds["accuracy"][column][ours] == pytest.approx(conditions[key][theirs])
    assert seeds["runs"][0]["checkpoint"] == evaluated["model"]["checkpoint"]
    del evaluated["data"]["outside_vocabulary"]  # of a single evaluation alone
    assert facts["data"] == evaluated["data"]
    assert "| tones " in (out / "compare.md").read_text()


@pytest.mark.slow
def test_what_cannot_be_compared_is_one_line(call, run, tmp_path):
    out = tmp_path / "compared"
    for words, message in (
        (["model.width=3", run], "error: model.width=3: the model is trained already"),
        (["evaluate.draws=1"], "error: no runs: name the run folders to compare"),
        ([run, run], f"error: {run}: has the config and the seed of {run}"),
    ):
        status, _, err = call("compare", *words, "-o", out)
        assert status == 2
        assert err[-1].startswith(message)
    assert not out.exists()


@pytest.mark.slow
def test_a_denoiser_is_not_compared(call, run, tmp_path):
    folder = tmp_path / "denoiser"
    folder.mkdir()
    shutil.copy(run / "config.yaml", folder)
    shipped = Path(str(files("drsn_audio") / "pretrained"))
    for path in shipped.glob("denoise-small*"):
        shutil.copy(path, folder / ("best.json" if path.suffix == ".json" else path.name))
    status, _, err = call("compare", run, folder, "-o", tmp_path / "compared")
    assert status == 2
    assert err[-1] == f"error: {folder}: takes noise off, and neither names nor writes words: leave it out"
