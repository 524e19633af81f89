"""thresholds.py on saved networks: what it writes, whom it hears, and what it refuses."""

import json

import pytest
import torch

from drsn_audio.config import config_to_yaml, load_config
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel


@pytest.fixture
def saved(task, tmp_path):
    """Folder of a network that has learnt nothing."""

    def save(name, *overrides, seed=0):
        folder = tmp_path / name
        words = [
            f"run={folder}",
            "model.preset=10k",
            "model.blocks=[1,1]",
            "model.clip_s=0.5",
            "model.labels=[low,mid,high,silence]",
            f"data.test=[{task.test}]",
            f"data.noise_test=[{{manifest: {task.noise}, folds: [3]}}]",
            "evaluate.replicates=10",
            f"seed={seed}",
            *overrides,
        ]
        config = load_config(None, words)
        torch.manual_seed(seed)
        save_checkpoint(folder, "best", AudioModel(config.model), step=1, info={"seed": seed})
        (folder / "config.yaml").write_text(config_to_yaml(config))
        return folder

    return save


@pytest.mark.slow
def test_runs_of_one_model_are_pooled(call, saved, tmp_path):
    runs = [saved("a-0"), saved("a-1", seed=1)]
    out = tmp_path / "out"
    status, printed, err = call("thresholds", *runs, "--clips", "4", "--snr", "20", "0", "-10", "-o", out)
    assert (status, "".join(err)) == (0, "")
    assert printed == [f"{out}/{name}" for name in ("thresholds.json", "thresholds.md", "thresholds.png", "bands.png")]
    facts = json.loads((out / "thresholds.json").read_text())
    assert facts["snr_db"] == [20, 0, -10, None]
    assert [(run["run"], run["clips"], run["checkpoint"]["seed"]) for run in facts["runs"]] == [
        (str(run), 4, seed) for seed, run in enumerate(runs)
    ]
    assert facts["trials"]["street"] == {"trials": 8, "speakers": 2, "noise_recordings": 1}  # silence is left out

    alone = []
    for run in runs:
        call("thresholds", run, "--clips", "4", "--snr", "20", "0", "-10", "-o", out)
        alone.append(
            json.loads((out / "thresholds.json").read_text())["blocks"][0]["kinds"]["street"]["levels"]["alpha"]
        )
    both = facts["blocks"][0]["kinds"]["street"]["levels"]["alpha"]
    for place, level in enumerate(both):
        assert level[0] == pytest.approx((alone[0][place][0] + alone[1][place][0]) / 2, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("shrinkage", ["cs", "se-frequency"])
def test_other_thresholds_and_gates(call, saved, tmp_path, shrinkage):
    status, printed, err = call(
        "thresholds",
        saved("b", f"model.shrinkage={shrinkage}"),
        "--clips",
        "3",
        "--snr",
        "10",
        "-10",
        "-o",
        tmp_path / "out",
    )
    assert (status, "".join(err), len(printed)) == (0, "", 3 if shrinkage == "cs" else 4)


@pytest.mark.slow
def test_what_cannot_be_measured_is_one_line(call, saved, tmp_path):
    run, other = saved("a"), saved("wide", "model.width=6")
    plain, quiet = saved("plain", "model.shrinkage=none"), saved("quiet", "data.noise_test=[]")
    for words, message in (
        ([plain], "error: the network (encoder=drsn, shrinkage=none) has neither thresholds nor gates"),
        ([run, other], f"error: {other}: its model is not that of {run}"),
        ([run, run], "error: a run is named twice"),
        ([quiet], f"error: {quiet}: data.noise_test is empty"),
        ([run, "model.width=3"], "error: model.width=3: the model is trained already"),
        (["evaluate.seed=1"], "error: no runs: name the run folders to measure"),
        ([run, "--clips", "0"], "error: 0 clips: hear 1 or more"),
        ([run, "--snr", "5"], "error: SNRs 5: give two or more"),
        ([run, "--snr", "5", "nan"], "error: SNRs 5, nan: give two or more"),
        ([tmp_path / "nowhere"], f"error: {tmp_path / 'nowhere' / 'config.yaml'}"),
    ):
        status, _, err = call("thresholds", *words, "-o", tmp_path / "out")
        assert status == 2
        assert err[-1].startswith(message)
    assert not (tmp_path / "out").exists()
