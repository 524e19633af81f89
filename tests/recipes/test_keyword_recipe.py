"""The keyword recipe: every config runs two steps, what they leave can be evaluated, and data can be prepared."""

import json
from pathlib import Path

import pytest
import soundfile as sf

from drsn_audio.config import load_config

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "keywords"
CONFIGS = sorted((RECIPE / "configs").glob("*.yaml"))


@pytest.mark.parametrize(
    "config",
    [pytest.param(path, marks=() if path.stem == "demo" else pytest.mark.slow, id=path.stem) for path in CONFIGS],
)
def test_smoke_of_every_config(call, config, tmp_path):
    run = tmp_path / "run"
    status, out, _ = call(
        "train", "--config", config, "--smoke", f"run={run}", "evaluate.draws=1", "evaluate.replicates=20"
    )
    smoke = tmp_path / "run-smoke"
    assert status == 0
    assert out == [f"best checkpoint: {smoke}/best.json"]
    assert not run.exists()  # a smoke never touches a real run
    checkpoint = json.loads((smoke / "best.json").read_text())
    assert checkpoint["step"] == 2
    assert checkpoint["command"].startswith("python recipes/keywords/train.py --config")
    assert checkpoint["labels"] == load_config(config).model.labels

    if config.stem == "demo":  # its manifests are there still
        status, out, _ = call("evaluate", smoke, "evaluate.snr_db=[5]")
        assert status == 0
        assert out[-1] == f"{smoke}/accuracy.png"
        facts = json.loads((smoke / "run.json").read_text())
        assert facts["model"]["name"] == "run-smoke"
        assert {(c["noise_kind"], c["snr_db"]) for c in facts["conditions"]} == {
            ("clean", None), ("street", 5.0), ("factory", 5.0), ("mean", 5.0)
        }  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_configs_split_their_noise(config):
    data = load_config(config).data
    parts = (data.noise_train, data.noise_dev, data.noise_test)
    trained, chosen, tested = ({(s.manifest, fold) for s in part for fold in s.folds} for part in parts)
    assert trained.isdisjoint(chosen)
    assert trained.isdisjoint(tested)
    assert chosen.isdisjoint(tested)
    assert all(s.folds for part in parts[1:] for s in part)
    assert not set(data.train) & {*data.dev, *data.test}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such config file"),
        (["--config", RECIPE / "configs/base.yaml", "model.widht=3"], "did you mean 'width'"),
        (["--config", RECIPE / "configs/base.yaml", "model.shrinkage=cv", "--smoke"], "shrinkage"),
        (["--config", RECIPE / "configs/base.yaml"], "no manifest is given"),
        (["--config", RECIPE / "configs/subset.yaml", "data.train=[nowhere.jsonl.gz]"], "no such manifest"),
    ],
)  # fmt: skip
def test_what_train_refuses(call, monkeypatch, tmp_path, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, out, err = call("train", *arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


def test_evaluate_without_a_run(call, tmp_path):
    status, out, err = call("evaluate", tmp_path)
    assert (status, out) == (2, [])
    assert err == [f"error: {tmp_path}/config.yaml: no such config file: check the path"]


def test_prepare_takes_what_is_there_and_says_what_is_not(recipe, call, tmp_path, say, monkeypatch, capsys):
    corpus = tmp_path / "data" / "speech_commands_v0.02"
    for word in ("yes", "bed"):
        for speaker, number in (("0a", 0), ("0b", 0), ("0c", 0)):
            path = corpus / word / f"{speaker}_nohash_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, say("low", speaker), 16000)
    (corpus / "validation_list.txt").write_text("yes/0b_nohash_0.wav\nbed/0b_nohash_0.wav\n")
    (corpus / "testing_list.txt").write_text("yes/0c_nohash_0.wav\nbed/0c_nohash_0.wav\n")
    prepare = recipe("prepare")
    small = {"count": 1, "duration_s": 0.2, "kinds": ["street"]}
    monkeypatch.setattr(prepare, "SYNTHESISED", {"synthetic-noise": ("synthetic-noise", small)})
    monkeypatch.setattr("sys.argv", ["prepare.py", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "m")])
    assert prepare.main() == 0
    out, err = capsys.readouterr()
    assert {path.parent.name for path in (tmp_path / "m").glob("*/*.jsonl.gz")} == {
        "speech-commands", "speech-commands-12", "synthetic-noise"
    }  # fmt: skip
    assert "speech-commands: 2 test" in out
    left_out = [line for line in err.splitlines() if "left out" in line]
    assert [line.split(":")[0] for line in left_out] == [
        "free-spoken-digits", "running-speech", "running-speech-parts", "urbansound8k", "esc"
    ]  # fmt: skip


def test_prepare_without_its_folder(call, tmp_path):
    status, _, err = call("prepare", "--data", tmp_path / "nowhere")
    assert status == 2
    assert err == [f"error: {tmp_path}/nowhere: no such folder: name the one that holds the corpora"]


@pytest.mark.slow
def test_the_manifests_that_configs_name_are_those_that_prepare_and_folds_make(recipe):
    prepare = recipe("prepare")
    made = {*prepare.RECORDED, *prepare.SYNTHESISED, "folds"}
    for path in CONFIGS:
        data = load_config(path).data
        sources = [*data.noise_train, *data.noise_dev, *data.noise_test]
        named = [*data.train, *data.dev, *data.test, *(source.manifest for source in sources)]
        assert {Path(name).parts[1] for name in named if name.startswith("manifests/")} <= made
