"""Several processes transcribe as one; whatever was killed, nothing is heard twice and nothing is lost."""

import json
import logging
import re
import shutil

import pytest
import soundfile as sf

from drsn_audio.api import load_transcriber
from drsn_audio.cli import _parser
from drsn_audio.processes import ALONE
from drsn_audio.transcribing.command import run
from drsn_audio.transcribing.journal import NAME, Journal
from drsn_audio.transcribing.transcriber import Transcriber

from ..together import together
from .conftest import RATE, sound


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for number in range(7):
        name = f"deep/{number}.wav" if number % 3 == 1 else f"{number}.wav"
        sf.write(folder / name, sound(0.5 + number % 4, number), RATE)
    (folder / "3b.wav").write_text("not audio")
    return folder


@pytest.fixture
def transcribe(capsys, models, monkeypatch):
    """Of so many processes: the main one's status, stdout and stderr."""
    monkeypatch.setattr(logging.getLogger("drsn_audio"), "handlers", [])  # of a command that ran before

    def call(count, *arguments):
        options = _parser().parse_args(["transcribe", *map(str, arguments), "--quiet"])
        if count == 1:
            statuses = [run(options, load_transcriber(models.causal), ALONE)]
        else:
            statuses = together(count, lambda processes: run(options, load_transcriber(models.causal), processes))
        assert statuses[1:] == [0] * (count - 1)
        return statuses[0], *capsys.readouterr()

    return call


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"], ["--reference", "TEXTS"]])
def test_stdout_is_that_of_one_process(transcribe, files, tmp_path, options):
    if options[:1] == ["--reference"]:
        pytest.importorskip("jiwer")
        for path in files.rglob("*.wav"):
            path.with_suffix(".txt").write_text("low mid high")
        options = ["--reference", files]
    given = [files, tmp_path / "nothing.wav", files / "5.wav"]
    alone = transcribe(1, *given, *options)
    assert alone[0] == 2
    assert len(alone[2].splitlines()) == 2  # what is wrong with a file is told once
    for count in (2, 4):
        status, printed, told = transcribe(count, *given, *options)
        assert (status, told) == (alone[0], alone[2])
        assert blurred(printed) == blurred(alone[1])


def blurred(text):
    """Without the last digit of confidences, which other sounds in a batch can change."""
    return re.sub(r'"confidence": (\d\.\d+)', lambda found: f'"confidence": {float(found[1]) + 3e-5:.2f}', text)


def test_a_run_that_was_killed_goes_on_with_any_number_of_processes(transcribe, files, tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr(Journal, "add", lambda self, given, text: (heard.append(given.key), add(self, given, text)))
    whole, out = tmp_path / "whole", tmp_path / "out"
    alone = transcribe(1, files, "-o", whole)
    keys = sorted(heard)
    assert len(keys) == 7
    lines = (whole / NAME).read_bytes().splitlines(keepends=True)
    # What a kill leaves: the main one had noted one and half of another, the others one each.
    out.mkdir()
    (out / NAME).write_bytes(lines[0] + lines[1] + lines[2][:40])
    (out / "transcribe.1.jsonl").write_bytes(lines[0] + lines[4])
    (out / "transcribe.2.jsonl").write_bytes(lines[0] + lines[6] + lines[5][:-1])
    heard.clear()
    status, printed, told = transcribe(2, files, "-o", out, "--resume")
    assert sorted(heard) == sorted(json.loads(lines[number])["key"] for number in (2, 3, 5, 7))
    assert (status, told) == (2, alone[2])
    assert sorted(printed.splitlines()) == sorted(alone[1].replace(str(whole), str(out)).splitlines())
    assert printed.splitlines() == [
        str(out / path.relative_to(files).with_suffix(".txt")) for path in ordered(files) if path.name != "3b.wav"
    ]
    texts = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.txt")}
    assert texts == {path.relative_to(whole): path.read_bytes() for path in whole.rglob("*.txt")}
    assert [path.name for path in out.glob("*.jsonl")] == [NAME]
    heard.clear()
    assert transcribe(3, files, "-o", out, "--resume")[:2] == (status, printed)
    assert transcribe(1, files, "-o", out, "--resume")[:2] == (status, printed)
    assert heard == []
    shutil.rmtree(out)


add = Journal.add


def ordered(folder):
    from drsn_audio.audio import find_audio

    return list(find_audio(folder))


def test_what_came_while_the_others_heard_is_not_lost(transcribe, files, monkeypatch):
    """The processes may not find the same files: what none of them has heard the main one hears in the end."""
    alone = transcribe(1, files)
    seen = []

    def blind(self, sounds, *args, **settings):
        seen.append(1)
        given = list(sounds)
        return hear(self, iter(given if len(seen) > 2 else given[:1]), *args, **settings)

    hear = Transcriber.hear
    monkeypatch.setattr(Transcriber, "hear", blind)
    status, printed, told = transcribe(2, files)
    assert len(seen) == 3
    assert (status, told) == (alone[0], alone[2])
    assert sorted(printed.splitlines()) == sorted(alone[1].splitlines())
