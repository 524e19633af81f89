"""The answer is written and printed, and a text that differs is told by the exit status."""

import json
import sys

import numpy as np
import pytest
import torch

from drsn_audio.config import config_from_dict
from drsn_audio.corpora.cuts import SpeechFile
from drsn_audio.corpora.prepare import prepare
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.stream import Stream
from drsn_audio.streaming.writer import Writer
from recipes.commands import parity

from ...conftest import tone_word, write_wav


class Deaf(Writer):
    def step(self, probabilities):
        return []


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    names = {"preset": "10k", "pool": "causal", "head": "ctc", "labels": ["<blank>", "low", "mid", "high"]}
    model = AudioModel(config_from_dict({"model": names}).model).train()
    model(0.1 * torch.randn(4, 16000))
    with torch.no_grad():
        model.head.linear.weight.mul_(30)
        model.head.linear.bias[0] -= 5  # something is written
    save_checkpoint(tmp_path / "run", "best", model, step=7, info={})
    files = [
        SpeechFile(f"{word}/eve", write_wav(tmp_path / f"{word}.wav", tone_word(word, "eve")), "test", word, "eve")
        for word in ("low", "mid")
    ]
    manifest = prepare("tones", tmp_path, files, [], progress=False).manifests["test"]
    (tmp_path / "run" / "config.yaml").write_text(f"data: {{test: ['{manifest}']}}\n")
    return tmp_path / "run"


@pytest.mark.parametrize("writer", [Writer, Deaf])
def test_the_answer_is_written(run, monkeypatch, capsys, writer):
    """The export, of ten seconds, is tested with it: a stream of the model stands in its place."""
    from drsn_audio.api import load_transcriber

    model = load_transcriber(run)
    stand_in = Stream(model.module, writer(model.units, model.frame_s))
    monkeypatch.setattr("drsn_audio.export.onnx.export_onnx", lambda *_, **__: None)
    monkeypatch.setattr("drsn_audio.streaming.onnx.OnnxStream", lambda path: stand_in)
    monkeypatch.setattr(sys, "argv", ["parity.py", str(run)])
    assert parity.main() == (writer is Deaf)
    facts = json.loads((run / "parity.json").read_text())
    assert (facts["files"], facts["step"], facts["checkpoint"]) == (2, 7, model.info["sha256"])
    assert facts["words"] >= 2
    assert facts["streams"]["PyTorch"]["equal"] == 2
    assert facts["streams"]["ONNX"]["equal"] == (0 if writer is Deaf else 2)
    printed = capsys.readouterr().out
    assert "PyTorch: 2 of 2 texts are the greedy text of the whole" in printed
    assert np.isclose(facts["seconds"], 0.6)
