"""Wrong arguments are reported before torch is imported: importing it fails here, and the message is the usual one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio import checks, pretrained
from drsn_audio.datasets.mix_noise import SYNTHETIC_NOISES

ROOT = Path(__file__).resolve().parents[1]
WRONG = [  # each with what the message names
    ["prepare", "nope", "SOURCE", "out"],
    ["prepare", "folder", "nope", "out"],
    ["prepare", "synthetic-noise", "a.wav/nope"],
    ["mix", "nope.wav", "street", "--snr", "5", "-o", "out"],
    ["mix", "a.wav", "nope", "--snr", "5", "-o", "out"],
    ["mix", "a.wav", "street", "--snr", "5", "-o", "a.wav/nope/b.wav"],
    ["mix", "a.wav", "street", "--snr", "5", "--rooms", "nope", "-o", "out"],
    ["mix", "--from-manifest", "nope.jsonl.gz", "-o", "out"],
    ["shard", "nope.jsonl.gz", "-o", "out"],
    ["estimate-snr", "nope.wav"],
    ["classify", "nope.wav"],
    ["classify", "nope*.wav"],
    ["classify", "nope.jsonl.gz"],
    ["classify", "a.wav", "--model", "nope"],
    ["classify", "a.wav", "--model", "nope.json"],
    ["classify", "a.wav", "--model", "empty"],
    ["classify", "a.wav", "--model", "denoise-small"],
    ["classify", "a.wav", "-o", "a.wav/nope.jsonl"],
    ["transcribe", "nope.wav"],
    ["transcribe", "a.wav", "--model", "nope"],
    ["transcribe", "a.wav", "--model", "commands-12"],
    ["transcribe", "a.wav", "--reference", "nope.txt"],
    ["transcribe", "a.wav", "--lexicon", "nope.txt"],
    ["transcribe", "a.wav", "-o", "a.wav"],
    ["denoise", "nope.wav", "-o", "out.wav"],
    ["denoise", "a.wav", "-o", "out.wav", "--model", "nope"],
    ["denoise", "a.wav", "-o", "out.wav", "--model", "nope.onnx"],
    ["denoise", "a.wav", "-o", "out.wav", "--blend", "nope"],
    ["explain", "nope.wav"],
    ["explain", "a.wav", "--model", "nope"],
    ["stream", "nope.wav"],
    ["stream", "a.wav", "--model", "nope"],
    ["stream", "a.wav", "--model", "nope.onnx"],
    ["stream", "a.wav", "--model", "commands-12"],
    ["stream", "a.wav", "--denoise", "--model", "nope"],
    ["stream", "a.wav", "--reference", "nope.txt"],
    ["stream", "a.wav", "--threshold", "stop=nope"],
    ["export", "nope", "--onnx", "out.onnx"],
    ["export", "commands-12", "--onnx", "out.onnx"],
    ["export", "commands-12-stream", "--onnx", "nope"],
    ["export", "commands-12-stream", "--onnx", "out.onnx", "--audio", "nope.wav"],
    ["push", "nope", "owner/name"],
    ["push", "commands-12", "nope"],
    ["evaluate", "--model", "nope", "--manifest", "a.jsonl"],
    ["evaluate", "--model", "commands-12", "--manifest", "nope.jsonl.gz"],
    ["evaluate", "--model", "commands-12", "--manifest", "a.jsonl", "--noise", "nope.jsonl.gz"],
    ["runs", "nope"],
]


@pytest.fixture
def drsn_audio(tmp_path):
    """drsn-audio in a folder with a.wav, where importing torch raises."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/torch.py").write_text("raise RuntimeError('torch is imported')\n")
    here = tmp_path / "here"
    (here / "empty").mkdir(parents=True)
    (here / "a.jsonl").write_text("{}\n")
    sf.write(here / "a.wav", np.zeros(1600), 16000)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'fake'}{os.pathsep}{ROOT}", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-m", "drsn_audio", *arguments]
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=120)

    return run


@pytest.mark.slow
def test_every_command_says_what_is_wrong_before_torch_is_imported(drsn_audio):
    """All in one test, for each is a process of its own; a usage line of argparse may stand before the message."""
    for arguments in WRONG:
        done = drsn_audio(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert "Traceback" not in done.stderr, arguments
        *before, line = done.stderr.splitlines()
        assert "error: " in line, arguments
        assert all(earlier.startswith(("usage: ", " ")) for earlier in before), (arguments, done.stderr)
        known = [word for word in arguments if word in pretrained.names()]
        wanted = "nope" if any("nope" in word for word in arguments) else (known or arguments)[-1]
        assert wanted in line, (arguments, line)


def test_torch_is_imported_where_nothing_is_wrong(drsn_audio):
    assert "torch is imported" in drsn_audio("classify", "a.wav").stderr
    assert "torch is imported" in drsn_audio("classify", "nope.wav", "a.wav").stderr  # a.wav is still done


def test_places_that_are_all_wrong_are_reported_as_answers(drsn_audio):
    done = drsn_audio("classify", "nope.wav", "nope*.flac", "--json")
    assert done.returncode == 2
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == ["nope.wav", "nope*.flac"]
    assert len(done.stderr.splitlines()) == 2


def test_names_of_synthesised_noise_are_those_there_are():
    assert set(checks.SYNTHETIC) == set(SYNTHETIC_NOISES)
