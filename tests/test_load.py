"""drsn_audio.load: run folders, checkpoints and shipped names, and what it says of what cannot be used."""

import shutil
import subprocess
import sys

import pytest

import drsn_audio
from drsn_audio import pretrained
from drsn_audio.models.checkpoint import CheckpointError


def copied(run, tmp_path):
    for path in run.glob("best*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "best.json"


def test_a_checkpoint_may_be_moved(run, tmp_path, say):
    path = copied(run, tmp_path)
    assert drsn_audio.load(path).classify(say("low", "eve")) == drsn_audio.load(run).classify(say("low", "eve"))


@pytest.mark.parametrize("what", ["no folder", "no checkpoint", "no weights", "torn json", "torn weights", "a wav"])
def test_checkpoints_that_cannot_be_used(run, tmp_path, what):
    path = copied(run, tmp_path)
    (weights,) = tmp_path.glob("*.safetensors")
    if what == "no folder":
        path = tmp_path / "nowhere"
    elif what == "no checkpoint":
        path.unlink()
        path = tmp_path
    elif what == "no weights":
        weights.unlink()
    elif what == "torn json":
        path.write_text(path.read_text()[:300])
    elif what == "torn weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif what == "a wav":
        path = tmp_path / "a.wav"
        path.write_text("no")
    with pytest.raises(CheckpointError) as error:
        drsn_audio.load(path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


@pytest.fixture
def shipped(monkeypatch):
    """Names of shipped models and their files, instead of those that are there."""

    def put(**models):
        monkeypatch.setattr(pretrained, "find", models.get)
        monkeypatch.setattr(pretrained, "names", lambda: list(models))

    return put


def test_a_shipped_model_is_loaded_by_its_name(run, tmp_path, monkeypatch, shipped):
    monkeypatch.chdir(tmp_path)
    shipped(tones=run / "best.json")
    assert drsn_audio.load("tones").labels == ["low", "mid", "high", "silence"]
    with pytest.raises(CheckpointError, match=r"tone: no such run folder.*; did you mean 'tones'\?"):
        drsn_audio.load("tone")
    (tmp_path / "tones").mkdir()
    with pytest.raises(CheckpointError, match=r"best\.json"):  # a folder of that name goes first
        drsn_audio.load("tones")


def test_where_no_model_is_shipped_the_remedy_is_another(tmp_path, monkeypatch, shipped):
    monkeypatch.chdir(tmp_path)
    shipped()
    with pytest.raises(CheckpointError, match=r"commands-12: no such .*; this version ships none, name a run folder"):
        drsn_audio.load("commands-12")


def test_loading_a_model_imports_nothing_that_only_training_needs():
    """A command that classifies one file starts in little more than the time of torch."""
    heavy = ("lhotse", "scipy", "rich", "matplotlib", "accelerate", "triton", "huggingface_hub")
    check = f"import sys, drsn_audio.api; sys.exit(' '.join(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_a_device_that_is_not_here(run, device):
    with pytest.raises(ValueError, match=f"device '{device}'") as error:
        drsn_audio.load(run, device)
    assert "\n" not in str(error.value)
