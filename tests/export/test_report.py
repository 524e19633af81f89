import copy
import json
import math

import pytest
import torch

from drsn_audio.cli import main
from drsn_audio.errors import InputError
from drsn_audio.export import run, timing
from drsn_audio.export.report import as_text, parity_report
from drsn_audio.export.sound import noisy_speech
from drsn_audio.files import write_whole
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.streaming.tail import TAIL_S

from ..conftest import write_wav
from .conftest import DETECTOR, TIMING, causal_model, loud_and_soft


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 2)


def test_float_is_the_model_and_8_bits_are_near(exported):
    files = {"float": exported.float, "int8": exported.int8}
    report = parity_report(exported.model, files, loud_and_soft(3.01))
    assert report["frames"] == math.ceil((3.01 + TAIL_S) / 0.04)  # the last one is filled
    assert report["float"]["max_logit_difference"] <= 1e-4
    assert report["float"]["agreement"] == 1
    assert report["float"]["equal_events"] == report["float"]["events"] == report["torch"]["events"] > 0
    assert report["int8"]["max_logit_difference"] > 1e-3
    for kind, path in files.items():
        assert report[kind]["bytes"] == path.stat().st_size
        assert report[kind]["real_time_factor"] == pytest.approx(report[kind]["median_ms"] / 40)
    assert min(report[kind]["median_ms"] for kind in ("torch", *files)) > 0
    assert "float   float.onnx, " in as_text({"sound": "hiss", **report}, list(files))


@pytest.mark.slow
def test_of_a_model_that_writes_the_text_is_compared(written):
    files = {"float": written.float, "int8": written.int8}
    report = parity_report(written.model, files, loud_and_soft(3.01))
    said = report["torch"]["text"].split()
    assert len(said) == report["torch"]["events"] > 3
    assert set(said) <= {"low", "high", "unknown"}
    assert report["float"]["max_logit_difference"] <= 1e-4
    assert (report["float"]["text"], report["float"]["equal_text"]) == (report["torch"]["text"], True)
    assert report["int8"]["equal_text"] is (report["int8"]["text"] == report["torch"]["text"])
    assert (report["torch"]["step_ms"], report["float"]["step_ms"]) == (40, 160)
    assert report["float"]["real_time_factor"] == pytest.approx(report["float"]["median_ms"] / 160)
    lines = as_text({"sound": "hiss", **report}, list(files)).splitlines()
    assert lines[1].startswith(f"torch   {len(said)} words; ")
    assert f"{len(said)} words, {len(said)} of them as with torch, the same text; " in lines[2]


def test_another_model_is_seen_to_differ(exported):
    other = copy.deepcopy(exported.model)
    with torch.no_grad():
        other.head.linear.bias[0] += 5
    report = parity_report(other, {"float": exported.float}, loud_and_soft(2))
    assert report["float"]["max_logit_difference"] == pytest.approx(5, abs=1e-3)
    assert report["float"]["mean_logit_difference"] == pytest.approx(5 / 4, abs=1e-3)
    frames = math.ceil((2 + TAIL_S) / 0.04)
    assert report["frames"] == frames
    assert report["float"]["frames_of_equal_label"] < frames
    assert report["float"]["agreement"] == report["float"]["frames_of_equal_label"] / frames


def test_command_writes_the_file_and_the_report(exported, tmp_path, capsys, monkeypatch):
    # The trace, of seconds, was made before.
    monkeypatch.setattr(run, "export_onnx", lambda model, path, **_: write_whole(path, exported.float.read_bytes()))
    save_checkpoint(tmp_path / "run", "best", exported.model, step=1, info={})
    audio = write_wav(tmp_path / "sound.wav", loud_and_soft(2))
    out = tmp_path / "out" / "step.onnx"
    assert main(["export", str(tmp_path / "run"), "--onnx", str(out), "--audio", str(audio)]) == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "step.report.json").read_text())
    assert printed.startswith("sound.wav: 2 s, ")
    assert f"step.onnx, {out.stat().st_size / 1000:.0f} kB" in printed
    assert report["float"]["max_logit_difference"] <= 1e-4
    assert report["about"]["tuned"] is False


@pytest.mark.parametrize(("given", "blocks"), [([], 4), (["--blocks", "2"], 2)])
def test_command_exports_a_model_that_writes_in_steps_of_several_blocks(
    written, tmp_path, capsys, monkeypatch, given, blocks
):
    asked = {}

    def export(model, path, **settings):
        asked.update(settings)
        write_whole(path, written.float.read_bytes())

    monkeypatch.setattr(run, "export_onnx", export)
    save_checkpoint(tmp_path / "run", "best", written.model, step=1, info={"timing": TIMING})
    audio = write_wav(tmp_path / "sound.wav", loud_and_soft(2))
    out = tmp_path / "words.onnx"
    assert main(["export", str(tmp_path / "run"), "--onnx", str(out), "--audio", str(audio), *given]) == 0
    assert (asked["blocks"], asked["timing"], asked["detector"]) == (blocks, TIMING, None)
    assert "the same text" in capsys.readouterr().out
    assert json.loads((tmp_path / "words.report.json").read_text())["about"]["tuned"] is True


def test_command_shows_its_steps_unless_quiet(exported, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "export_onnx", lambda model, path, **_: write_whole(path, exported.float.read_bytes()))
    save_checkpoint(tmp_path / "run", "best", exported.model, step=1, info={})
    audio = write_wav(tmp_path / "sound.wav", loud_and_soft(1))
    command = ["export", str(tmp_path / "run"), "--onnx", str(tmp_path / "step.onnx"), "--audio", str(audio)]
    assert main(command) == 0
    steps = [line for line in capsys.readouterr().err.splitlines() if line.startswith("export, ")]
    assert len(steps) >= 3
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_command_refuses_what_cannot_be_exported_in_one_line(tmp_path, capsys):
    save_checkpoint(tmp_path / "clip", "best", causal_model(pool="clip"), step=1, info={})
    assert main(["export", str(tmp_path / "clip"), "--onnx", str(tmp_path / "x.onnx")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "hears whole clips" in line
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        run.export_model(causal_model(), tmp_path / "x.bin", detector=DETECTOR)
    short = write_wav(tmp_path / "short.wav", loud_and_soft(0.03))
    with pytest.raises(InputError, match=r"short\.wav: shorter than the 640 samples"):
        run.export_model(causal_model(), tmp_path / "x.onnx", detector=DETECTOR, audio=short)
    assert not list(tmp_path.glob("*.onnx"))


def test_noisy_speech_is_that_of_its_seed():
    wave, what = noisy_speech(5.5, ["yes", "no"], seed=3)
    assert wave.shape == (88000,)
    assert 0.001 < wave.std() < 1
    assert "street and factory noise" in what
    assert (wave == noisy_speech(5.5, ["yes", "no"], seed=3)[0]).all()
