"""Names of shipped models, found without loading anything, and each of them as it should be."""

import hashlib
import json
import subprocess
import sys

import pytest

from drsn_audio import pretrained
from drsn_audio.models.checkpoint import load_checkpoint

LARGEST_BYTES = 1_000_000  # of a keyword model
LARGEST_OF_WORDS_BYTES = 4_000_000


def test_a_name_is_found_and_no_other(tmp_path, monkeypatch):
    (tmp_path / "a-1.json").touch()
    (tmp_path / "a-1-00000001-0123abcd.safetensors").touch()
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert pretrained.names() == ["a-1"]
    assert pretrained.find("a-1") == tmp_path / "a-1.json"
    for name in ("a-2", "", "a-1.json", "../a-1", "*"):
        assert pretrained.find(name) is None


def test_looking_for_a_name_imports_nothing_heavy():
    check = (
        "import sys, drsn_audio.pretrained as p; p.names(); assert not {'torch', 'numpy', 'lhotse'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize("name", pretrained.names())
def test_a_shipped_model_is_whole_small_and_described(name):
    path = pretrained.find(name)
    model, described = load_checkpoint(path)
    weights = path.parent / described["weights"]
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == described["sha256"]
    largest = LARGEST_OF_WORDS_BYTES if model.config.head == "ctc" else LARGEST_BYTES
    assert path.stat().st_size + weights.stat().st_size < largest
    assert [other for other in path.parent.glob(f"{name}-[0-9]*.safetensors") if other != weights] == []
    assert model.config.labels == described["labels"]
    licence = described["licence"]
    assert all(corpus["shippable"] or corpus["terms"] == licence for corpus in described["training_data"])
    for key in ("licence", "command", "commit", "seed", "metrics", "parameters", "multiply_adds"):
        assert key in described
    if path.with_suffix(".md").exists():  # a card of these weights, not of earlier ones
        assert described["sha256"] in path.with_suffix(".md").read_text()
    assert json.loads(path.read_text()) == described
