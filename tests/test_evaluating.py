"""drsn-audio evaluate, of a model that writes; of keywords and streams see test_cli.py."""

import json
import logging

import pytest

from drsn_audio.cli import main
from drsn_audio.datasets.manifests import scan_cuts


@pytest.fixture
def cli(capsys):
    """Run a command; its status, and the lines of stdout and stderr."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield run
    logging.getLogger("drsn_audio").handlers = []


def test_error_rates_of_a_model_that_writes(cli, writing_run, task, tmp_path):
    arguments = ["evaluate", "--model", writing_run, "--manifest", task.test, "--noise", task.noise, "--folds", "3"]
    arguments += ["--snr", "20", "-5", "--draws", "1", "-o", tmp_path / "r", "--quiet"]
    status, out, err = cli(*arguments)
    assert status == 0
    table = "\n".join(out)
    assert "Word error rate" in table
    assert "-5 dB" in table
    assert err == [f"{tmp_path}/r/{name}" for name in ("run.json", "table.md", "wer.png")]
    facts = json.loads((tmp_path / "r/run.json").read_text())
    assert facts["kind"] == "transcription"
    assert facts["model"]["name"] == "writing"
    assert facts["model"]["decoder"] == {"kind": "greedy"}
    assert {one["noise_kind"] for one in facts["conditions"]} == {"clean", "machinery", "street", "mean"}
    of_kinds = [one["wer"] for one in facts["conditions"] if one["snr_db"] == 20 and one["noise_kind"] != "mean"]
    (mean,) = (one["wer"] for one in facts["conditions"] if (one["noise_kind"], one["snr_db"]) == ("mean", 20))
    assert mean == pytest.approx(sum(of_kinds) / 2)


def test_a_beam_search_is_used_and_told(cli, writing_run, task, tmp_path):
    pytest.importorskip("flashlight.lib.text")
    arguments = ["evaluate", "--model", writing_run, "--manifest", task.test, "--quiet", "-o", tmp_path / "r"]
    # A score that no sound outweighs: each of the words that the beam can write is worth writing.
    status, _, _ = cli(*arguments, "--beam", "7", "--word-score", "30", "--hotword", "mid=3")
    assert status == 0
    facts = json.loads((tmp_path / "r/run.json").read_text())
    told = facts["model"]["decoder"]
    assert (told["kind"], told["beam"], told["word_score"], told["hotwords"]) == ("beam search", 7, 30.0, {"mid": 3.0})
    (clean,) = facts["conditions"]
    assert clean["insertions"] > 3 * clean["words"]


@pytest.mark.parametrize(
    ("model", "arguments", "reason"),
    [
        ("WRITES", ["--manifest", "nowhere.jsonl.gz"], "nowhere.jsonl.gz: no such manifest"),
        ("WRITES", ["--snr", "5"], "--snr without --noise"),
        ("WRITES", ["--language-model", "nowhere.arpa"], "nowhere.arpa"),
        ("WRITES", ["--hotword", "left"], "left"),
        ("NAMES", ["--beam", "5", "--word-score", "1"], "--beam, --word-score: "),
    ],
)
def test_what_it_refuses(cli, run, writing_run, task, model, arguments, reason):
    pytest.importorskip("flashlight.lib.text")
    model = {"WRITES": writing_run, "NAMES": run}[model]
    status, out, err = cli("evaluate", "--manifest", task.test, "--model", model, *arguments, "--quiet")
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


def test_streams_of_keywords_are_for_models_that_name_them(cli, writing_run, task, tmp_path):
    (cut, *_) = scan_cuts(task.test)
    manifest = tmp_path / "streams.jsonl"
    manifest.write_text(json.dumps(cut | {"custom": {"stream": True}}) + "\n")
    status, _, err = cli("evaluate", "--model", writing_run, "--manifest", manifest, "--quiet")
    assert (status, len(err)) == (2, 1)
    assert "streams of keywords" in err[0]
