"""`drsn-audio transcribe`: results on stdout or in a folder, one line and status 2 for what is wrong, nothing lost."""

import json
import logging
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main
from drsn_audio.corpora.cuts import SpeechFile, make_cut, write_cuts
from drsn_audio.transcribing.journal import NAME

from .conftest import RATE, sound


@pytest.fixture
def cli(capsys, models):
    """Run `transcribe`; its status, and the lines of stdout and stderr."""

    def call(*arguments, model=models.causal):
        status = main(["transcribe", *map(str, arguments), "--model", str(model), "--quiet"])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield call
    logging.getLogger("drsn_audio").handlers = []


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for seed, name in enumerate(("a.wav", "b.flac", "deep/c.wav")):
        sf.write(folder / name, sound(1.0 + seed, seed), RATE)
    return folder


def test_a_folder_on_stdout(cli, files):
    status, out, err = cli(files)
    assert (status, err) == (0, [])
    rows = dict(line.split("\t") for line in out)
    assert list(rows) == [f"{files}/a.wav", f"{files}/b.flac", f"{files}/deep/c.wav"]
    assert all(set(text.split()) == {"low", "mid", "high"} for text in rows.values())
    texts = [json.loads(line) for line in cli(files, "--json")[1]]
    assert {answer["path"]: answer["text"] for answer in texts} == rows
    assert list(texts[0]) == ["path", "text", "words"]
    assert list(texts[0]["words"][0]) == ["word", "start", "end", "confidence"]
    assert " ".join(word["word"] for word in texts[0]["words"]) == texts[0]["text"]
    assert cli(files, "--format", "json")[1] == cli(files, "--json")[1]


@pytest.mark.parametrize("form", ["txt", "json", "srt", "vtt"])
def test_files_in_a_folder_lie_as_the_sounds_do(cli, files, tmp_path, form):
    out = tmp_path / "out"
    status, lines, _ = cli(files, f"{files}/deep/*.wav", "--format", form, "-o", out)
    names = [f"a.{form}", f"b.{form}", f"c.{form}", f"deep/c.{form}"]
    assert (status, sorted(lines)) == (0, [f"{out}/{name}" for name in names])
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob(f"*.{form}")) == names
    text = (out / f"deep/c.{form}").read_text()
    begins = {"txt": ("low", "mid", "high"), "json": '{"path"', "srt": "1\n00:00:0", "vtt": "WEBVTT\n\n00:00:0"}
    assert text.startswith(begins[form])
    other = (out / f"c.{form}").read_text().replace("in/c.wav", "in/deep/c.wav")
    if form == "json":  # the sizes of batches change the last digit of a confidence
        text, other = json.loads(text), json.loads(other)
        ours, theirs = ([word.pop("confidence") for word in one["words"]] for one in (text, other))
        assert ours == pytest.approx(theirs, abs=2e-4)
    assert text == other


def test_subtitles_of_one_file_on_stdout(cli, files):
    status, out, _ = cli(files / "a.wav", "--format", "srt")
    assert (status, out[0], out[1][:3]) == (0, "1", "00:")
    for places in ([files], [files / "a.wav", files / "b.flac"], [f"{files}/*.wav"]):
        with_folder = "name a folder for their files with -o"
        assert with_folder in cli(*places, "--format", "srt")[2][0]
    assert "both want stdout" in cli(files / "a.wav", "--format", "srt", "--json")[2][0]


def test_cuts_of_a_manifest(cli, files, tmp_path):
    """Whole files, and parts of one, by their ids."""
    whole = make_cut(SpeechFile("x/whole", files / "deep/c.wav", "test", "low high", "ann"))
    part = whole.truncate(offset=1.0, duration=1.5).with_id("part")
    write_cuts([whole, part], tmp_path / "m.jsonl.gz")
    status, out, _ = cli(tmp_path / "m.jsonl.gz", "--json")
    answers = {answer["id"]: answer for answer in map(json.loads, out)}
    assert (status, list(answers)) == (0, ["part", "x/whole"])
    assert answers["x/whole"]["text"] == cli(files / "deep/c.wav")[1][0].split("\t")[1]
    assert 0 < len(answers["part"]["words"]) < len(answers["x/whole"]["words"])
    assert cli(tmp_path / "m.jsonl.gz", "-o", tmp_path / "out")[1] == [
        f"{tmp_path}/out/{name}.txt" for name in ("part", "x/whole")
    ]


@pytest.mark.parametrize("command", ["transcribe", "classify", "denoise"])
def test_cuts_after_one_that_cannot_be_read(files, tmp_path, models, command, capsys):
    """The first, a part of a file, and the second, of two channels, are lost; the others are heard."""
    sf.write(files / "stereo.wav", np.stack([sound(1.0), sound(1.0, 1)], 1), RATE)
    part = make_cut(SpeechFile("p", files / "deep/c.wav", "test", "low", "ann")).truncate(duration=1.5).with_id("1")
    stereo = make_cut(SpeechFile("2", files / "stereo.wav", "test", "low", "ann"))
    others = [make_cut(SpeechFile(name, files / "b.flac", "test", "low", "ann")) for name in ("3", "4")]
    write_cuts([part, stereo, *others, others[1].truncate(duration=1.0).with_id("5")], tmp_path / "m.jsonl.gz")
    for name in ("deep/c.wav", "stereo.wav"):
        (files / name).write_bytes(b"lost")
    model = {"transcribe": models.causal, "classify": models.keywords}.get(command)
    arguments = [command, tmp_path / "m.jsonl.gz", "--quiet", *(["--model", model] if model else [])]
    out = ["-o", tmp_path / "out"] if command == "denoise" else []
    status = main([*map(str, arguments + out)])
    lines, errors = (text.splitlines() for text in capsys.readouterr())
    assert (status, len(errors)) == (2, 2)
    assert "c.wav" in errors[0]
    assert "stereo.wav" in errors[1]
    assert all(any(name in line for line in lines) for name in ("3", "4", "5"))
    logging.getLogger("drsn_audio").handlers = []


# bad input


def spoilt(path, value):
    wave = sound(2.0)
    wave[RATE] = value
    sf.write(path, wave, RATE, subtype="FLOAT")


def torn(path):
    sf.write(path, sound(4.0), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD = {
    "text.wav": (lambda path: path.write_text("not audio " * 20), "not audio"),
    "empty.wav": (lambda path: path.touch(), "not audio"),
    "torn.flac": (torn, "not audio"),
    "nan.wav": (lambda path: spoilt(path, np.nan), "NaN or infinite samples, at 1.000 s"),
    "huge.wav": (lambda path: spoilt(path, 1e9), "full scale is 1"),
    "lost.wav": (lambda path: path.symlink_to("nowhere.wav"), "no such file"),
    "pipe.wav": (os.mkfifo, "is a pipe or a device"),
    "one.wav": (lambda path: sf.write(path, np.full(1, 0.1), RATE), "0.1 ms long, too short"),
    "24ms.wav": (lambda path: sf.write(path, np.full(399, 0.1), RATE), "24.9 ms long, too short"),
}


@pytest.mark.parametrize("form", ["stdout", "json", "folder"])
@pytest.mark.parametrize("pool", ["causal", "clip"])
def test_bad_files_are_told_and_the_others_are_written(cli, files, tmp_path, models, pool, form):
    for name, (make, _) in BAD.items():
        make(files / name)
    sf.write(files / "silent.wav", np.zeros(RATE), RATE)
    sf.write(files / "clipped.wav", np.sign(sound(1.0)), RATE)
    missing = files / "missing.wav"
    options = {"stdout": [], "json": ["--json"], "folder": ["-o", tmp_path / "out"]}[form]
    status, out, err = cli(missing, f"{files}/*.mp3", files, *options, model=getattr(models, pool))
    assert status == 2
    reasons = {f"{files}/{name}": reason for name, (_, reason) in BAD.items()}
    reasons |= {str(missing): "no such file", f"{files}/*.mp3": "no file matches"}
    told = {path: line for path in reasons for line in err if line.startswith(f"error: {path}:")}
    assert len(err) == len(reasons) == len(told)
    assert all(reason in told[path] for path, reason in reasons.items())
    if form == "json":
        answers = {answer["path"]: answer for answer in map(json.loads, out)}
        assert {path for path, answer in answers.items() if "error" in answer} == set(reasons)
        assert answers[f"{files}/silent.wav"] == {"path": f"{files}/silent.wav", "text": "", "words": []}
        assert answers[f"{files}/clipped.wav"]["text"]
    elif form == "stdout":
        assert len(out) == 5
        assert f"{files}/silent.wav\t" in out
    else:
        assert len(out) == 5
        assert (tmp_path / "out/silent.txt").read_text() == ""


def test_two_sounds_of_one_name(cli, files, tmp_path):
    sf.write(files / "a.flac", sound(1.0, 9), RATE)
    status, out, err = cli(files, "-o", tmp_path / "out")
    assert (status, len(out), len(err)) == (2, 3, 1)
    assert "a.txt holds the transcript of" in err[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--resume"], "--resume without -o"),
        (["--reference", "missing"], "missing: no such file"),
        (["--hotword", "low"], "hotword"),
        (["--beam", "0"], "beam"),
        (["--language-model", "missing.arpa"], "missing.arpa"),
        (["-o", "/dev/null/out"], "Not a directory"),
    ],
)
def test_options_that_cannot_be(cli, files, tmp_path, monkeypatch, arguments, reason):
    if "/dev/null/out" not in arguments and "--re" not in arguments[0]:
        pytest.importorskip("flashlight")
    monkeypatch.chdir(tmp_path)
    status, out, err = cli(files / "a.wav", *arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert reason in err[0]


def test_a_model_that_cannot_write(cli, files, models):
    status, out, err = cli(files, model=models.keywords)
    assert (status, out, len(err)) == (2, [], 1)
    assert "use drsn-audio classify" in err[0]


def test_beam_search_by_an_option(cli, files):
    pytest.importorskip("flashlight")
    status, out, err = cli(files / "a.wav", "--beam", "20", "--hotword", "low=3", "--json")
    assert (status, err) == (0, [])
    assert {word["word"] for word in json.loads(out[0])["words"]} <= {"low", "mid", "high"}


# the reference


def test_a_reference_of_what_was_heard_is_without_error(cli, files, tmp_path):
    pytest.importorskip("jiwer")
    cli(files, "-o", tmp_path / "said")
    status, out, err = cli(files, "--reference", tmp_path / "said")
    words = sum(len(line.split("\t")[1].split()) for line in out[:3])
    assert (status, err) == (0, [])
    assert out[3] == f"WER\t0.00 %: 0 insertions, 0 deletions, 0 substitutions in {words} words"
    assert out[4].startswith("CER\t0.00 %")
    (tmp_path / "said/a.txt").write_text("low sideways")
    *_, last = cli(files / "a.wav", "--json", "--reference", tmp_path / "said/a.txt")[1]
    figures = json.loads(last)
    assert (figures["kind"], figures["words"]["count"], figures["files"]) == ("reference", 2, 1)


def test_a_reference_is_not_written_over(cli, files):
    pytest.importorskip("jiwer")
    (files / "a.txt").write_text("what was said")
    status, out, err = cli(files, "-o", files, "--reference", files)
    assert (status, len(out)) == (2, 2)
    assert "would replace the reference" in err[0]
    assert (files / "a.txt").read_text() == "what was said"


def test_a_sound_without_a_text_is_named_and_not_counted(cli, files, capsys, models):
    pytest.importorskip("jiwer")
    (files / "a.txt").write_text("low")
    arguments = ["transcribe", str(files), "--reference", str(files), "--model", str(models.causal)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert [line for line in err.splitlines() if "no text" in line] == [
        f"{files}/b.flac: the reference has no text of it",
        f"{files}/deep/c.wav: the reference has no text of it",
    ]
    assert " in 1 words" in out


# to go on


def test_resume_hears_what_is_new_alone(cli, files, tmp_path, monkeypatch):
    out = tmp_path / "out"
    cli(files / "a.wav", files / "b.flac", "-o", out)
    first = (out / "a.txt").stat().st_mtime_ns
    (out / "b.txt").unlink()
    heard = []
    from drsn_audio.hearing import Hearing

    opened = Hearing.file
    monkeypatch.setattr(Hearing, "file", lambda self, path: heard.append(path.name) or opened(self, path))
    status, lines, _ = cli(files, "-o", out, "--resume")
    assert (status, heard, len(lines)) == (0, ["c.wav"], 3)
    assert (out / "a.txt").stat().st_mtime_ns == first
    assert (out / "b.txt").read_text()
    cli(files, "-o", out, "--resume", "--format", "srt")  # of what is known, without hearing it
    assert heard == ["c.wav"]
    assert (out / "a.srt").read_text().startswith("1\n")
    cli(files, "-o", out)
    assert heard == ["c.wav", "a.wav", "b.flac", "c.wav"]


def test_resume_with_another_model_is_refused(cli, files, tmp_path, models):
    cli(files / "a.wav", "-o", tmp_path / "out")
    status, out, err = cli(files, "-o", tmp_path / "out", "--resume", model=models.clip)
    assert (status, out, len(err)) == (2, [], 1)
    assert "holds transcripts made otherwise (another model)" in err[0]


KILLED = """
import os, signal, sys
from drsn_audio.cli import main
from drsn_audio.transcribing import command

def die_at(number, function):
    calls = []
    def called(*arguments, **named):
        calls.append(1)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return called

place, name = {"before": (command.Journal, "add"), "between": (command.OutFolder, "write")}[sys.argv[1]]
setattr(place, name, die_at(12, getattr(place, name)))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "between"])
def test_killed_in_the_middle_it_goes_on(cli, files, tmp_path, models, moment):
    """Before a transcript is noted, or between that and its file: nothing is lost, and nothing heard twice."""
    for number in range(17):
        sf.write(files / f"n{number:02d}.wav", sound(0.3, number), RATE)
    out, arguments = tmp_path / "out", ["transcribe", files, "-o", tmp_path / "out", "--model", models.causal]
    command = [sys.executable, "-c", KILLED, moment, *map(str, arguments), "--quiet"]
    killed = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(out.rglob("*.txt"))) == 11
    done = [json.loads(line)["key"] for line in (out / NAME).read_text().splitlines()[1:]]
    assert len(done) == (11 if moment == "before" else 12)
    status, lines, _ = cli(files, "-o", out, "--resume")
    assert (status, len(lines)) == (0, 20)
    keys = [json.loads(line)["key"] for line in (out / NAME).read_text().splitlines()[1:]]
    assert keys[: len(done)] == done
    assert len(keys) == len(set(keys)) == 20
    cli(files, "-o", tmp_path / "whole")
    for path in (tmp_path / "whole").rglob("*.txt"):
        assert (out / path.relative_to(tmp_path / "whole")).read_text() == path.read_text()
    assert not list(out.rglob(".*"))  # nothing half written is left


def test_a_full_disk_stops_it(cli, files, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("drsn_audio.transcribing.outputs.write_whole", full)
    status, out, err = cli(files, "-o", tmp_path / "out")
    assert (status, out, len(err)) == (2, [], 1)
    assert "No space left on device" in err[0]


def test_the_terminal_is_told_how_much_was_heard(files, models, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["transcribe", str(files), "--model", str(models.causal)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "3 files done, 6 s of sound heard, " in err
    assert err.rstrip().endswith("x real time")


def test_help_needs_no_torch():
    code = (
        "import sys; from drsn_audio.cli import main\n"
        "try: main(['transcribe', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
