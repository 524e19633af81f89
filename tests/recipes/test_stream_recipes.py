"""Stream sets, a detector tuned on them and its evaluation, from manifests to tables."""

import json
import shutil

import pytest
import torch

from drsn_audio.cli import main
from drsn_audio.config import config_from_dict
from drsn_audio.datasets.manifests import read_cuts
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel


@pytest.fixture
def manifests(task, tmp_path):
    """Tones for words and for running speech, hiss for all noise."""
    folder = tmp_path / "manifests"
    for name, source in {
        "speech-commands/dev": task.dev,
        "speech-commands/test": task.test,
        "running-speech-parts/dev": task.dev,
        "running-speech-parts/test": task.test,
        "synthetic-noise-dev/noise": task.noise,
        "urbansound8k/noise": task.noise,
    }.items():
        path = folder / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
    return folder


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    labels = ["low", "mid", "high", "unknown", "silence"]
    model = AudioModel(config_from_dict({"model": {"preset": "10k", "pool": "causal", "labels": labels}}).model)
    return save_checkpoint(tmp_path / "run", "best", model, step=1, info={}).parent


def test_sets_hold_what_they_say(call, manifests, tmp_path):
    status, out, _ = call("streams", "test-words", "test-free", "--manifests", manifests, "--out", tmp_path / "s")
    assert status == 0
    assert [line.split(":")[0] for line in out] == [f"{tmp_path}/s/test-{name}.jsonl.gz" for name in ("words", "free")]
    words, free = (read_cuts([tmp_path / "s" / f"test-{name}.jsonl.gz"]) for name in ("words", "free"))
    conditions = {(cut.custom["noise_kind"], cut.custom["snr_db"]) for cut in words}
    assert len(conditions) == len(words) == 11  # clean, and two kinds at five SNRs
    assert all(len(cut.supervisions) == 6 for cut in words)
    assert {cut.custom["content"] for cut in free} == {"noise", "speech", "speech in noise"}
    assert all(cut.custom["stream"] for cut in words + free)


@pytest.mark.slow
def test_tuned_and_evaluated(call, manifests, run, tmp_path, capsys):
    assert call("streams", "test-words", "test-free", "--manifests", manifests, "--out", tmp_path / "s")[0] == 0
    streams = [tmp_path / "s" / f"test-{name}.jsonl.gz" for name in ("words", "free")]
    status, out, err = call("tune", run, "--streams", *streams, "--false-alarms", "1000")
    assert (status, len(out)) == (0, 1), err
    assert out[0].startswith("tuned for 1000 false alarms an hour")
    assert "detector" in json.loads((run / "best.json").read_text())

    arguments = ["evaluate", "--model", str(run), "--manifest", *map(str, streams), "-o", f"{tmp_path}/r", "--quiet"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "machinery at -5 dB" in out
    assert err.splitlines() == [f"{tmp_path}/r/{name}" for name in ("run.json", "table.md", "det.png")]
    facts = json.loads((tmp_path / "r" / "run.json").read_text())
    assert facts["model"]["name"] == "run"
    assert len(facts["conditions"]) == 11 + 5

    assert main([*arguments, "--noise", str(manifests / "urbansound8k/noise.jsonl.gz")]) == 2
    assert "streams hold their noise already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["test-word"], "test-word: no such set; did you mean 'test-words'?"),
        (["dev-words", "--manifests", "nowhere"], "nowhere/"),
    ],
)
def test_what_streams_refuses(call, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, out, err = call("streams", *arguments)
    assert (status, out) == (2, [])
    assert reason in err[-1]
