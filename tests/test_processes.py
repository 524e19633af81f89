"""Several processes at one command: who they are, and that together they do what one does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio import processes
from drsn_audio.cli import main
from drsn_audio.journal import JsonJournal
from drsn_audio.processes import ALONE, ProcessError, Processes, from_environment, single_by_mistake

pytestmark = pytest.mark.skipif(os.name != "posix", reason="starts and kills processes")
RATE = 16000


HELD = """
import sys, time
from drsn_audio.cli import main
from drsn_audio.journal import JsonJournal
note, noted = JsonJournal.note, []
def note_two(*arguments):
    note(*arguments)
    noted.append(1)
    if len(noted) == 2:
        time.sleep(600)
JsonJournal.note = note_two
sys.exit(main(sys.argv[1:]))
"""


def start(count, *arguments, held=False):
    """The processes of one command, as torchrun starts them, by rank. held: each stops after its second answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for rank in range(count):
        launched = {**given, "RANK": rank, "LOCAL_RANK": rank}
        environment = {**os.environ, **{key: str(value) for key, value in launched.items()}}
        program = ["-c", HELD] if held else ["-m", "drsn_audio"]
        command = [sys.executable, *program, *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
    return started


def finish(started):
    """Status, stdout and stderr of each."""
    told = [process.communicate(timeout=600) for process in started]
    return [(process.returncode, *texts) for process, texts in zip(started, told, strict=True)]


@pytest.fixture
def sounds(tmp_path, say):
    """Ten sounds, and one that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(10):
        word = ("low", "mid", "high")[number % 3]
        sf.write(folder / f"{number}.wav", np.tile(say(word, "eve"), 1 + number % 4), RATE, subtype="FLOAT")
    (folder / "4b.wav").write_text("not audio")
    return folder


@pytest.mark.slow
def test_what_a_launcher_says():
    assert from_environment({"MASTER_ADDR": "localhost"}) is ALONE
    assert from_environment({"RANK": "3", "WORLD_SIZE": "4"}) == Processes(3, 4, 3, 4)
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    found = from_environment(told)
    assert found == Processes(3, 4, 1, 2)
    assert [found.device(name) for name in ("cuda", "cuda:0", "cpu", "mps")] == ["cuda:1", "cuda:0", "cpu", "mps"]
    assert ALONE.device("cuda") == "cuda"
    for wrong in (
        {"RANK": "4", "WORLD_SIZE": "4"},
        {"RANK": "-1", "WORLD_SIZE": "4"},
        {"RANK": "x", "WORLD_SIZE": "1"},
    ):
        with pytest.raises(ProcessError, match="not what a launcher sets"):
            from_environment(wrong)
    with pytest.raises(ProcessError, match="on several machines: name a place"), found.scratch():
        pass
    assert ALONE.gather("all") == ["all"]


@pytest.mark.slow
def test_a_launcher_that_starts_one_process_instead_of_several(capsys, monkeypatch, sounds, run):
    assert single_by_mistake({"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "True"})
    assert not single_by_mistake({"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "True", "WORLD_SIZE": "2"})
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert main(["classify", str(sounds / "0.wav"), "--model", str(run), "--quiet"]) == 0
    assert "starts one process" in capsys.readouterr().err


@pytest.mark.slow
def test_other_commands_are_refused(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("drsn_audio.cli.here", lambda: Processes(0, 2, 0, 2))
    assert main(["estimate-snr", str(tmp_path)]) == 2
    assert "is the work of one process" in capsys.readouterr().err


@pytest.mark.slow
def test_beside_the_main_one_nothing_is_told_that_all_would_say(capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit):
        main(["classify", "--nonsense"])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(SystemExit):
        main(["classify", "--nonsense"])
    assert "are required: PATH" in capsys.readouterr().err


class InTurn(Processes):
    """One of two processes whose others have come and gone, or are still to come: nobody waits."""

    def gather(self, part):
        return [part] * self.count


def parts_of(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_parts_are_found_by_key_whatever_the_number_of_processes_is(tmp_path):
    """Killed at any moment, each process leaves a part; the next run takes them all in, the last torn line excepted."""
    path = tmp_path / "a.jsonl"
    with JsonJournal(path, {"model": 1}, False) as journal:
        journal.note("a", [1], "A")
    for rank in (1, 2):
        with JsonJournal(path, {"model": 1}, True, InTurn(rank, 3)) as journal:
            assert journal.answer_of("a", [1]) == "A"
            journal.note(f"of {rank}", [rank], rank)
    torn = tmp_path / "a.2.jsonl"
    torn.write_bytes(torn.read_bytes() + b'{"key": "torn", "stamp": [1], "ans')
    assert parts_of(tmp_path) == ["a.1.jsonl", "a.2.jsonl", "a.jsonl"]
    with JsonJournal(path, {"model": 1}, True) as journal:
        assert [journal.answer_of(*asked) for asked in (("a", [1]), ("of 1", [1]), ("of 2", [2]))] == ["A", 1, 2]
        assert [journal.answer_of(*asked) for asked in (("torn", [1]), ("of 2", [3]))] == [None, None]
        assert parts_of(tmp_path) == ["a.jsonl"]
    assert len(path.read_text().splitlines()) == 4
    with JsonJournal(path, {"model": 1}, True, InTurn(1, 2)) as journal:
        journal.note("other", [1], "O")
    with JsonJournal(path, {"model": 1}, False) as journal:
        assert parts_of(tmp_path) == ["a.jsonl"]
        assert [journal.answer_of(key, [1]) for key in ("a", "other")] == [None, None]


@pytest.mark.slow
def test_a_part_of_another_model_or_that_somebody_writes_to_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    with JsonJournal(path, {"model": 1}, False):
        pass
    with JsonJournal(path, {"model": 1}, True, InTurn(1, 2)) as left_over:
        left_over.note("b", [1], "B")
        for resume in (True, False):
            with (
                pytest.raises(ValueError, match="another drsn-audio is at work"),
                JsonJournal(path, {"model": 1}, resume),
            ):
                pass
    with pytest.raises(ValueError, match=r"made otherwise \(another model\)"), JsonJournal(path, {"model": 2}, True):
        pass
    with JsonJournal(path, {"model": 1}, True) as journal:
        assert journal.answer_of("b", [1]) == "B"


def rounded(text):
    """JSON lines without the last digits of scores, which a batch's other sounds can change."""
    return json.loads(
        json.dumps([json.loads(line) for line in text.splitlines()]), parse_float=lambda x: round(float(x), 4)
    )


@pytest.mark.slow
def test_two_processes_classify_as_one(sounds, run, tmp_path, capsys):
    def alone_with(*arguments):
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    alone = alone_with("classify", sounds, "--model", run, "--json", "--quiet")
    main_one, other = finish(start(2, "classify", sounds, "--model", run, "--json", "--quiet"))
    assert main_one[0] == alone[0] == 2
    assert rounded(main_one[1]) == rounded(alone[1])
    assert main_one[2] == alone[2]  # the file that is none, once
    assert other == (0, "", "")
    # One is killed, then the other; a single one goes on, and a file of all is there in the end.
    out = tmp_path / "out.jsonl"
    arguments = ("classify", sounds, "--model", run, "-o", out, "--quiet")
    killed = start(2, *arguments, held=True)
    part = tmp_path / "out.jsonl.1.journal"
    wait_for(lambda: part.exists() and len(part.read_bytes().splitlines()) == 3, killed[1])
    for process in killed:
        process.send_signal(signal.SIGKILL)
    finish(killed)
    assert part.exists()
    assert not out.exists()
    noted = part.read_text().splitlines()[1:]
    assert alone_with(*arguments, "--resume")[:2] == (2, f"{out}\n")
    assert rounded(out.read_text()) == rounded(alone[1])
    journal = (tmp_path / "out.jsonl.journal").read_text().splitlines()[1:]
    assert set(noted) <= set(journal)
    keys = [json.loads(line)["key"] for line in journal]
    assert sorted(keys) == sorted(str(path) for path in sounds.iterdir() if path.name != "4b.wav")
    assert parts_of(tmp_path) == ["in", "out.jsonl", "out.jsonl.journal"]


def wait_for(reached, process, longest_s=300):
    end = time.monotonic() + longest_s
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.slow
def test_the_others_notice_that_one_is_gone(sounds, run, tmp_path, monkeypatch):
    """No launcher looks after them here: the connection tells."""
    started = start(2, "classify", sounds, "--model", run, "-o", tmp_path / "o.jsonl", "--quiet", held=True)
    wait_for(lambda: (tmp_path / "o.jsonl.journal").exists(), started[0])
    started[1].send_signal(signal.SIGKILL)
    (status, printed, told), _ = finish(started)
    assert (status, printed) == (2, "")
    assert "lost another one" in told
    assert not Path(tmp_path / "o.jsonl").exists()


@pytest.mark.slow
def test_the_group_is_made_of_gloo_whatever_the_device(monkeypatch):
    """Where nothing is shared, neither accelerate nor torch.distributed is imported."""
    code = "import sys, drsn_audio.commands, drsn_audio.processes as p; p.here().gather(1);"
    code += "assert not {'accelerate', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert processes.here() is ALONE
