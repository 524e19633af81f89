"""recipes/sweep.py: what runs side by side, what survives being stopped in any way, what is refused, what comes out.

A made-up recipe trains for a few moments and writes down all that it does; at the end a real one, of tones.
"""

import contextlib
import dataclasses
import errno
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from drsn_audio.api import load
from drsn_audio.config import config_to_yaml
from drsn_audio.evaluation.run import evaluate_keywords
from drsn_audio.sweeping import jobs
from drsn_audio.sweeping.results import write_result

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
STEPS = 4
TRAIN = """
import fcntl, json, os, pathlib, signal, sys, time
given = dict(word.split("=", 1) for word in sys.argv[3:])
run = pathlib.Path(given["run"])
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
def note(what):
    with open(os.environ["DEEDS"], "a") as file:
        file.write(f"{run.name} {what}\\n")
lock = open(run / ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
assert given["resume"] == "true"
state = run / "state"
step = int(state.read_text()) if state.exists() else 0
note(f"begins {time.monotonic()} {given.get('train.threads', 'free')} {os.environ.get('OMP_NUM_THREADS')}")
while pathlib.Path(os.environ["DEEDS"]).read_text().count("begins") < int(os.environ.get("MEET", 1)):
    time.sleep(0.01)
while "GATE" in os.environ and not pathlib.Path(os.environ["GATE"]).exists():
    time.sleep(0.01)
patience = time.monotonic() + 300
while step < STEPS:
    time.sleep(0.02)
    while os.environ.get("HOLD_AT") == str(step) and not told and time.monotonic() < patience:
        time.sleep(0.01)
    note(f"step {step}")
    step += 1
    state.write_text(str(step))
    if told:
        note("saved")
        time.sleep(float(os.environ.get("SAVE_S", 0)))
        sys.exit(int(os.environ.get("STATUS", 143)))
if given["seed"] == os.environ.get("BAD_SEED"):
    print("all is well\\n\\nthe loss is nan")
    sys.exit(3)
(run / "best.json").write_text(json.dumps({"parameters": 10, "multiply_adds": 20, "metrics": {"dev": 0.5}}))
note(f"ends {time.monotonic()}")
""".replace("STEPS", str(STEPS))
EVALUATE = """
import json, os, pathlib, sys
run = pathlib.Path(sys.argv[1])
with open(os.environ["DEEDS"], "a") as file:
    file.write(f"{run.name} tested {' '.join(sys.argv[2:])}\\n")
wer = 0.25 if "cw" in run.name else 0.5 + int(run.name[-1]) / 10
(run / "run.json").write_text(json.dumps({"conditions": [{"noise_kind": "clean", "snr_db": None, "wer": wer}]}))
"""
SWEEP = """
recipe: {folder}/recipe
config: {folder}/config.yaml
out: {folder}/runs
results: {folder}/results
axes:
  model: {{none: [model.shrinkage=none], cw: [model.shrinkage=cw]}}
  seed: [0, 1]
"""


@pytest.fixture
def folder():
    """Of the script that is tested."""
    return RECIPES


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a sweep of the made-up recipe, sweep.yaml."""
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "train.py").write_text(TRAIN)
    (tmp_path / "recipe" / "evaluate.py").write_text(EVALUATE)
    (tmp_path / "config.yaml").write_text("model: {labels: [low, high]}\n")
    (tmp_path / "sweep.yaml").write_text(SWEEP.format(folder=tmp_path))
    monkeypatch.setenv("DEEDS", str(tmp_path / "deeds"))
    monkeypatch.setattr(jobs, "POLL_S", 0.01)
    return tmp_path


@pytest.fixture
def pair(place):
    """The same of one seed: two cells."""
    (place / "sweep.yaml").write_text((place / "sweep.yaml").read_text().replace("[0, 1]", "[0]"))
    return place


CELLS = ("none-seed0", "none-seed1", "cw-seed0", "cw-seed1")


def deeds(place):
    """What the made-up recipe has done: cell, deed and what belongs to it."""
    path = place / "deeds"
    return [line.split(maxsplit=2) for line in path.read_text().splitlines()] if path.exists() else []


def done_once(place, cells=CELLS):
    """Every step of every cell and every test once, whatever was stopped in between."""
    steps = Counter((cell, int(rest[0])) for cell, deed, *rest in deeds(place) if deed == "step")
    tests = Counter(cell for cell, deed, *_ in deeds(place) if deed == "tested")
    return steps == {(cell, step): 1 for cell in cells for step in range(STEPS)} and tests == dict.fromkeys(cells, 1)


def start(place, *words, **environment):
    return subprocess.Popen(
        [sys.executable, str(RECIPES / "sweep.py"), str(place / "sweep.yaml"), *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def begun(place):
    return sum(deed == "begins" for _, deed, *_ in deeds(place))


@pytest.mark.slow
def test_so_many_run_side_by_side_and_no_more(call, place, monkeypatch):
    monkeypatch.setenv("MEET", "2")  # the first waits for the second
    status, out, err = call("sweep", place / "sweep.yaml", "--jobs", 2)
    assert status == 0
    assert done_once(place)
    moments = sorted(
        (float(rest[0].split()[0]), 1 if deed == "begins" else -1)
        for _, deed, *rest in deeds(place)
        if deed in ("begins", "ends")
    )
    at_once = [sum(change for _, change in moments[: k + 1]) for k in range(len(moments))]
    assert max(at_once) == 2
    threads = {tuple(rest[0].split()[1:]) for _, deed, *rest in deeds(place) if deed == "begins"}
    assert threads == {("1", "1")}  # each has a core
    assert err[0] == "0 of 4 runs are done"
    assert out == (place / "results" / "sweep.md").read_text().splitlines()


def test_what_is_done_is_not_done_again(call, pair):
    assert call("sweep", pair / "sweep.yaml", "--jobs", 2)[0] == 0
    (pair / "results" / "cw-seed0.json").unlink()
    before = len(deeds(pair))
    status, _, err = call("sweep", pair / "sweep.yaml")
    assert (status, err[0]) == (0, "1 of 2 runs are done")
    assert {cell for cell, *_ in deeds(pair)[before:]} == {"cw-seed0"}
    assert call("sweep", pair / "sweep.yaml", "--list")[1] == ["done    none-seed0", "done    cw-seed0"]


@pytest.mark.slow
def test_killed_without_warning_and_begun_at_once_again(call, place, monkeypatch):
    """Those that were at work are told to save, and nobody takes their cells before they are gone."""
    monkeypatch.setenv("HOLD_AT", "2")
    monkeypatch.setenv("SAVE_S", "1.5")  # longer than the next sweep takes to begin
    sweep = start(place, "--jobs", "2")
    wait_for(lambda: sum(deed == "step" for _, deed, *_ in deeds(place)) == 4)
    monkeypatch.delenv("HOLD_AT")
    sweep.send_signal(signal.SIGKILL)
    sweep.communicate()
    status, _, err = call("sweep", place / "sweep.yaml", "--jobs", 2)
    assert status == 0, err
    assert done_once(place), deeds(place)
    assert sorted(path.stem for path in (place / "results").glob("*.json")) == sorted([*CELLS, "sweep"])
    if sys.platform.startswith("linux"):
        assert sum(deed == "saved" for _, deed, *_ in deeds(place)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status", "of_train"), [(signal.SIGTERM, 143, 143), (signal.SIGINT, 130, 0)])
def test_told_to_stop_it_lets_its_runs_save(call, place, monkeypatch, number, status, of_train):
    monkeypatch.setenv("HOLD_AT", "0")
    monkeypatch.setenv("STATUS", str(of_train))

    def stop():
        wait_for(lambda: begun(place) == 2)
        os.kill(os.getpid(), number)

    stopping = threading.Thread(target=stop)
    stopping.start()
    before = signal.getsignal(number)
    ended, _, err = call("sweep", place / "sweep.yaml", "--jobs", 2)
    stopping.join()
    assert (ended, err[-1]) == (status, "stopped: the same command goes on")
    assert signal.getsignal(number) is before
    assert Counter(cell for cell, deed, *_ in deeds(place) if deed == "saved") == dict.fromkeys(CELLS[:2], 1)
    assert begun(place) == 2  # nothing further
    assert "tested" not in {deed for _, deed, *_ in deeds(place)}
    states = [line.split()[0] for line in call("sweep", place / "sweep.yaml", "--list")[1]]
    assert states == ["begun", "begun", "to", "to"]


@pytest.mark.slow
def test_told_twice_it_ends_what_does_not_listen(call, pair, monkeypatch):
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    tell, told = jobs._stop, []
    monkeypatch.setattr(jobs, "_stop", lambda running, at_once: told.append(at_once) or tell(running, at_once))
    deeds_of = "import os\nopen(os.environ['DEEDS'], 'a').write('it begins 0 0 0\\n')\n"
    (pair / "recipe" / "train.py").write_text(f"{deaf}{deeds_of}time.sleep(600)")

    def stop():
        wait_for(lambda: begun(pair) == 2)
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(lambda: told)
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    assert call("sweep", pair / "sweep.yaml", "--jobs", 2)[0] == 143
    stopping.join()
    assert told == [False, True]  # politely, then by SIGKILL: they would have slept on


@pytest.mark.slow
def test_two_sweeps_at_once_share_the_work(call, place):
    """The other one is held in its first cell until this one has done the three that are left."""
    gate = place / "gate"
    other = start(place, GATE=str(gate))
    wait_for(lambda: begun(place))

    def open_gate():
        wait_for(lambda: sum(deed == "tested" for _, deed, *_ in deeds(place)) == 3)
        gate.touch()

    opening = threading.Thread(target=open_gate)
    opening.start()
    status, _, err = call("sweep", place / "sweep.yaml")
    opening.join()
    _, others = other.communicate(timeout=300)
    assert (status, other.returncode) == (0, 0), (err, others)
    assert done_once(place)
    assert any("done by another sweep" in line or "waiting for" in line for line in err)


@pytest.mark.slow
def test_a_run_that_fails_is_told_at_the_end_and_the_others_go_on(call, place, monkeypatch):
    monkeypatch.setenv("BAD_SEED", "0")
    status, out, err = call("sweep", place / "sweep.yaml", "--jobs", 2)
    assert status == 2
    assert sorted(path.stem for path in (place / "results").glob("*-*.json")) == ["cw-seed1", "none-seed1"]
    at = err.index(
        f"error: none-seed0: train.py ended with status 3: see {place}/runs/none-seed0/sweep.log; "
        "the same command tries again"
    )
    assert err[at + 1 : at + 4][-2:] == ["    all is well", "    the loss is nan"]
    assert any("missing: none-seed0, cw-seed0" in line for line in out)
    monkeypatch.delenv("BAD_SEED")
    assert call("sweep", place / "sweep.yaml", "--jobs", 2)[0] == 0  # it is tried again
    assert done_once(place)


@pytest.mark.slow
def test_a_test_that_leaves_nothing_is_a_failure(call, pair):
    """What an earlier test left does not pass for it."""
    (pair / "recipe" / "evaluate.py").write_text("")
    (pair / "runs" / "none-seed0").mkdir(parents=True)
    (pair / "runs" / "none-seed0" / "run.json").write_text('{"conditions": [{"snr_db": null, "wer": 0.1}]}')
    status, _, err = call("sweep", pair / "sweep.yaml", "--jobs", 2)
    assert status == 2
    reason = "its test left neither answers.json nor a run.json with figures"
    assert sum(reason in line for line in err if line.startswith("error: ")) == 2
    assert not (pair / "results").exists()


@pytest.mark.slow
def test_another_config_is_refused_until_it_is_done_anew(call, pair):
    assert call("sweep", pair / "sweep.yaml", "--jobs", 2)[0] == 0
    changed = (pair / "sweep.yaml").read_text().replace("cw: [model", "cw: [model.width=9, model")
    (pair / "sweep.yaml").write_text(changed)
    before = len(deeds(pair))
    for words in ([], ["--gather"], ["--again", "none-seed0"]):
        status, out, err = call("sweep", pair / "sweep.yaml", *words)
        assert (status, out, len(err)) == (2, [], 1)
        assert err[0].endswith(
            "results/cw-seed0.json: has model.width=17, the sweep asks for 9: give other out= and results=, or "
            "--again cw-seed0 to do it anew"
        )
    assert len(deeds(pair)) == before
    assert (pair / "results" / "none-seed0.json").exists()  # nothing is removed before all is found right
    assert call("sweep", pair / "sweep.yaml", "--again", "cw-*")[0] == 0
    assert Counter(cell for cell, deed, *_ in deeds(pair)[before:] if deed == "step") == {"cw-seed0": STEPS}


@pytest.mark.slow
def test_where_only_the_test_changed_the_training_stays(call, pair):
    assert call("sweep", pair / "sweep.yaml", "--jobs", 2)[0] == 0
    before = len(deeds(pair))
    assert call("sweep", pair / "sweep.yaml", "evaluate.draws=9", "--again", "*", "--jobs", 2)[0] == 0
    assert {deed for _, deed, *_ in deeds(pair)[before:]} == {"begins", "ends", "tested"}
    assert [rest for _, deed, *rest in deeds(pair)[before:] if deed == "tested"] == [["evaluate.draws=9"]] * 2


@pytest.mark.slow
def test_a_run_folder_of_another_config_is_not_gone_on_with(call, pair, monkeypatch):
    monkeypatch.setenv("BAD_SEED", "0")
    assert call("sweep", pair / "sweep.yaml", "--jobs", 2)[0] == 2
    before = len(deeds(pair))
    status, _, err = call("sweep", pair / "sweep.yaml", "train.epochs=7", f"results={pair}/other")
    assert (status, len(err), len(deeds(pair))) == (2, 1, before)
    assert f"{pair}/runs/none-seed0: has train.epochs=40, the sweep asks for 7: give other out=" in err[0]


@pytest.mark.slow
def test_a_disk_that_is_full_fails_its_run_alone(call, pair, monkeypatch):
    def full(sweep, cell):
        if cell.name == "none-seed0":
            raise OSError(errno.ENOSPC, "No space left on device", str(cell.result))
        return write_result(sweep, cell)

    monkeypatch.setattr(jobs, "write_result", full)
    status, _, err = call("sweep", pair / "sweep.yaml")
    assert status == 2
    assert "none-seed0: failed: [Errno 28] No space left on device" in err[1]
    assert [path.stem for path in (pair / "results").glob("*-*.json")] == ["cw-seed0"]


@pytest.mark.slow
def test_manifests_that_have_changed_are_told_of(call, pair):
    manifest = pair / "test.jsonl"
    manifest.write_text("one")
    (pair / "config.yaml").write_text(f"data: {{test: [{manifest}]}}\n")
    assert call("sweep", pair / "sweep.yaml", "--jobs", 2)[0] == 0
    manifest.write_text("other")
    status, _, err = call("sweep", pair / "sweep.yaml")
    assert (status, len(err)) == (0, 2)
    assert err[0].startswith(f"warning: {manifest} is not what it was when ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("recipe: ", "recipes: ", "recipes: unknown key; did you mean 'recipe'?"),
        ("cw: [model.shrinkage=cw]", "cw: [model.shrinkge=cw]", "cw-seed0: model.shrinkge: unknown key; did you mean"),
        ("cw: [model.shrinkage=cw]", "cw: [model.shrinkage=none]", "cw-seed0: the same config as none-seed0"),
        ("cw: [", "off: [", "YAML reads an unquoted False for a word: quote the label"),
        ("/recipe\n", "/nowhere\n", "has no train.py: name a recipe's folder"),
        ("/config.yaml\n", "/nowhere.yaml\n", "nowhere.yaml: no such config file"),
        ("[0, 1]", "[0, 1]\nreference: none0", "reference=none0: no label of model; did you mean 'none'?"),
        ("[0, 1]", "[0, 1]\nexclude: [{model: cv}]", "cv is no label of this axis; known are none, cw"),
        ("[0, 1]", "[0, 1]\norder: [sed]", "order: sed is no axis; did you mean 'seed'?"),
        ("[0, 1]", "[0, 1]\noverrides: [run=x]", "run=x: the sweep sets this itself"),
        ("[0, 1]", "[0, 1]\nevaluate: [model.width=3]", "model.width=3: is trained already then"),
        ("[0, 1]", "[0, 1]\noverrides: ['data.test=[no.jsonl.gz]']", "no.jsonl.gz: no such manifest"),
        ("axes:", "axes: [", "not a YAML sweep"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_one_line_before_anything_starts(call, place, old, new, reason):
    text = (place / "sweep.yaml").read_text()
    assert old in text
    (place / "sweep.yaml").write_text(text.replace(old, new, 1))
    status, out, err = call("sweep", place / "sweep.yaml")
    assert (status, out, len(err)) == (2, [], 1), err
    assert reason in err[0]
    assert not (place / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--jobs", "0"], "--jobs 0: give 1 or more"),
        (["--again", "cv-seed0"], "--again cv-seed0: no such run; did you mean 'cw-seed0'?"),
        (["--again", "cw-seed0", "--list"], "--again does runs anew"),
        (["--gather"], "none of the 4 cells is done yet"),
        (["train.epoch=2"], "train.epoch: unknown key"),
        (["seed=5"], "none-seed1: the same config as none-seed0"),
    ],
)
def test_what_is_wrong_with_a_command_is_one_line(call, place, words, reason):
    status, out, err = call("sweep", place / "sweep.yaml", *words)
    assert (status, out, len(err)) == (2, [], 1), err
    assert reason in err[0]


@pytest.mark.slow
def test_figures_of_a_recipe_without_answers_have_mean_and_deviation(call, place):
    status, out, _ = call("sweep", place / "sweep.yaml", "--jobs", 4)
    assert status == 0
    facts = json.loads((place / "results" / "sweep.json").read_text())
    assert [(row["label"], row["cells"], row["parameters"]) for row in facts["rows"]] == [
        ("none", 2, 10),
        ("cw", 2, 10),
    ]
    none, cw = (row["columns"]["wer clean"] for row in facts["rows"])
    assert none == {"mean": pytest.approx(0.55), "deviation": pytest.approx(0.1 / 2**0.5)}
    assert cw == {"mean": 0.25, "deviation": 0.0}
    assert any("0.550 ± 0.071" in line for line in out)


QUICK = ("train.epochs=3", "train.picture_epochs=0", "evaluate.draws=1", "evaluate.replicates=50")


class Here:
    """A process, but in this one: the real recipe without its imports, eight times."""

    def __init__(self, command, stdout, **_):
        self.args, self.pid = command, os.getpid()
        text = io.StringIO()
        arguments, sys.argv = sys.argv, command[1:]
        try:
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                runpy.run_path(command[1], run_name="__main__")
        except SystemExit as end:
            self.returncode = end.code
        finally:
            sys.argv = arguments
        stdout.write(text.getvalue().encode())

    def poll(self):
        return self.returncode


@pytest.mark.slow
def test_a_sweep_of_a_real_recipe(call, place, config, monkeypatch):
    (place / "config.yaml").write_text(config_to_yaml(config))
    text = (place / "sweep.yaml").read_text().replace(f"{place}/recipe", str(RECIPES / "keywords"))
    (place / "sweep.yaml").write_text(text)
    monkeypatch.setattr(jobs, "Popen", Here)
    status, out, err = call("sweep", place / "sweep.yaml", *QUICK)
    assert status == 0, err
    facts = json.loads((place / "results" / "sweep.json").read_text())
    assert facts["columns"] == ["clean", "20 dB", "0 dB", "mean"]
    assert (facts["draws"], facts["noise_kinds"], facts["speakers"]) == (1, ["machinery", "street"], 2)
    assert facts["rows"][1]["difference"]["pairs"] == 2

    result = json.loads((place / "results" / "cw-seed1.json").read_text())
    assert (result["seed"], result["labels"]) == (1, {"model": "cw", "seed": "1"})
    assert result["settings"]["train"]["epochs"] == 3
    assert result["settings"]["model"]["shrinkage"] == "cw"
    assert (place / "results" / "cw-seed1.json").stat().st_size < 60_000
    assert "dev_accuracy" in result["dev"]
    assert result["parameters"] == facts["rows"][1]["parameters"] > facts["rows"][0]["parameters"]

    # What the evaluation says of the same weights.
    model, data = load(place / "runs" / "cw-seed1").module, config.data
    evaluate = dataclasses.replace(config.evaluate, draws=1)
    theirs = evaluate_keywords(model, data.test, data.noise_test, name="", data=data, evaluate=evaluate)["conditions"]
    accuracies = {(one["noise_kind"], one["snr_db"]): one["accuracy"] for one in theirs}
    ours = next(run["figures"] for run in facts["runs"] if run["cell"] == "cw-seed1")
    assert ours["clean"] == accuracies["clean", None]
    for snr_db in (20, 0):
        assert ours[f"{snr_db} dB"] == pytest.approx(accuracies["mean", snr_db])
    assert any(line.startswith("| cw ") for line in out)
