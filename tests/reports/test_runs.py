"""Run folders are found and read, whole ones, old ones, killed ones; what cannot be read is told and hides no other."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from drsn_audio.cli import main
from drsn_audio.reports.run_files import RunError, is_locked, read_lines
from drsn_audio.reports.runs import TrainingRun, find_runs, read_run
from drsn_audio.reports.runs_compare import compare_runs, differing
from drsn_audio.reports.runs_table import describe_figure, runs_table, sort_runs

CONFIG = {
    "run": "somewhere", "seed": 1, "model": {"head": "keyword", "encoder": "drsn", "shrinkage": "cw", "preset": "10k"},
    "data": {"dev": ["dev.jsonl.gz"], "noise_dev": [{"manifest": "noise.jsonl.gz"}]},
    "train": {"epochs": 4, "learning_rate": 0.003},
}  # fmt: skip
START = {
    "step": 0, "command": "python train.py", "commit": "abc", "date": "2026-01-02T03:04:05+00:00",
    "versions": {"torch": "2.9"}, "machine": {"processor": "x86_64"}, "processes": 1, "device": "cpu",
}  # fmt: skip
FACTS = {
    "schema": 1, "status": "finished", "reason": "", "step": 20, "total_steps": 40, "epoch": 2, "seed": 1,
    "parameters": 10_123, "multiply_adds": 5, "processes": 2, "device": "cuda", "precision": "bf16",
    "starts": [START, {**START, "step": 15, "commit": "def", "date": "2026-01-03T00:00:00+00:00"}],
    "data": {"dev.jsonl.gz": {"sha256": "d" * 64, "bytes": 9}}, "seconds": 3661.4,
}  # fmt: skip
LOG = [
    {"epoch": 1, "step": 10, "dev_accuracy": 0.5, "best": 0.5, "train_ce": 2.0, "seconds": 5.0, "steps_per_s": 2.0},
    {"epoch": 2, "step": 20, "dev_accuracy": 0.4, "best": 0.5, "train_ce": 1.5, "seconds": 4.0, "steps_per_s": 2.5},
]
BEST = {"step": 10, "parameters": 10_123, "metrics": {"dev_accuracy": 0.5, "epoch": 1}, "commit": "old", "model": {}}


@pytest.fixture
def make(tmp_path):
    """(name, changes of training.json, of the config) -> a run folder, with or without each of its files."""

    def made(name, facts=None, config=None, log=LOG, best=BEST, old=False):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(json.dumps(merged(CONFIG, config or {})))
        if not old:
            (folder / "training.json").write_text(json.dumps({**FACTS, **(facts or {})}))
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        (folder / "best.json").write_text(json.dumps(best))
        return folder

    return made


def merged(first, second):
    deeper = {key: merged(first[key], value) for key, value in second.items() if isinstance(value, dict)}
    return {**first, **second, **deeper}


@pytest.fixture
def cli(capsys):
    def run(*arguments):
        status = main(["runs", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


def test_a_run_says_what_it_is(make):
    run = read_run(make("a"))
    assert run.what == "keyword cw 10k"
    assert (run.status, run.step, run.total_steps, run.epoch, run.epochs) == ("finished", 20, 40, 2, 4)
    assert (run.figure, run.best, run.best_epoch, run.last) == ("dev_accuracy", 0.5, 1, 0.4)
    assert (run.figures, run.throughput) == ({"dev_accuracy": 0.4, "train_ce": 1.5}, {"steps_per_s": 2.5})
    assert (run.parameters, run.seconds, run.starts) == (10_123, 3661.4, 2)
    assert (run.commit, run.date[:10]) == ("def", "2026-01-02")  # of the code as it is now; of the beginning
    assert (run.processes, run.device, run.precision, run.data) == (2, "cuda", "bf16", {"dev.jsonl.gz": "d" * 64})
    assert run.config["train.learning_rate"] == 0.003


def test_other_encoders_are_named():
    config = {
        "model.head": "keyword",
        "model.encoder": "bc-resnet",
        "model.shrinkage": "",
        "model.preset": "bc-resnet-1",
    }
    assert TrainingRun(".", config=config).what == "keyword bc-resnet bc-resnet-1"
    assert TrainingRun(".").what == ""


def test_an_old_run_says_what_it_has(make):
    run = read_run(make("old", old=True))
    assert (run.status, run.step, run.total_steps, run.seconds, run.commit) == ("", 20, None, 9.0, "old")
    assert (run.best, run.parameters, run.data, run.processes) == (0.5, 10_123, {}, None)
    assert read_run(make("over", old=True, config={"train": {"epochs": 2}})).status == "finished"
    assert read_run(make("short", old=True, config={"train": {"max_steps": 20}})).status == "finished"
    stopped = make("nan", old=True)
    (stopped / "stopped.json").write_text("{}")
    assert read_run(stopped).status == "failed"
    speed = [{key: value for key, value in line.items() if key != "steps_per_s"} for line in LOG]
    assert read_run(make("slow", old=True, log=speed)).throughput == {"steps_per_s": 10 / 4}


@pytest.mark.parametrize("kept", ["training.json", "log.jsonl", "best.json"])
def test_one_file_is_enough(make, kept):
    folder = make("a")
    for path in folder.iterdir():
        if path.name != kept:
            path.unlink()
    run = read_run(folder)
    assert list(find_runs(folder, None)) == [folder]
    assert run.step == (10 if kept == "best.json" else 20)
    assert runs_table([run], 200).row_count == 1


def test_a_run_that_just_began(make):
    facts = {"status": "running", "step": 0, "epoch": 0, "starts": [START], "seconds": 0.0}
    folder = make("new", facts, log=[])
    (folder / "best.json").unlink()
    run = read_run(folder)
    assert (run.best, run.last, run.figure, run.epoch, run.status) == (None, None, "", 0, "killed")


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "wb")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_running_is_who_holds_the_lock(make):
    folder = make("a", {"status": "running"})
    assert read_run(folder).status == "killed"  # before there ever was a lock
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder / ".lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    try:
        assert read_run(folder).status == "running"
        assert is_locked(folder / ".lock")  # asking did not take it
        assert read_run(folder).step == 20
        (folder / "steps.jsonl").write_text('{"step": 23}\n{"step": 24}\n')  # further than training.json knows
        assert read_run(folder).step == 24
        (folder / "steps.jsonl").write_text('{"step": 24}\n{"st')
        assert read_run(folder).step == 24
        (folder / "steps.jsonl").write_text("")
        assert read_run(folder).step == 20
    finally:
        holder.kill()
        holder.communicate()
    assert read_run(folder).status == "killed"


def test_a_torn_last_line_is_no_fault(make):
    folder = make("a")
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"epoch": 3, "st')
    assert read_lines(folder / "log.jsonl") == LOG
    assert read_run(folder).epoch == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("training.json", '{"schema": 1,', "training.json: cannot be read"),
        ("training.json", "[]", "where a mapping is to be"),
        ("training.json", '{"schema": 2}', "schema 2, this version reads 1"),
        ("training.json", '{"schema": 1, "starts": 3}', "not those of a training"),
        ("log.jsonl", "{}\nrubbish\n{}\n", "log.jsonl: cannot be read"),
        ("log.jsonl", '{"other": 1}\n', "not those of a training"),
        ("best.json", "\x00\x00", "best.json: cannot be read"),
        ("config.yaml", "a: [", "config.yaml: cannot be read"),
        ("config.yaml", "- a list", "config.yaml: cannot be read"),
    ],
)
def test_what_is_torn_is_told_in_a_line_and_the_others_are_listed(make, cli, tmp_path, name, text, told):
    make("whole")
    (make("torn") / name).write_text(text)
    status, out, err = cli(tmp_path, "--json")
    (line,) = err
    assert status == 2
    assert line.startswith("error: ")
    assert told in line
    assert "RunError" not in line
    assert [json.loads(line)["path"] for line in out] == [str(tmp_path / "whole")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads all")
def test_a_folder_without_permission(make, cli, tmp_path):
    make("whole")
    closed = make("closed/in")
    closed.parent.chmod(0)
    try:
        status, out, err = cli(tmp_path, "--json")
    finally:
        closed.parent.chmod(0o755)
    assert (status, len(out), len(err)) == (2, 1, 1)


def test_runs_are_found_below_and_once(make, tmp_path):
    first, second = make("b/sweep/1"), make("a")
    inside = make("b/sweep/1/resume/step")  # a checkpoint, no run
    hidden = make(".trash/old")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    below = make("b/sweep/1/finer")
    found = list(find_runs(tmp_path, None))
    assert found == [second, first, below]
    assert inside not in found
    assert hidden not in found
    with pytest.raises(RunError, match="no such folder"):
        list(find_runs(tmp_path / "nowhere", None))


def test_none_is_an_error_with_a_remedy(cli, tmp_path, monkeypatch):
    assert cli(tmp_path) == (2, [], [f"error: {tmp_path}: holds no run: train one (recipes/), or name the folder that "
                                     "its run= names"])  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli() == (2, [], ["error: runs: no such folder: name one that holds runs, or one run"])


def test_the_table(make, cli, tmp_path, monkeypatch):
    make("a")
    make("b", {"status": "running", "commit": "x"})
    monkeypatch.chdir(tmp_path)
    status, out, err = cli(".", "a", "./a")  # named thrice, listed once
    assert (status, err) == (0, [])
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out if line.startswith("│")]
    shared = ["keyword cw 10k", "10,123", "20/40", "2/4", "accuracy 50.0 %"]
    assert rows == [
        ["a", *shared, "finished", "def", "2026-01-02 03:04", "1:01:01"],
        ["b", *shared, "killed", "def", "2026-01-02 03:04", "1:01:01"],
    ]


def test_a_narrow_terminal_leaves_columns_out_and_says_so(make):
    table = runs_table([read_run(make("a"))], 110)
    names = [column.header for column in table.columns]
    assert {"run", "status", "best", "step"} <= set(names)
    assert "commit" not in names
    assert table.caption.startswith("no room here for commit")


def test_sorted():
    def run(path, **known):
        return TrainingRun(path, **known)

    runs = [
        run("d", figure="dev_wer", best=0.2, date="2026-03", step=5),
        run("c", figure="dev_wer", best=0.1, date="2026-01", step=7),
        run("b"),
        run("a", figure="dev_accuracy", best=0.9, date="2026-02"),
        run("e", figure="dev_accuracy", best=0.95, date=""),
    ]

    def order(key):
        return "".join(run.path for run in sort_runs(runs, key))

    assert order("name") == "abcde"
    assert order("best") == "eacdb"
    assert order("date") == "cadbe"
    assert order("step")[:2] == "cd"


def test_figures_in_words():
    assert describe_figure("dev_si_sdr_improvement_db", 4.957) == "si_sdr_improvement 4.96 dB"
    assert describe_figure("dev_wer_clean", 0.1234) == "wer_clean 12.3 %"
    assert describe_figure("dev_loss", 1.23456) == "loss 1.235"
    assert describe_figure("dev_accuracy", None) == ""


# --compare


def compared(*folders):
    return compare_runs([read_run(folder) for folder in folders])


def test_only_what_differs_is_compared(make):
    other = {**FACTS["data"]["dev.jsonl.gz"], "sha256": "e" * 64}
    found = compared(
        make("a"),
        make(
            "b",
            {"data": {"dev.jsonl.gz": other}, "starts": [{**START, "versions": {"torch": "3"}}], "status": "failed"},
            {"train": {"learning_rate": 0.01}, "run": "elsewhere"},
            best={**BEST, "metrics": {"dev_accuracy": 0.7}},
        ),
    )
    assert found["runs"] == ["a", "b"]
    assert found["settings"] == {"train.learning_rate": [0.003, 0.01]}
    assert found["origin"] == {
        "commit": ["def", "abc"],
        "version of torch": ["2.9", "3"],
        "sha256 of dev.jsonl.gz": ["d" * 64, "e" * 64],
    }
    assert found["results"]["best dev_accuracy"] == [0.5, 0.7]
    assert found["results"]["steps_per_s"] == [2.5, 2.5]
    words = "\n".join(found["words"])
    assert "1 setting differs: train.learning_rate." in words
    assert "Best by development data: b, accuracy 70.0 %; a 50.0 %." in words
    assert "not on the same trials, so that says little: dev.jsonl.gz differ" in words
    assert "b failed." in words
    assert "read other data: dev.jsonl.gz." in words
    assert "Versions differ: torch." in words


def test_the_lower_error_rate_is_the_better(make):
    rates = [{**BEST, "metrics": {"dev_wer": rate}} for rate in (0.1, 0.3)]
    words = compared(make("a", best=rates[0]), make("b", best=rates[1]))["words"]
    assert "Best by development data: a, wer 10.0 %; b 30.0 %." in words


def test_seeds_and_unequal_runs(make):
    assert "The seed alone differs" in compared(make("a"), make("b", config={"seed": 2}))["words"][0]
    same = compared(make("c"), make("d"))
    assert same["words"] == ["No setting differs.", "By development data they are equally good: accuracy 50.0 %."]
    assert (same["settings"], same["origin"]) == ({}, {})
    words = compared(make("e"), make("f", {"step": 40, "starts": [{**START, "commit": "abc-dirty"}]}))["words"]
    assert "They are not equally far: e (20/40), f (40/40) steps." in words
    assert any("f was changed beside its commit" in sentence for sentence in words)
    unlike = compared(make("g"), make("h", best={**BEST, "metrics": {"dev_wer": 0.1}}))["words"]
    assert "They are not measured by the same: dev_accuracy, dev_wer." in unlike


def test_a_key_that_one_lacks_differs():
    assert differing([{"a": 1, "b": None}, {"a": 1}]) == {"b": [None, None]}
    assert differing([{"a": [1]}, {"a": [1]}, {"a": [1]}]) == {}


def test_comparing_by_the_command(make, cli, tmp_path):
    a, b = make("a"), make("b", config={"seed": 2})
    status, out, _ = cli(b, a, "--compare")  # in the order that they are named
    assert status == 0
    heading = next(line for line in out if line.startswith("┃"))
    assert [cell.strip() for cell in heading.split("┃")[1:-1]] == ["", "b", "a"]
    assert any(line.startswith("- The seed alone differs") for line in out)
    _, (line,), _ = cli(tmp_path, "--compare", "--json")
    assert json.loads(line)["settings"] == {"seed": [1, 2]}
    shutil.rmtree(b)
    assert cli(tmp_path, "--compare")[2] == [
        f"error: --compare takes two runs at least, found {a} alone: name their folders, or one that holds them"
    ]


def test_a_run_that_training_made(run, cli):
    """The fixture's, as the loop leaves it."""
    _, (line,), err = cli(run, "--json")
    found = json.loads(line)
    assert err == []
    assert (found["what"], found["figure"], found["status"]) == ("keyword cw-frequency 10k", "dev_accuracy", "finished")
    assert found["epoch"] == found["epochs"] == 60
    assert 0 <= found["last"] <= found["best"] <= 1
