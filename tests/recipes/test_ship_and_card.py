"""Shipping a model: what its licences forbid is refused, what is shipped can be loaded, and its card is written."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from lhotse import CutSet

from drsn_audio import pretrained
from drsn_audio.config import ConfigError, NoiseSource, config_to_dict, config_to_yaml
from drsn_audio.datasets import streams as plans
from drsn_audio.datasets.manifests import AudioStore, file_sha256, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.models.checkpoint import load_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import DetectorConfig


def renamed(manifest, out, name):
    """A copy of a manifest whose cuts have the ids that another corpus gives: `name` with the number of each."""
    cuts = read_cuts([manifest])
    for number, cut in enumerate(cuts):
        cut.id = name.format(number)
    CutSet.from_cuts(cuts).to_file(out)
    return str(out)


@pytest.fixture
def run(config, task, tmp_path):
    """A run folder whose speech is named as Speech Commands' is, whose noise as ours."""
    noise = renamed(task.noise, tmp_path / "noise.jsonl.gz", "street-0-{}")
    speech = {
        part: renamed(getattr(task, part), tmp_path / f"{part}.jsonl.gz", f"word/{number}a_nohash_{{}}")
        for number, part in enumerate(("train", "dev"))
    }
    sources = {
        key: [dataclasses.replace(source, manifest=noise) for source in getattr(config.data, key)]
        for key in ("noise_train", "noise_dev")
    }
    data = dataclasses.replace(config.data, train=[speech["train"]], dev=[speech["dev"]], **sources)
    return write_run(dataclasses.replace(config, run=str(tmp_path / "run"), data=data))


def write_run(config):
    run = Path(config.run)
    torch.manual_seed(0)
    info = {"seed": 0, "parameters": 1, "multiply_adds": 2, "metrics": {}, "command": "c", "commit": "d"}
    info["calibration"] = {"temperature": 1.5, "reject_below": 0.2, "false_accept_rate": 0.05}
    save_checkpoint(run, "best", AudioModel(config.model), step=3, info=info)
    (run / "config.yaml").write_text(config_to_yaml(config))
    return run, config


@pytest.mark.slow
def test_a_shipped_model_is_found_and_loaded(recipe, run, tmp_path, monkeypatch):
    folder = tmp_path / "package"
    path = recipe("ship").ship(run[0], "tones-3", folder)
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    assert pretrained.find("tones-3") == path
    model, described = load_checkpoint(path)
    assert model.config.labels == run[1].model.labels
    assert described["calibration"]["reject_below"] == 0.2
    assert (described["licence"], described["step"], described["commit"]) == ("MIT", 3, "d")
    learnt = {one["corpus"]: one["recordings"] for one in described["training_data"]}
    assert learnt["speech-commands"] == {"training": 9, "development": 3}
    assert set(learnt) == {"speech-commands", "synthetic-noise"}
    assert described["other_words"] == []
    assert "0 answers changed" in recipe("rounding").rounding(run[0], path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "ids", "reason"),
    [
        ("noise_train", "102858-5-0-{}", r"UrbanSound8K \(CC BY-NC 3.0\) forbids weights shipped under MIT"),
        ("noise_dev", "1-10{}-A", r"ESC-50 \(CC BY-NC 3.0\) forbids"),
        ("train", "1_george_{}", r"Free Spoken Digits \(CC BY-SA 4.0\) forbids"),
        ("dev", "anna_{}", "anna_0 is of no corpus whose licence is known"),
    ],
)
def test_what_a_licence_forbids_is_refused(recipe, run, task, tmp_path, part, ids, reason):
    _, config = run
    if part.startswith("noise"):
        manifest = renamed(task.noise, tmp_path / "other.jsonl.gz", ids)
        value = [dataclasses.replace(source, manifest=manifest) for source in getattr(config.data, part)]
    else:
        value = [renamed(getattr(task, part), tmp_path / "other.jsonl.gz", ids)]
    changed = dataclasses.replace(config.data, **{part: value})
    other, _ = write_run(dataclasses.replace(config, run=str(tmp_path / "other"), data=changed))
    with pytest.raises(ConfigError, match=reason):
        recipe("ship").ship(other, "tones-3", tmp_path / "package")
    # So is a run that started from it, and one that started from nobody knows what.
    heir, _ = write_run(dataclasses.replace(config, run=str(tmp_path / "heir"), init=str(other)))
    with pytest.raises(ConfigError, match=reason):
        recipe("ship").ship(heir, "tones-3", tmp_path / "package")
    orphan, _ = write_run(dataclasses.replace(config, run=str(tmp_path / "orphan"), init="somewhere.json"))
    with pytest.raises(ConfigError, match=r"started from somewhere\.json, whose training data are not told"):
        recipe("ship").ship(orphan, "tones-3", tmp_path / "package")
    assert not (tmp_path / "package").exists()


@pytest.mark.slow
def test_a_checkpoint_of_another_config_is_refused(recipe, run, tmp_path):
    """A training begun anew writes config.yaml at once and best.json after an epoch: what that learnt is not told."""
    path = run[0] / "best.json"
    described = json.loads(path.read_text()) | {"data": config_to_dict(run[1].data)}
    path.write_text(json.dumps(described))
    assert recipe("ship").training_data(run[0])
    described["data"]["noise_train"][0]["manifest"] = "urbansound8k.jsonl.gz"
    path.write_text(json.dumps(described))
    with pytest.raises(ConfigError, match=r"data of best\.json is not that of config\.yaml"):
        recipe("ship").ship(run[0], "tones-3", tmp_path / "package")


@pytest.mark.slow
def test_names_and_sizes_that_cannot_be(recipe, run, tmp_path, monkeypatch):
    ship = recipe("ship")
    for name in ("Tones", "../tones", "a b", ""):
        with pytest.raises(ConfigError, match="a name is of lower-case words"):
            ship.ship(run[0], name, tmp_path / "package")
    monkeypatch.setattr(ship, "LARGEST_BYTES", {"keyword": 1000})
    with pytest.raises(ConfigError, match="what the package carries is below 1,000"):
        ship.ship(run[0], "tones-3", tmp_path / "package")


@pytest.mark.slow
def test_a_card_is_written_by_one_command(recipe, run, task, tmp_path, monkeypatch):
    folder = tmp_path / "package"
    recipe("ship").ship(run[0], "tones-3", folder)
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    data = dataclasses.replace(run[1].data, test=[str(task.test)], noise_test=run[1].data.noise_train[:1])
    data = dataclasses.replace(data, noise_test=[dataclasses.replace(data.noise_test[0], folds=[])])
    evaluate = dataclasses.replace(run[1].evaluate, snr_db=[0.0], draws=1, replicates=20)
    config = dataclasses.replace(run[1], data=data, evaluate=evaluate)
    card = recipe("card").write_card("tones-3", config, tmp_path / "results", [])
    assert card == folder / "tones-3.md"
    assert load_checkpoint(folder / "tones-3.json")[1]["sha256"] in card.read_text()
    whole, part = (
        json.loads((tmp_path / "results" / name / "run.json").read_text()) for name in ("tones-3", "tones-3-fold-3")
    )
    assert (whole["data"]["noise"][0]["recordings"], part["data"]["noise"][0]["recordings"]) == (6, 2)
    peer = whole | {"model": {"name": "pocketsphinx"}, "data": whole["data"] | {"utterances": 7}}
    with pytest.raises(ConfigError, match=r"pocketsphinx: its run\.json is of other trials"):
        recipe("card").write_card("tones-3", config, tmp_path / "results", [peer])
    with pytest.raises(ConfigError, match="did you mean 'tones-3'"):
        recipe("card").write_card("tone-3", config, tmp_path / "results", [])


@pytest.fixture
def streams(run, task, tmp_path):
    """Manifests of streams made of the run's development speech, and of noise: 3 words, and hiss alone."""
    store, config, found = AudioStore(16000), run[1], {}
    for name, ids in (("known", "factory-1-{}"), ("unshippable", "102858-5-0-{}")):
        noise = renamed(task.noise, tmp_path / f"{name}.jsonl.gz", ids)
        pool = NoisePool([NoiseSource(noise)], store)
        words = plans.plan_words(read_cuts(config.data.dev), [("street", 0.0)], set_name=name, seed=0)
        hiss = plans.plan_noise(pool, [0.0], -20.0, set_name=name, seed=0)
        made_of = {"speech": config.data.dev[0], "noise": [{"manifest": noise, "kinds": [], "folds": []}]}
        list(plans.write_streams([*words, *hiss], tmp_path / "s", name, pool, store, made_of))
        found[name] = tmp_path / "s" / f"{name}.jsonl.gz"
    return found


@pytest.fixture
def causal(run, tmp_path):
    model = dataclasses.replace(run[1].model, pool="causal")
    return write_run(dataclasses.replace(run[1], run=str(tmp_path / "causal"), model=model))[0]


def tuned(folder, manifest):
    config = DetectorConfig({"low": 0.3, "mid": 0.3, "high": 0.3}).to_dict()
    found = {"config": config, "wanted_per_hour": 1.0, "false_alarms": 4, "hours": 4.5, "misses": 5, "keywords": 9}
    found["data"] = [{"manifest": str(manifest), "sha256": file_sha256(manifest)}]
    path = folder / "best.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"detector": found}))
    return folder


@pytest.mark.slow
def test_a_streaming_model_is_shipped_with_its_thresholds(recipe, causal, streams, tmp_path):
    with pytest.raises(ConfigError, match=r"thresholds were not tuned: python recipes/keywords/tune\.py"):
        recipe("ship").ship(causal, "tones-stream", tmp_path / "package")
    path = recipe("ship").ship(tuned(causal, streams["known"]), "tones-stream", tmp_path / "package")
    described = load_checkpoint(path)[1]
    assert described["detector"]["config"]["thresholds"] == {"low": 0.3, "mid": 0.3, "high": 0.3}
    learnt = {one["corpus"]: one["recordings"] for one in described["training_data"]}
    assert learnt["speech-commands"] == {"training": 9, "development": 3}
    assert learnt["synthetic-noise"]["development"] == 6  # two of them were in its development clips, too
    said = recipe("rounding").rounding(causal, path, recipe("ship").tuning_manifests(causal))
    assert "keywords missed instead of" in said


@pytest.mark.slow
def test_streams_that_tuned_it_are_under_the_same_licences(recipe, causal, streams, tmp_path):
    ship = recipe("ship")
    with pytest.raises(ConfigError, match=r"UrbanSound8K \(CC BY-NC 3.0\) forbids"):
        ship.ship(tuned(causal, streams["unshippable"]), "tones-stream", tmp_path / "package")
    cuts = read_cuts([streams["known"]])
    spoken = next(cut for cut in cuts if cut.supervisions)
    spoken.supervisions[0].custom["utterance"] = "word/ffff_nohash_9"
    CutSet.from_cuts(cuts).to_file(streams["known"])
    with pytest.raises(ConfigError, match="word/ffff_nohash_9 is not in what it is made of"):
        ship.ship(tuned(causal, streams["known"]), "tones-stream", tmp_path / "package")
    for cut in cuts:
        del cut.custom["made_of"]
    CutSet.from_cuts(cuts).to_file(streams["known"])
    with pytest.raises(ConfigError, match=r"lost, or not what .* was tuned on"):
        ship.ship(causal, "tones-stream", tmp_path / "package")
    with pytest.raises(ConfigError, match="does not say what it is made of"):
        ship.ship(tuned(causal, streams["known"]), "tones-stream", tmp_path / "package")


@pytest.mark.slow
def test_a_card_of_a_streaming_model(recipe, causal, streams, tmp_path, monkeypatch):
    path = recipe("ship").ship(tuned(causal, streams["known"]), "tones-stream", tmp_path / "package")
    sha256 = json.loads(path.read_text())["sha256"]
    report = {"seconds": 60.0, "sound": "speech", "machine": {"platform": "p", "processor": "c"}}
    report["torch"] = {"median_ms": 1.2, "real_time_factor": 0.015, "events": 2}
    monkeypatch.setattr("drsn_audio.export.run.export_model", lambda model, out, **settings: report)
    monkeypatch.setattr("drsn_audio.evaluation.stream_events.SHIFTS", (0.0,))
    speed = tmp_path / "speed.json"
    ours = {"weights": sha256, "memory_mb": 321.0, "chunks": {"100": {"rtf": 0.0123, "p99_ms": 3.456}}}
    speed.write_text(json.dumps({"machine": "a CPU", "listeners": {"runs/x": ours, "peer": {"weights": None}}}))
    card = recipe("stream_card").write_stream_card(path, tmp_path / "r", [str(streams["known"])], speed)
    assert card == path.with_suffix(".md")
    for part in (sha256, "| PyTorch | 100 ms", "0.01230", "321", "1.200"):
        assert part in card.read_text()
    assert {one.name for one in (tmp_path / "r").iterdir()} >= {"run.json", "table.md", "export.json"}
    facts = json.loads((tmp_path / "r" / "run.json").read_text())
    assert facts["distinct"]["words"] == {"utterances": 3, "speakers": 1, "hours": pytest.approx(3 * 0.3 / 3600)}
    speed.write_text(json.dumps({"machine": "a CPU", "listeners": {"runs/x": ours | {"weights": "another"}}}))
    with pytest.raises(ConfigError, match=r"speed\.json: of other weights"):
        recipe("stream_card").write_stream_card(path, tmp_path / "r", [str(streams["known"])], speed)


@pytest.mark.slow
def test_without_urbansound8k_it_says_what_is_missing(recipe, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"manifests/\S+: no such manifest: get its corpus \(data/README.md\)"):
        recipe("peers").tested([])
