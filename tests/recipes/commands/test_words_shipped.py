"""From a run of connected words to the package and its card: whose recordings it learnt from decides the licence."""

import dataclasses
import json
import sys

import pytest
import soundfile as sf
import torch

from drsn_audio import pretrained
from drsn_audio.config import ConfigError, config_from_dict, config_to_yaml, load_config
from drsn_audio.corpora.cuts import SpeechFile, make_cut, write_cuts
from drsn_audio.datasets.connected import plan_strings, write_strings
from drsn_audio.datasets.manifests import AudioStore, file_sha256, read_cuts
from drsn_audio.evaluation.transcription import describe_transcription
from drsn_audio.evaluation.transcripts import Transcripts
from drsn_audio.labels import BLANK, UNKNOWN
from drsn_audio.models.checkpoint import load_checkpoint, save_checkpoint
from drsn_audio.models.model import AudioModel

LABELS = [BLANK, "left", "one", UNKNOWN]
TIMING = {"start_s": {}, "end_s": {}, "default": [0.4, 0.1], "heard": 9, "words": 12, "off_s": [0.0, 0.1]}


@pytest.fixture
def ship(recipe, folder, monkeypatch):
    """The keyword recipe's, behind this one's scripts."""
    monkeypatch.setattr("sys.path", [*sys.path, str(folder.parent / "keywords")])
    return recipe("ship").ship


def words(folder, say, ids):
    """Recordings of ids such as left/0a_nohash_0 and 1_ann_0: a manifest of them."""
    cuts = []
    for id, (word, speaker) in ids.items():
        path = folder / f"{id.replace('/', '-')}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, say("low" if word == "left" else "mid", speaker), 16000)
        cuts.append(make_cut(SpeechFile(id, path, "dev", word, speaker)))
    write_cuts(cuts, folder / "words.jsonl.gz")
    return cuts


@pytest.fixture
def strings(tmp_path, say):
    commands = words(tmp_path / "c", say, {f"left/{i}a_nohash_0": ("left", f"{i}a") for i in range(4)})
    digits = words(tmp_path / "d", say, {f"1_ann_{i}": ("one", "ann") for i in range(4)})
    plans = plan_strings(commands, digits, set_name="dev", seed=0)
    write_strings(plans, -26.0, tmp_path, "dev", AudioStore(16000))
    return tmp_path / "dev.jsonl.gz"


@pytest.fixture
def run(tmp_path, say, task, strings):
    """A run that learnt "left", and "bed" as unknown, and sentences of LibriSpeech, and was chosen by the strings."""
    words(tmp_path / "t", say, {"left/9a_nohash_0": ("left", "9a"), "bed/9a_nohash_0": ("bed", "9a")})
    words(tmp_path / "s", say, {"19-198-0001": ("A WHOLE SENTENCE", "19")})
    noise = read_cuts([task.noise])
    for number, cut in enumerate(noise):
        cut.id = f"street-0-{number}"
    write_cuts(noise, tmp_path / "noise.jsonl.gz")
    config = config_from_dict(
        {
            "run": str(tmp_path / "run"),
            "model": {"preset": "ctc-500k", "head": "ctc", "units": "words", "pool": "causal", "labels": LABELS},
            "data": {
                "train": [str(tmp_path / "t" / "words.jsonl.gz")],
                "dev": [str(strings)],
                "strings": {"rows": 4, "speech": [str(tmp_path / "s" / "words.jsonl.gz")]},
                "noise_train": [{"manifest": str(tmp_path / "noise.jsonl.gz")}],
                "noise_dev": [{"manifest": str(tmp_path / "noise.jsonl.gz")}],
            },
        }
    )
    torch.manual_seed(0)
    info = {"seed": 0, "parameters": 1, "multiply_adds": 2, "metrics": {}, "command": "c", "commit": "d"}
    timing = TIMING | {"data": [{"manifest": str(strings), "sha256": file_sha256(strings)}]}
    save_checkpoint(tmp_path / "run", "best", AudioModel(config.model), step=3, info=info | {"timing": timing})
    (tmp_path / "run" / "config.yaml").write_text(config_to_yaml(config))
    return tmp_path / "run"


@pytest.mark.slow
def test_every_config_runs_two_steps(call, folder, tmp_path):
    for config in sorted((folder / "configs").glob("*.yaml")):
        status, out, _ = call("train", "--config", config, "--smoke", f"run={tmp_path / config.stem}")
        assert (status, out) == (0, [f"best checkpoint: {tmp_path}/{config.stem}-smoke/best.json"])
        assert json.loads((tmp_path / f"{config.stem}-smoke" / "best.json").read_text())["step"] == 2


@pytest.mark.slow
def test_the_manifests_that_configs_name_are_made(recipe, folder):
    prepare = recipe("prepare")
    made = {*prepare.RECORDED, *prepare.SYNTHESISED, "commands-strings"}
    for path in (folder / "configs").glob("*.yaml"):
        data = load_config(path).data
        sources = [*data.noise_train, *data.noise_dev, *data.noise_test]
        named = [*data.train, *data.dev, *data.test, *data.strings.speech, *(source.manifest for source in sources)]
        assert {name.split("/")[1] for name in named} <= made
        assert not {*data.train} & {*data.dev, *data.test}


@pytest.mark.slow
def test_the_licence_follows_from_the_recordings_in_the_strings(ship, run, tmp_path):
    with pytest.raises(ConfigError, match=r"dev\.jsonl\.gz: Free Spoken Digits \(CC BY-SA 4\.0\) forbids .* under MIT"):
        ship(run, "words-2", tmp_path / "package")
    path = ship(run, "words-2", tmp_path / "package", "CC BY-SA 4.0")
    described = load_checkpoint(path)[1]
    assert described["licence"] == "CC BY-SA 4.0"
    assert described["timing"]["default"] == [0.4, 0.1]
    assert described["other_words"] == ["bed"]
    assert {one["corpus"]: one["recordings"] for one in described["training_data"]} == {
        "speech-commands": {"training": 2, "development": 4},
        "librispeech": {"training": 1},
        "free-spoken-digits": {"development": 4},
        "synthetic-noise": {"training": 6, "development": 6},
    }


@pytest.mark.slow
def test_what_was_not_timed_is_not_shipped(ship, run, tmp_path):
    path = run / "best.json"
    described = json.loads(path.read_text())
    del described["timing"]
    path.write_text(json.dumps(described))
    with pytest.raises(ConfigError, match=r"was not measured: python recipes/commands/tune\.py"):
        ship(run, "words-2", tmp_path / "package", "CC BY-SA 4.0")


def facts(manifest, sha256, name, hypotheses):
    cuts = read_cuts([manifest])
    said = [cut.supervisions[0].text for cut in cuts]
    written = [
        Transcripts(
            kind,
            snr_db,
            [cut.id for cut in cuts],
            hypotheses(said),
            said,
            ["a", "b", "c", "d", "e"] * 9,
            ["x", "y"] * 9,
        )
        for kind, snr_db in (("clean", None), ("street", 5.0), ("machinery", 5.0))
    ]
    written = [
        dataclasses.replace(one, speakers=one.speakers[: len(cuts)], noise_sources=one.noise_sources[: len(cuts)])
        for one in written
    ]
    model = {"name": name, "shrinkage": "", "units": "words", "labels": LABELS, "decoder": {"kind": "greedy"}}
    if sha256:
        model["checkpoint"] = {"sha256": sha256}
    evaluate = dataclasses.replace(load_config(None, []).evaluate, replicates=20)
    return describe_transcription(model, [str(manifest)], [], cuts, written, evaluate, level="p56", draws=1)


@pytest.mark.slow
def test_a_card_says_what_was_measured(recipe, ship, run, strings, tmp_path, monkeypatch):
    path = ship(run, "words-2", tmp_path / "package", "CC BY-SA 4.0")
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "package")
    sha256 = json.loads(path.read_text())["sha256"]
    results = tmp_path / "results"
    write_card = recipe("card").write_card
    with pytest.raises(ConfigError, match=r"run\.json: not there: make it with python recipes/commands/peers\.py"):
        write_card("words-2", results)
    for name, sha, hear in (
        ("words-2", sha256, lambda said: [text.replace("left", "one", 1) for text in said]),
        ("pocketsphinx", "", lambda said: ["" for _ in said]),
    ):
        (results / name).mkdir(parents=True)
        (results / name / "run.json").write_text(json.dumps(facts(strings, sha, name, hear)))
    card = write_card("words-2", results).read_text()
    assert card.count("Not measured.") == 1  # the speed; what timing there is, is told
    assert "given, in the median, 0.10 s after its end, 0.40 s after its beginning" in card
    assert "left taken for one" in card
    assert "Free Spoken Digits ask that what is made of them is passed on under their own licence" in card
    assert "pocketsphinx | 100.0" in card
    assert (results / "words-2" / "table.md").is_file()

    row = {"noise_kind": "clean", "snr_db": None, "strings": 60, "rtf": 0.00512, "of_peer": 0.234}
    speed = {"machine": "a CPU", "weights": {"words.onnx": sha256}, "rows": [row | {"recogniser": "words.onnx, live"}]}
    within = {"mean": 0.966, "low": 0.9, "high": 0.99}
    times = {
        "hours": 2.01,
        "said": 5595,
        "matched": 4607,
        "limit_s": 0.2,
        "within": within,
        "median_s": 0.022,
        "p90_s": 0.062,
    }
    form = {"equal": 8, "near_ties": [], "differences": [], "max_logit_difference": 1e-5}
    parity = {"checkpoint": sha256, "files": 8, "streams": {"ONNX": form}}
    for name, found in (("speed", speed), ("times", times), ("parity", parity)):
        (results / "words-2" / f"{name}.json").write_text(json.dumps(found))
    card = write_card("words-2", results).read_text()
    for told in (
        "In 2.01 h",
        "0.0051",
        "0.23",
        "96.6 % [90.0, 99.0]",
        "0.022 s",
        "0.062 s",
        "4,607",
        "ONNX 8 (0 near ties",
    ):
        assert told in card
    (results / "words-2" / "speed.json").write_text(json.dumps(speed | {"weights": {"words.onnx": "another"}}))
    with pytest.raises(ConfigError, match=r"speed\.json: of other weights"):
        write_card("words-2", results)
    with pytest.raises(ConfigError, match="did you mean 'words-2'"):
        write_card("words-3", results)
