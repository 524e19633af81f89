"""A small denoiser, exported: the same gains and the same sound, digital silence included."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from drsn_audio.cli import main
from drsn_audio.export import run, timing
from drsn_audio.export.denoise_report import LOWEST_DB, difference_db
from drsn_audio.export.onnx import export_onnx
from drsn_audio.export.quantise import quantise_onnx
from drsn_audio.export.report import as_text, parity_report
from drsn_audio.files import write_whole
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.streaming.onnx import OnnxStep
from drsn_audio.streaming.onnx_denoising import OnnxDenoiseStream

from ..conftest import write_wav
from ..denoising.conftest import hiss, small_denoiser


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    pytest.importorskip("onnxscript")
    folder, model = tmp_path_factory.mktemp("denoiser"), small_denoiser()
    files = SimpleNamespace(model=model, float=folder / "d.onnx", int8=folder / "d.int8.onnx")
    export_onnx(model, files.float, about={"checkpoint": "abc"})
    quantise_onnx(files.float, files.int8, hiss(32000, seed=1))
    return files


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 2)
    yield
    logging.getLogger("drsn_audio").handlers = []


@pytest.mark.slow
@pytest.mark.parametrize("blend", [0.0, 0.5])
def test_the_file_gives_what_the_model_gives(exported, blend):
    wave = hiss(10001)
    wave[3000:6000] = 0  # frames of digital silence, whose logarithm has a floor
    stream = OnnxDenoiseStream(exported.float, blend)
    sound, gains = [], []
    for begin in range(0, len(wave), 777):
        sound.append(stream.feed(wave[begin : begin + 777]))
        gains.append(stream.gains)
    sound.append(stream.flush())
    gains.append(stream.gains)
    with torch.inference_mode():
        expected = exported.model.denoise(torch.from_numpy(wave)[None])[0].numpy()
        of_model = exported.model(torch.from_numpy(np.pad(wave, (0, 256)))[None])[0].numpy()
    if blend:
        assert np.abs(np.concatenate(sound) - wave).max() < np.abs(expected - wave).max()
    else:
        assert np.concatenate(gains) == pytest.approx(of_model, abs=1e-3)
        assert np.concatenate(sound) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_many_streams_at_once(exported):
    step = OnnxStep(exported.float)
    waves = np.stack([hiss(256 * 3, seed=seed) for seed in range(5)])
    state, gains = step.begin(5), []
    for begin in range(0, 768, 256):
        heard, state = step(np.ascontiguousarray(waves[:, begin : begin + 256]), state)
        gains.append(heard)
    with torch.inference_mode():
        expected = exported.model(torch.from_numpy(waves)).numpy()
    assert np.stack(gains, axis=1) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_the_file_says_what_it_is(exported):
    about = OnnxStep(exported.float).about
    assert (about["denoiser"], about["labels"], about["frames"]) == ({"bins": 257, "hop": 256}, [], 1)
    assert about["checkpoint"] == "abc"
    assert "detector" not in about


@pytest.mark.slow
def test_the_report_compares_gains_and_sound(exported):
    files = {"float": exported.float, "int8": exported.int8}
    report = parity_report(exported.model, files, hiss(16001))
    assert (report["seconds"], report["frames"]) == (1.0, 64)
    assert report["float"]["max_gain_difference"] <= 1e-3
    assert report["float"]["difference_db"] < -80
    assert report["int8"]["max_gain_difference"] > report["float"]["max_gain_difference"]
    assert -80 < report["int8"]["difference_db"] < 0
    for kind, path in files.items():
        assert report[kind]["bytes"] == path.stat().st_size
        assert report[kind]["step_ms"] == 16
        assert report[kind]["real_time_factor"] == pytest.approx(report[kind]["median_ms"] / 16)
    lines = as_text({"sound": "hiss", **report}, list(files)).splitlines()
    assert lines[0].startswith("hiss: 1 s, 64 frames, mean gain 0.")
    assert lines[1].startswith("torch   ")
    assert "d.onnx, " in lines[2]
    assert " dB re the sound; " in lines[3]


@pytest.mark.slow
def test_another_model_is_seen_to_differ(exported):
    other = small_denoiser()
    with torch.no_grad():
        other.head.output.bias.add_(1.0)
    report = parity_report(other, {"float": exported.float}, hiss(16000))
    assert report["float"]["max_gain_difference"] > 0.2
    assert report["float"]["difference_db"] > -30


def test_a_difference_in_db():
    sound = np.array([3.0, -4.0])
    assert difference_db(np.array([3.3, -3.6]), sound) == pytest.approx(-20)
    assert difference_db(sound, sound) == LOWEST_DB
    assert difference_db(sound, 0 * sound) == -LOWEST_DB


def test_the_command(exported, tmp_path, capsys, monkeypatch):
    # The trace, of seconds, was made before.
    asked = {}

    def export(model, path, **settings):
        asked.update(settings)
        write_whole(path, exported.float.read_bytes())

    monkeypatch.setattr(run, "export_onnx", export)
    save_checkpoint(tmp_path / "run", "best", exported.model, step=1, info={})
    audio = write_wav(tmp_path / "sound.wav", hiss(16000))
    out = tmp_path / "d.onnx"
    assert main(["export", str(tmp_path / "run"), "--onnx", str(out), "--audio", str(audio)]) == 0
    assert (asked["blocks"], asked["detector"], asked["timing"]) == (1, None, None)
    assert "gains differ by at most" in capsys.readouterr().out
    report = json.loads((tmp_path / "d.report.json").read_text())
    assert set(report["about"]) == {"checkpoint"}
    assert report["sound"] == "sound.wav"
