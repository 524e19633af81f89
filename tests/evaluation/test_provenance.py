"""Where a number comes from, as a reader would type it."""

import json
import subprocess
from pathlib import Path

import pytest

import drsn_audio
from drsn_audio.evaluation import provenance as module
from drsn_audio.evaluation.provenance import command_line, commit, provenance

ROOT = Path(drsn_audio.__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["/usr/local/bin/drsn-audio", "mix", "a b.wav"], "drsn-audio mix 'a b.wav'"),
        ([str(ROOT / "drsn_audio/__main__.py"), "mix"], "drsn-audio mix"),
        ([str(ROOT / "recipes/keywords/train.py"), "seed=1"], "python recipes/keywords/train.py seed=1"),
        (["/home/someone/private/script.py"], "python script.py"),
    ],
)
def test_the_command(monkeypatch, arguments, expected):
    monkeypatch.setattr("sys.argv", arguments)
    assert command_line() == expected


def test_the_commit_is_the_checkout_s():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert commit().removesuffix("-dirty") == head.stdout[:12]


def test_without_git(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert commit() == ""


def test_what_is_named():
    facts = json.loads(json.dumps(provenance()))
    assert set(facts) == {"command", "commit", "date", "versions", "machine"}
    assert facts["versions"]["drsn-audio"] == drsn_audio.__version__
    assert facts["versions"]["torch"]
