"""drsn-audio shard: what it writes, and what it goes on with when it was killed, refused or told wrong things."""

import errno
import fcntl
import gzip
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.cli import main
from drsn_audio.datasets import shard_writing, sharding
from drsn_audio.datasets.manifests import AudioStore, ManifestError, read_cuts
from drsn_audio.datasets.sharding import shard_cuts
from drsn_audio.errors import InputError

HELD = """
import sys, time
from drsn_audio.cli import main
from drsn_audio.datasets import shard_writing
store_cut, stored = shard_writing.store_cut, []
def store_five(*arguments):
    if len(stored) == 5:
        print("held", flush=True)
        time.sleep(600)
    stored.append(1)
    return store_cut(*arguments)
shard_writing.store_cut = store_five
sys.exit(main(sys.argv[1:]))
"""


def contents(out):
    """Of each file, without what gzip says of its time."""
    files = {path.name: path.read_bytes() for path in sorted((out / "shar").iterdir())}
    return {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in files.items()}


def shard(*arguments):
    return main(["--quiet", "shard", *map(str, arguments)])


@pytest.fixture
def speech(task, tmp_path):
    """A manifest whose audio may be spoilt."""
    lines = [json.loads(line) for line in gzip.decompress(task.train.read_bytes()).splitlines()]
    for line in lines:
        source = line["recording"]["sources"][0]
        path = tmp_path / "audio" / f"{line['id'].replace('/', '-')}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(open(source["source"], "rb").read())  # noqa: SIM115
        source["source"] = str(path)
    (tmp_path / "speech.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path / "speech.jsonl"


def test_what_is_written_and_told(task, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["shard", str(task.train), str(task.dev), "-o", str(out), "--shard-size", "5", "--jobs", "2"]) == 0
    told = capsys.readouterr()
    assert told.out == f"{out}: 12 utterances, 0.00 h, 0 MB in 3 shards\n"
    names = [
        f"{kind}.{i:06d}.{ending}" for kind, ending in (("cuts", "jsonl.gz"), ("recording", "tar")) for i in (0, 1, 2)
    ]
    assert sorted(os.listdir(out)) == [".lock", "shar", "shards.json"]
    assert sorted(contents(out)) == names
    by_one = tmp_path / "by_one"
    assert shard(task.train, task.dev, "-o", by_one, "--shard-size", 5) == 0
    assert contents(by_one) == contents(out)
    orders = [[cut.id for cut in read_cuts([out])]]
    for seed in (1, 2):
        assert shard(task.train, task.dev, "-o", tmp_path / str(seed), "--shuffle", seed) == 0
        orders.append([cut.id for cut in read_cuts([tmp_path / str(seed)])])
    assert len(set(map(tuple, orders))) == 3
    assert len({tuple(sorted(each)) for each in orders}) == 1


@pytest.mark.slow
def test_a_killed_run_goes_on_with_what_was_whole(task, tmp_path, capsys):
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = ["shard", str(task.train), "-o", str(out), "--shard-size", "2"]
    command = [sys.executable, "-c", HELD, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"held\n"  # in the middle of the third shard
        process.send_signal(signal.SIGKILL)
    with pytest.raises(ManifestError, match=r"its conversion has not come to an end: run the same drsn-audio shard"):
        read_cuts([out])
    first = out / "shar" / "recording.000000.tar"
    made = first.stat().st_mtime_ns
    assert not (out / "shar" / "recording.000004.tar").exists()
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "2 of 5 shards were there, whole, from an earlier run" in told.err
    assert first.stat().st_mtime_ns == made
    assert shard(task.train, "-o", whole, "--shard-size", 2) == 0
    assert contents(out) == contents(whole)
    assert (out / "shards.json").read_text() == (whole / "shards.json").read_text()
    assert not (out / "shards.unfinished").exists()


def test_only_what_is_missing_or_torn_is_made_again(task, tmp_path, monkeypatch):
    shard_cuts([str(task.train)], tmp_path, shard_size=2)
    before, made = contents(tmp_path), []
    write = sharding.write_shard
    monkeypatch.setattr(
        sharding, "write_shard", lambda cuts, number, *rest: made.append(number) or write(cuts, number, *rest)
    )
    assert shard_cuts([str(task.train)], tmp_path, shard_size=2).kept == 5
    os.truncate(tmp_path / "shar" / "recording.000001.tar", 5000)
    (tmp_path / "shar" / "recording.000003.tar").unlink()
    (tmp_path / "shar" / "cuts.000004.jsonl.gz").unlink()
    with pytest.raises(ManifestError):
        read_cuts([tmp_path])
    report = shard_cuts([str(task.train)], tmp_path, shard_size=2)
    assert made == [1, 3, 4]
    assert (report.kept, report.shards, report.utterances) == (2, 5, 9)
    assert contents(tmp_path) == before
    assert len(read_cuts([tmp_path])) == 9


@pytest.mark.parametrize("unfinished", [True, False])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--shard-size", 4], "shard_size was 3, is 4"),
        (["--shard-size", 3, "--format", "wav"], "format was flac, is wav"),
        (["--shard-size", 3, "--in-order"], "shuffle was 0, is nothing"),
        (None, "the manifests are others"),
    ],
)
def test_what_was_made_otherwise_is_left_alone(task, tmp_path, capsys, changed, message, unfinished):
    shard_cuts([str(task.dev)], tmp_path, shard_size=3)
    if unfinished:
        facts = json.loads((tmp_path / "shards.json").read_text())
        (tmp_path / "shards.unfinished").mkdir()
        (tmp_path / "shards.unfinished" / "request.json").write_text(json.dumps(facts))
        (tmp_path / "shards.json").unlink()
    before = contents(tmp_path)
    speech, options = (task.test, ["--shard-size", 3]) if changed is None else (task.dev, changed)
    assert shard(speech, "-o", tmp_path, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}: holds shards made otherwise (")
    assert message in line
    assert line.endswith("choose another -o, or delete that folder")
    assert contents(tmp_path) == before


def test_audio_that_cannot_be_used_is_left_out_until_it_is_mended(speech, tmp_path, capsys):
    audio = sorted((tmp_path / "audio").iterdir())
    good = audio[0].read_bytes()
    audio[0].unlink()
    audio[1].write_text("no audio")
    sf.write(audio[2], np.full(4800, np.nan, np.float32), 16000, subtype="FLOAT")
    arguments = [speech, "-o", tmp_path / "out", "--shard-size", 3, "--in-order"]
    assert shard(*arguments) == 2
    told = capsys.readouterr()
    assert told.out.endswith("6 utterances, 0.00 h, 0 MB in 2 shards; left out 3\n")
    reasons = told.err.splitlines()
    assert len(reasons) == 3
    for line, reason in zip(reasons, ("no such file", "not readable", "NaN or infinite samples"), strict=True):
        assert line.startswith("error: high/")
        assert reason in line
    assert len(read_cuts([tmp_path / "out"])) == 6
    audio[0].write_bytes(good)
    assert shard(*arguments) == 2
    assert capsys.readouterr().out.endswith("7 utterances, 0.00 h, 0 MB in 3 shards; left out 2\n")
    stored = {cut.id: cut for cut in read_cuts([tmp_path / "out"])}
    loose = {cut.id: cut for cut in read_cuts([speech])}
    assert all(np.array_equal(AudioStore(16000)(cut), AudioStore(16000)(loose[name])) for name, cut in stored.items())


def test_very_many_faults_are_not_all_told(speech, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("drsn_audio.commands.SHOWN", 2)
    for path in sorted((tmp_path / "audio").iterdir())[:5]:
        path.unlink()
    assert shard(speech, "-o", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1] == f"error: 3 more, which {tmp_path}/out/shards.json names"


def test_where_nothing_can_be_used(speech, tmp_path, capsys):
    for path in (tmp_path / "audio").iterdir():
        path.unlink()
    assert shard(speech, "-o", tmp_path / "out") == 2
    assert "none of the utterances can be used, first " in capsys.readouterr().err


def test_two_at_once(task, tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "WAIT_S", 0.1)
    (tmp_path / ".lock").touch()
    with open(tmp_path / ".lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another drsn-audio shard is at work there: wait for it, or stop it"):
            shard_cuts([str(task.dev)], tmp_path)
    assert shard_cuts([str(task.dev)], tmp_path).utterances == 3


def test_a_full_disk(task, tmp_path, monkeypatch):
    """What is whole stays, and the same command goes on from there when there is room."""
    replace, room = os.replace, [3]

    def full(source, target):
        if "shar/" in str(target):
            room[0] -= 1
            if room[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(shard_writing.os, "replace", full)
    with pytest.raises(
        InputError, match=r"cannot be written \(No space left on device\): make room.* goes on from here"
    ):
        shard_cuts([str(task.train)], tmp_path, shard_size=3)
    room[0] = 99
    report = shard_cuts([str(task.train)], tmp_path, shard_size=3)
    assert (report.kept, report.shards) == (1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard-size", 0], "--shard-size 0"),
        (["--jobs", -1], "--jobs -1"),
    ],
)
def test_settings_that_make_no_sense(task, tmp_path, capsys, arguments, message):
    assert shard(task.dev, "-o", tmp_path / "out", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_places_that_are_none(task, tmp_path, capsys):
    assert shard(tmp_path / "lost.jsonl", "-o", tmp_path / "out") == 2
    assert "lost.jsonl: no such manifest" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert shard(task.dev, "-o", tmp_path / "file") == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "other" / "shar").mkdir(parents=True)
    assert shard(task.dev, "-o", tmp_path / "other") == 2
    assert "holds shar/ and no shards.json: choose another -o" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[", "{}", '{"sources": [{}], "settings": {}}', '{"sources": 3, "settings": {}}'])
def test_a_damaged_index_is_not_overwritten(task, tmp_path, capsys, text):
    shard_cuts([str(task.dev)], tmp_path)
    (tmp_path / "shards.json").write_text(text)
    assert shard(task.dev, "-o", tmp_path) == 2
    assert "shards.json: not readable" in capsys.readouterr().err
    assert (tmp_path / "shards.json").read_text() == text
