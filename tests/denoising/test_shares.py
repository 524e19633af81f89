"""Denoising a manifest, going on after a kill, and several processes at it."""

import json
import logging

import pytest
import soundfile as sf

from drsn_audio.audio import AudioReader
from drsn_audio.cli import _parser
from drsn_audio.corpora.cuts import SpeechFile, make_cut, write_cuts
from drsn_audio.denoising.command import _Work, run
from drsn_audio.denoising.places import Input, shared
from drsn_audio.denoising.writing import SoundWriter, targets_like
from drsn_audio.errors import InputError
from drsn_audio.processes import ALONE, Processes

from ..together import together
from .conftest import RATE, FixedDenoiser, hiss


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for number in range(7):
        name = f"deep/{number}.wav" if number % 3 == 1 else f"{number}.wav"
        sf.write(folder / name, hiss(3000 + 100 * number, number), RATE)
    (folder / "3b.wav").write_text("not audio")
    return folder


@pytest.fixture
def denoise(capsys, monkeypatch):
    """Of so many processes: the main one's status, stdout, stderr, and what was heard."""
    monkeypatch.setattr(logging.getLogger("drsn_audio"), "handlers", [])  # of a command that ran before
    heard = []
    write = _Work._write
    monkeypatch.setattr(_Work, "_write", lambda self, given: (heard.append(given.path.name), write(self, given))[1])

    def call(count, *arguments, gain=0.5):
        options = _parser().parse_args(["denoise", *map(str, arguments), "--quiet"])
        denoiser = FixedDenoiser(lambda _: gain)
        heard.clear()
        statuses = together(count, lambda processes: run(options, denoiser, processes if count > 1 else ALONE))
        assert statuses[1:] == [0] * (count - 1)
        return statuses[0], *capsys.readouterr(), sorted(heard)

    return call


def made(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.wav")}


def test_several_processes_write_what_one_writes(denoise, files, tmp_path):
    status, printed, told, heard = denoise(1, files, tmp_path / "no.wav", "-o", tmp_path / "alone")
    assert (status, len(printed.splitlines()), len(told.splitlines()), len(heard)) == (2, 7, 2, 9)
    shared = denoise(3, files, tmp_path / "no.wav", "-o", tmp_path / "shared")
    assert shared == (2, printed.replace("/alone/", "/shared/"), told, heard)
    assert made(tmp_path / "shared") == made(tmp_path / "alone")
    assert [path.name for path in (tmp_path / "shared").glob("*.jsonl")] == ["denoise.jsonl"]


def test_what_is_there_and_whole_is_not_done_again(denoise, files, tmp_path):
    out = tmp_path / "out"
    _, printed, told, _ = denoise(2, files, "-o", out)
    whole = made(out)
    assert denoise(1, files, "-o", out, "--resume") == (2, printed, told, ["3b.wav"])
    (out / "0.wav").write_bytes(b"somebody else's")
    (out / "deep/1.wav").unlink()
    sf.write(files / "2.wav", hiss(500), RATE)
    assert denoise(3, files, "-o", out, "--resume") == (2, printed, told, ["0.wav", "1.wav", "2.wav", "3b.wav"])
    assert {name for name, data in made(out).items() if whole[name] != data} == {"2.wav"}
    assert "made otherwise (another blend)" in reason(denoise, files, "-o", out, "--resume", "--blend", "0.5")
    assert len(denoise(1, files, "-o", out)[3]) == 8  # without it all is
    assert "is known of a folder alone" in reason(denoise, files / "0.wav", "-o", tmp_path / "x.wav", "--resume")


def reason(denoise, *arguments):
    with pytest.raises(InputError) as error:
        denoise(1, *arguments)
    return str(error.value)


def test_what_killed_processes_left_is_taken_in(denoise, files, tmp_path):
    out = tmp_path / "out"
    _, printed, _, _ = denoise(1, files, "-o", out)
    lines = (out / "denoise.jsonl").read_bytes().splitlines(keepends=True)
    (out / "denoise.jsonl").write_bytes(lines[0] + lines[1][:50])
    (out / "denoise.1.jsonl").write_bytes(b"".join([lines[0], *lines[3:]]))
    with AudioReader(files / "2.wav") as reader:
        writer = SoundWriter(targets_like(out / "deep/2.wav", reader)[0], RATE, 1)  # killed: its block is never left
    writer._file.close()
    assert len(list((out / "deep").glob(".2.wav*"))) == 1
    (out / ".hidden.wav").touch()
    left = [json.loads(line)["key"].split("#")[0].rpartition("/")[2] for line in lines[1:3]]
    assert denoise(2, files, "-o", out, "--resume")[1::2] == (printed, sorted([*left, "3b.wav"]))
    assert [path.name for path in out.rglob(".*")] == [".hidden.wav"]


def test_cuts_of_a_manifest(denoise, files, tmp_path):
    """Whole files and parts of one, at their ids; where they lie below OUT they could be written over."""
    whole = make_cut(SpeechFile("x/whole", files / "0.wav", "test", "low", "ann"))
    write_cuts([whole, whole.truncate(offset=0.05, duration=0.1).with_id("part")], tmp_path / "m.jsonl.gz")
    out = tmp_path / "out"
    status, printed, _, _ = denoise(1, tmp_path / "m.jsonl.gz", "-o", out)
    assert (status, printed.splitlines()) == (0, [f"{out}/part.wav", f"{out}/x/whole.wav"])
    noisy, clean, part = (sf.read(path)[0] for path in (files / "0.wav", out / "x/whole.wav", out / "part.wav"))
    assert len(part) == 1600
    assert clean == pytest.approx(0.5 * noisy, abs=2**-14)
    assert part == pytest.approx(0.5 * noisy[800:2400], abs=2**-14)
    status, _, told, _ = denoise(1, tmp_path / "m.jsonl.gz", "-o", files)
    assert status == 2
    assert "could be written over" in told


def test_inputs_of_one_output_fall_to_one_process(denoise, files, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("0.wav", "2.wav"):
        sf.write(other / name, hiss(900), RATE)
    alone = denoise(1, files, other, "-o", tmp_path / "out")
    assert alone[2].count("is the sound of") == 2
    assert denoise(2, files, other, "-o", tmp_path / "out")[:3] == alone[:3]
    given = [Input(files / name, files / name) for name in ("a.mp3", "b.wav", "a.mp3.flac", "c.wav", "b.wav")]
    names = [[one.path.name for one in shared(given, Processes(rank, 2))] for rank in (0, 1)]
    assert names == [["a.mp3", "a.mp3.flac", "c.wav"], ["b.wav", "b.wav"]]
