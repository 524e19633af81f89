"""From a run of a denoiser, and the pass it went on from, to the package and its card."""

import json
import math
import sys

import pytest
import torch

from drsn_audio import pretrained
from drsn_audio.api import load_denoiser
from drsn_audio.config import ConfigError, NoiseSource, config_from_dict, config_to_dict, config_to_yaml
from drsn_audio.corpora.cuts import write_cuts
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.evaluation.denoising import denoiser
from drsn_audio.evaluation.denoising_run import describe_denoiser, evaluate_denoisers
from drsn_audio.models.checkpoint import load_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel

SMALL = {
    "preset": "100k", "encoder": "drsn", "head": "denoise", "pool": "causal", "widths": [4, 6], "blocks": [1, 1],
    "mixer": [1], "stem_stride": [4, 1], "time_reduction": 1,
    "frontend": {"name": "log-spectrogram", "f_min_hz": 0.0, "window_ms": 32, "hop_ms": 16},
}  # fmt: skip


@pytest.fixture
def ship(recipe, folder, monkeypatch):
    """The keyword recipe's, behind this one's scripts."""
    monkeypatch.setattr("sys.path", [*sys.path, str(folder.parent / "keywords")])
    return recipe("ship")


@pytest.fixture
def renamed(tmp_path):
    def copy(manifest, name, ids):
        """Its cuts with the ids that a corpus gives: `ids` with the number of each."""
        cuts = read_cuts([manifest])
        for number, cut in enumerate(cuts):
            cut.id = ids.format(number)
        write_cuts(cuts, tmp_path / f"{name}.jsonl.gz")
        return str(tmp_path / f"{name}.jsonl.gz")

    return copy


@pytest.fixture
def write_run(tmp_path, task, renamed):
    noise = {"manifest": renamed(task.noise, "noise", "street-0-{}")}
    dev = renamed(task.dev, "dev", "84-121-{:04d}")

    def write(name, train, init="", model=None, **changes):
        """A run folder with best.json, and last.json two steps later, of a model that learnt nothing."""
        data = {"train": [train], "dev": [dev], "noise_train": [noise], "noise_dev": [noise]}
        data |= {"rooms": ["computed.jsonl.gz"]} | changes
        given = {"run": str(tmp_path / name), "init": str(init), "model": model or SMALL, "data": data}
        config = config_from_dict(given)
        torch.manual_seed(0)
        model = AudioModel(config.model)
        info = {"seed": 4, "parameters": 1, "multiply_adds": 2, "metrics": {}, "command": f"train {name}"}
        info |= {"commit": "abc", "init": config.init, "data": config_to_dict(config.data)}
        for checkpoint, step in (("best", 3), ("last", 5)):
            save_checkpoint(tmp_path / name, checkpoint, model, step=step, info=info)
        (tmp_path / name / "config.yaml").write_text(config_to_yaml(config))
        return tmp_path / name

    return write


@pytest.fixture
def first(write_run, task, renamed):
    return write_run("first", renamed(task.train, "read", "19-198-{:04d}"))


@pytest.fixture
def run(write_run, first, task, renamed):
    """It went on from the last step of the first one."""
    return write_run("second", renamed(task.train, "said", "left/0a_nohash_{}"), first / "last.json")


@pytest.mark.slow
def test_it_is_shipped_with_all_that_it_learnt_from(ship, run, tmp_path):
    path = ship.ship(run, "hush", tmp_path / "package")
    described = load_checkpoint(path)[1]
    assert (described["licence"], described["step"], described["other_words"]) == ("MIT", 3, [])
    assert described["started_from"] == [{"command": "train first", "commit": "abc", "seed": 4, "step": 5}]
    assert {one["corpus"]: one["recordings"] for one in described["training_data"]} == {
        "librispeech": {"training": 9, "development": 3},
        "synthetic-noise": {"training": 6, "development": 6},
        "speech-commands": {"training": 9},
    }
    assert load_denoiser(path).sample_rate == 16000


@pytest.mark.slow
def test_half_precision_is_heard_on_development_speech(call, ship, run, tmp_path):
    status, out, err = call("ship", run, "hush", "--out", tmp_path / "package")
    assert status == 0, err
    assert f"{tmp_path}/package/hush.json: " in out[0]
    assert out[1].startswith("half precision: 3 development utterances in development noise at 10 and 0 dB: SI-SDR")
    before, after = (float(out[1].split(word)[1].split()[0]) for word in ("instead of ", "SI-SDR gains "))
    assert after == pytest.approx(before, abs=0.01)
    assert 0 < float(out[1].split("by at most ")[1]) < 0.01
    assert out[2] == "now write its card: python recipes/denoise/card.py hush"


@pytest.mark.slow
def test_what_cannot_be_told_is_refused(ship, write_run, run, first, task, renamed, tmp_path, monkeypatch):
    package, read = tmp_path / "package", renamed(task.train, "read", "19-198-{:04d}")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "last.json").write_text((first / "last.json").read_text())
    orphan = write_run("orphan", read, tmp_path / "alone" / "last.json")
    with pytest.raises(ConfigError, match=r"last\.json, whose training data are not told: name a run folder"):
        ship.ship(orphan, "hush", package)
    noise = renamed(task.noise, "other", "102858-5-0-{}")
    write_run("first", read, noise_dev=[{"manifest": noise}])
    with pytest.raises(ConfigError, match=r"UrbanSound8K \(CC BY-NC 3\.0\) forbids"):
        ship.ship(run, "hush", package)
    last = first / "last.json"
    described = json.loads(last.read_text())
    described["data"]["noise_dev"] = []
    last.write_text(json.dumps(described))
    with pytest.raises(ConfigError, match=r"first: data of last\.json is not that of config\.yaml"):
        ship.ship(run, "hush", package)
    joint = write_run("joint", read, model=SMALL | {"head": "joint", "labels": ["low", "unknown"]})
    with pytest.raises(ConfigError, match=r"model\.head=joint is an experiment"):
        ship.ship(joint, "hush", package)
    monkeypatch.setattr(ship, "LARGEST_BYTES", {"denoise": 1000})
    with pytest.raises(ConfigError, match="what the package carries is below 1,000"):
        ship.ship(run, "hush", package)
    assert not package.exists()


@pytest.mark.slow
def test_a_card_says_what_was_measured(ship, recipe, run, task, tmp_path, monkeypatch):
    path = ship.ship(run, "hush", tmp_path / "package")
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "package")
    results, write_card = tmp_path / "results", recipe("card").write_card
    with pytest.raises(ConfigError, match=r"run\.json: not there: make it with .*evaluate\.py hush --peers"):
        write_card("hush", results)
    model, described = load_checkpoint(path)
    config = config_from_dict({"evaluate": {"snr_db": [0.0], "draws": 1, "replicates": 20}})
    facts = evaluate_denoisers(
        {"hush": denoiser(model), "nothing": lambda noisy: noisy},
        [str(task.test)],
        [NoiseSource(str(task.noise), folds=[3])],
        model=describe_denoiser(model, "hush", described),
        data=config.data,
        evaluate=config.evaluate,
        duration_s=(0.0, math.inf),
        measures=(),
    )
    (results / "hush").mkdir(parents=True)
    (results / "hush" / "run.json").write_text(json.dumps(facts))
    card = write_card("hush", results)
    assert card == tmp_path / "package" / "hush.md"
    text = card.read_text()
    for part in (described["sha256"], "first trained at commit abc, seed 4, to step 5", "hush less each other system"):
        assert part in text
    assert "A stream and its ONNX form: not measured." in text
    assert "\n\nNot measured.\n\n## Bad at" in text

    step = {"step_ms": 16.0, "median_ms": 0.5, "real_time_factor": 0.0345}
    report = {"sound": "speech", "seconds": 60.0, "machine": {}, "torch": step}
    for sha256, refused in ((described["sha256"], False), ("another", True)):
        (results / "hush" / "export.json").write_text(json.dumps(report | {"about": {"checkpoint": sha256}}))
        if refused:
            with pytest.raises(ConfigError, match=r"export\.json: of other weights"):
                write_card("hush", results)
        else:
            assert "0.0345" in write_card("hush", results).read_text()
    (results / "hush" / "export.json").unlink()
    (results / "recognition").mkdir()
    (results / "recognition" / "recognition.json").write_text(json.dumps({"denoiser": {"sha256": "another"}}))
    with pytest.raises(ConfigError, match=r"recognition\.json: of other weights"):
        write_card("hush", results)
    with pytest.raises(ConfigError, match="did you mean 'hush'"):
        write_card("hash", results)
