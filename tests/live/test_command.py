"""`drsn-audio stream`: events on stdout as they come, all else on stderr; it always ends with a summary."""

import functools
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main
from drsn_audio.config import config_from_dict
from drsn_audio.errors import InputError
from drsn_audio.live import command
from drsn_audio.live.command import change_thresholds, open_stream
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel
from drsn_audio.streaming.detector import DetectorConfig

RATE = 16000


@pytest.fixture
def stream(monkeypatch, capsys, loud_stream):
    """Run the command with the stream that hears what is loud; its status, and the lines of stdout and stderr."""
    monkeypatch.setattr(command, "open_stream", lambda *_: loud_stream)

    def run(*arguments, stdin=None):
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin), isatty=lambda: False))
        status = main(["stream", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield run
    logging.getLogger("drsn_audio").handlers = []


@pytest.fixture
def writing(monkeypatch, stream, writing_stream):
    """The same with a stream whose model writes."""
    monkeypatch.setattr(command, "open_stream", lambda *_: writing_stream)
    return stream


@pytest.fixture
def wav(tmp_path, bursts):
    sf.write(tmp_path / "a.wav", bursts, RATE)
    return tmp_path / "a.wav"


def pcm(wave):
    return (wave * 2**15).astype("<i2").tobytes()


def test_a_file(stream, wav):
    status, out, err = stream(wav)
    assert (status, out) == (0, ["1.04 s\ton\t1.000", "2.08 s\ton\t1.000"])
    assert err[0] == f"{wav}: 16000 Hz, 1 channel"
    assert err[1].startswith("3.0 s heard, 2 events, real-time factor 0.")
    assert stream(wav, "--quiet")[2] == []


def test_a_pipe_as_json(stream, bursts):
    status, out, err = stream("-", "--json", stdin=pcm(bursts))
    assert status == 0
    *events, summary = map(json.loads, out)
    assert [list(event) for event in events] == [["kind", "label", "score", "start", "end", "time"]] * 2
    assert (events[0]["kind"], events[0]["label"], events[0]["time"]) == ("keyword", "on", 1.04)
    assert (summary["kind"], summary["heard_s"], summary["events"]) == ("summary", 3.0, 2)
    assert len(err) == 1


def test_options_of_raw_sound(stream, bursts):
    two = np.repeat(bursts, 2).astype("<f4").tobytes()
    arguments = ["-", "--rate", RATE, "--format", "f32le", "--channels", 2, "--quiet"]
    assert stream(*arguments, stdin=two)[1] == ["1.04 s\ton\t1.000", "2.08 s\ton\t1.000"]


def test_chunks(stream, wav, loud_stream):
    assert len(stream(wav, "--chunk-ms", 500)[1]) == 2
    assert set(loud_stream.chunks[:-1]) == {8000}  # then the tail


def test_a_reference(stream, wav, tmp_path):
    (tmp_path / "r.txt").write_text("1.0 1.1 on\n2.5 2.6 off\n")
    status, out, _ = stream(wav, "--reference", tmp_path / "r.txt")
    assert status == 0
    assert out[2] == "keywords\t50.0 %: 1 of 2 heard, 1 missed"
    assert out[3].startswith("false alarms\t1 in 0.001 h: too few")


def test_a_reference_as_json(stream, wav, tmp_path):
    (tmp_path / "r.txt").write_text("1.0 1.1 on\n2.5 2.6 off\n")
    figures = json.loads(stream(wav, "--reference", tmp_path / "r.txt", "--json")[1][-1])["reference"]
    assert (figures["hits"], figures["misses"], figures["false_alarms"]) == (1, 1, 1)


def test_a_terminal_shows_the_level_and_nothing_is_left_of_it(stream, wav, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("drsn_audio.live.meter.REFRESH_S", 0.0)
    assert main(["stream", str(wav)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    _, *drawn = err.split("\r\x1b[K")
    assert any("peak   -3.1 dB" in line for line in drawn)
    assert drawn[-1].startswith("3.0 s heard")
    assert all("\n" not in line for line in drawn[:-1])
    assert stream(wav, "--quiet")[2] == []


def test_words_are_lines_once_they_are_sealed(writing, wav):
    """O, N in the blocks from 0.96 and 1.04 s on, the end of the word from 2.0 s on, then O."""
    status, out, err = writing(wav)
    assert (status, out) == (0, ["0.96-1.12 s\tON\t1.000", "2.08-2.16 s\tO\t1.000"])
    assert err[1].startswith("3.0 s heard, 2 events")


def test_words_as_json_come_letter_by_letter(writing, wav):
    *events, summary = map(json.loads, writing(wav, "--json")[1])
    assert [(event["kind"], event["label"], event["time"]) for event in events] == [
        ("partial", "O", 1.04), ("partial", "ON", 1.12), ("final", "ON", 2.08), ("partial", "O", 2.16),
        ("final", "O", 3.0),
    ]  # fmt: skip
    assert summary["events"] == 2


def test_the_word_that_grows_is_drawn_in_place(writing, wav, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("drsn_audio.live.meter.REFRESH_S", 0.0)
    assert main(["stream", str(wav)]) == 0
    out, err = capsys.readouterr()
    assert out == "0.96-1.12 s\tON\t1.000\n2.08-2.16 s\tO\t1.000\n"
    _, *drawn = err.split("\r\x1b[K")
    beginnings = [line.split("...")[0] for line in drawn if "...  " in line]
    assert list(dict.fromkeys(beginnings)) == ["O", "ON"]
    assert len(beginnings) > 10  # until it is sealed
    assert drawn[-1].startswith("3.0 s heard")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_word_accuracy(writing, wav, tmp_path, form):
    """ "ON O" where "on and off" was said: one right, one of the others substituted, one left out."""
    (tmp_path / "r.txt").write_text("on and off\n")
    status, out, _ = writing(wav, "--reference", tmp_path / "r.txt", *form)
    assert status == 0
    if form:
        figures = json.loads(out[-1])["reference"]
        assert (figures["hits"], figures["substitutions"], figures["deletions"]) == (1, 1, 1)
    else:
        assert out[2:] == ["words\t33.3 %: 1 of 3 right, 1 substituted, 1 left out, 0 inserted (WER 66.7 %)"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_summary(stream, loud_stream, tmp_path, bursts, monkeypatch, number, status):
    """It comes while the fifth chunk is worked on: that is ended, and none is begun of the 60 s that are left."""
    sf.write(tmp_path / "long.wav", np.tile(bursts, 20), RATE)
    feed = type(loud_stream).feed

    def interrupted(heard, samples):
        if len(heard.chunks) == 4:
            os.kill(os.getpid(), number)
        return feed(heard, samples)

    monkeypatch.setattr(type(loud_stream), "feed", interrupted)
    given, out, err = stream(tmp_path / "long.wav", "--realtime")
    assert given == status
    assert out == []  # the first burst comes after 1 s
    assert err[-1].startswith("0.5 s heard, 0 events")


class Interrupted:
    """A file whose first reader is interrupted a moment after it has begun to wait."""

    def __init__(self, file):
        self.file, self.timer = file, threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    def __getattr__(self, name):
        if self.timer.ident is None:
            self.timer.start()
        return getattr(self.file, name)


def test_a_signal_ends_the_wait_for_a_pipe(stream, monkeypatch):
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Interrupted(pipe), isatty=lambda: False))
        status, _, err = stream("-")
        os.close(writing)
    assert status == 130
    assert err[-1].startswith("0.0 s heard, 0 events")


def test_realtime_takes_the_time_of_the_sound(stream, tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(RATE // 2), RATE)
    began = time.monotonic()
    assert stream(tmp_path / "a.wav", "--realtime")[0] == 0
    assert time.monotonic() - began >= 0.5


def test_what_was_heard_before_an_error_is_told(stream, tmp_path, bursts):
    """The reader refuses the block of a file in which NaN are; 20 s before them were heard."""
    wave = np.concatenate([np.tile(bursts, 10), np.full(10, np.nan)])
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    status, out, err = stream(tmp_path / "a.wav")
    assert status == 2
    assert len(out) > 8
    assert "s heard" in err[-2]
    assert "holds NaN or infinite samples, at 30.000 s" in err[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "nothing to listen to: give a file"),
        (["none.wav"], "none.wav: no such file"),
        (["."], ".: is a folder"),
        (["none.wav", "--rate", "8000"], "--rate with none.wav: only - takes it"),
        (["-", "--device", "1", "--realtime"], "--device with -: only mic takes it"),
        (["mic", "--channels", "2", "--format", "s16le"], "--format, --channels with mic"),
        (["none.wav", "--chunk-ms", "0.5"], "--chunk-ms 0.5: give 1 to 60000"),
        (["none.wav", "--chunk-ms", "nan"], "--chunk-ms nan"),
        ([".", "--reference", "none.txt"], "none.txt: no such file"),
    ],
)
def test_what_it_refuses(stream, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, out, err = stream(*arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


@pytest.mark.parametrize("data", [b"", b"x"])
def test_an_empty_pipe(stream, data):
    status, out, err = stream("-", stdin=data)
    assert (status, out) == (2, [])
    assert err[-1] == "error: stdin: no sound came: check the command before the pipe"


def test_a_terminal_is_no_pipe(stream, monkeypatch):
    for stdin in (None, SimpleNamespace(isatty=lambda: True)):
        monkeypatch.setattr(sys, "stdin", stdin)
        status, _, err = stream("-")
        assert (status, len(err)) == (2, 1)
        assert "stdin is no pipe" in err[0]


def test_nothing_heavy_is_imported_for_a_pipe_and_a_closed_stdout_is_no_traceback(bursts):
    """As where numpy and onnxruntime alone are installed."""
    code = (
        "import sys; from drsn_audio.live import command; from conftest import LoudStream  # that of this folder\n"
        "command.open_stream = lambda *_: LoudStream()\n"
        "from drsn_audio.cli import main; status = main(['stream', '-', '--quiet'])\n"
        "heavy = {'torch', 'lhotse', 'scipy', 'omegaconf', 'soundfile', 'soxr', 'rich'} & set(sys.modules)\n"
        "print(heavy or '', end='', file=sys.stderr); sys.exit(status)"
    )
    run = functools.partial(
        subprocess.run,
        [sys.executable, "-c", code],
        input=pcm(bursts),
        cwd=Path(__file__).parent,
        stderr=subprocess.PIPE,
    )
    done = run(stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 2, b"")
    reading, writing = os.pipe()
    os.close(reading)
    done = run(stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


# models


def checkpoint(folder, pool, **model):
    names = {"preset": "10k", "pool": pool, "frontend": {"name": "logmel"}, "labels": ["on", "off", "silence"], **model}
    return save_checkpoint(folder, "best", AudioModel(config_from_dict({"model": names}).model), step=1, info={}).parent


def test_a_model_of_whole_clips_is_named_with_what_to_do(tmp_path):
    with pytest.raises(
        InputError, match=r"cannot stream: give --model .*commands-12-stream, or use drsn-audio classify"
    ):
        open_stream(str(checkpoint(tmp_path, "clip")), [], 0.0)


def test_a_model_that_writes(tmp_path, wav, capsys):
    ctc = {"head": "ctc", "labels": ["<blank>", "on", "off"]}
    with pytest.raises(
        InputError, match=r"cannot stream: give --model .*words-20-stream, or use drsn-audio transcribe"
    ):
        open_stream(str(checkpoint(tmp_path / "clip", "clip", **ctc)), [], 0.0)
    model = checkpoint(tmp_path / "m", "causal", **ctc)
    assert open_stream(str(model), [], 0.0).detector.units.kind == "words"
    for given in (["0.5"], 0.0), ([], 1.0):
        with pytest.raises(InputError, match="writes what is said and has no thresholds"):
            open_stream(str(model), *given)
    assert main(["stream", str(wav), "--model", str(model), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["heard_s"] == 3.0


def test_a_causal_model_streams(tmp_path, wav, capsys):
    model = checkpoint(tmp_path / "m", "causal")
    assert open_stream(str(model), [], 0.0).detector.config.thresholds == {"on": 0.5, "off": 0.5}
    assert open_stream(str(model), ["off=0.9"], 0.0).detector.config.thresholds == {"on": 0.5, "off": 0.9}
    assert main(["stream", str(wav), "--model", str(model), "--threshold", "1e-6", "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out.splitlines()[-1])["events"] >= 1


def test_thresholds_by_hand():
    config = DetectorConfig({"on": 0.5, "off": 0.8}, release=0.7)
    assert change_thresholds(config, [], 0.0) == config
    assert change_thresholds(config, ["0.6", "off=0.9"], 0.0).thresholds == {"on": 0.6, "off": 0.9}
    shifted = change_thresholds(config, [], np.log(4))  # odds of 1 and 4 become 4 and 16
    assert shifted.thresholds == pytest.approx({"on": 4 / 5, "off": 16 / 17})
    assert shifted.release == 0.7


@pytest.mark.parametrize(
    ("given", "shift", "reason"),
    [
        (["x"], 0, "--threshold x: give a probability"),
        (["on=x"], 0, "--threshold on=x"),
        (["1"], 0, "between 0 and 1"),
        (["nan"], 0, "between 0 and 1"),
        (["no=0.5"], 0, "keywords are on"),
        ([], float("nan"), "--threshold-shift nan"),
    ],
)
def test_thresholds_that_are_none(given, shift, reason):
    with pytest.raises(InputError, match=reason):
        change_thresholds(DetectorConfig({"on": 0.5}), given, shift)
