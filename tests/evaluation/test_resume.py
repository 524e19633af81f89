"""A killed evaluation goes on, whatever the number of its processes, and finds what an undisturbed one finds."""

import functools
import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from drsn_audio import evaluating
from drsn_audio.cli import main
from drsn_audio.config import EvaluateConfig
from drsn_audio.datasets.manifests import scan_cuts
from drsn_audio.evaluation.journal import Journal, answers, packed, unpacked
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.processes import ALONE

from ..denoising.conftest import small_denoiser
from ..together import together
from ..training.conftest import Fork
from .test_shares import evaluated

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills copies of this process")
JOURNAL = "evaluate.journal"


@pytest.fixture
def asked(monkeypatch):
    """The keys of the units that were asked; `asked.last = n`: the process is killed when so many are noted."""

    class Asked(list):
        last = None

    keys, note, one_by_one = Asked(), Journal.note, threading.Lock()

    def counted(journal, key, stamp, answer):
        with one_by_one:
            note(journal, key, stamp, answer)
            keys.append(key)
            if len(keys) == keys.last:
                os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Journal, "note", counted)
    return keys


@pytest.fixture
def small(monkeypatch):
    """Several batches of six utterances, run.json alone, and of the denoiser's measures the one that is fast."""
    monkeypatch.setattr(evaluating, "EvaluateConfig", functools.partial(EvaluateConfig, batch_size=2, replicates=20))
    monkeypatch.setattr(evaluating, "find_spec", lambda name: None)
    evaluation = evaluating._evaluation

    def write(facts, folder):
        (Path(folder) / "run.json").write_text(json.dumps(facts))
        return []

    monkeypatch.setattr(evaluating, "_evaluation", lambda *given: (evaluation(*given)[0], lambda facts: "", write))


def arguments_of(kind, run, writing_run, task, folder):
    noise = ["--noise", task.noise, "--folds", 3, "--snr", 5, -5, "--draws", 1 if kind == "denoiser" else 2]
    model, manifest = (
        {"keyword": run, "mixed": run, "writing": writing_run, "denoiser": folder / "denoiser"}[kind],
        task.test,
    )
    if kind == "denoiser":
        save_checkpoint(model, "best", small_denoiser(), step=1, info={})
    if kind == "mixed":
        from drsn_audio.datasets.mixing import mix_files

        mix_files(task.test, "street", [5.0, -5.0], folder / "mixes", progress=False)
        manifest, noise = folder / "mixes" / "mix.jsonl.gz", []
    return ["--model", model, "--manifest", manifest, *noise]


def killed(asked, last, call):
    """A copy of this process that calls, and is killed when it has noted so many units."""
    asked.last = last
    copy = Fork(call)
    asked.last = None
    assert copy.wait(300) == -signal.SIGKILL


def keys_of(out):
    """Of the units in all journals of a folder."""
    lines = [line for path in sorted(out.glob("*.journal")) for line in path.read_text().splitlines()]
    return [record["key"] for record in map(json.loads, lines) if "key" in record]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "units"),
    [
        ("keyword", 16),
        ("writing", 4),
        pytest.param("mixed", 6, marks=pytest.mark.slow),
        pytest.param("denoiser", 6 * 2 + 6 + 2, marks=pytest.mark.slow),
    ],
)
def test_a_killed_evaluation_goes_on(kind, units, run, writing_run, task, tmp_path, asked, small, capsys):
    arguments, out = arguments_of(kind, run, writing_run, task, tmp_path), tmp_path / "killed"
    undisturbed = evaluated(ALONE, tmp_path / "alone", *arguments)
    assert len(asked) == units
    assert not keys_of(tmp_path / "alone")
    asked.clear()
    killed(asked, 1, lambda: evaluated(ALONE, out, *arguments))
    assert keys_of(out) == ["0"]
    resumed = [*arguments, "--resume"]
    killed(asked, units // 2, lambda: together(3, lambda processes: evaluated(processes, out, *resumed)))
    done = keys_of(out)
    assert len(set(done)) == len(done) == 1 + units // 2
    facts, *others = together(2, lambda processes: evaluated(processes, out, *resumed))
    assert sorted([*done, *asked], key=int) == [str(unit) for unit in range(units)]
    assert facts == undisturbed
    assert others == [None]
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in (tmp_path / "alone").iterdir())


@pytest.mark.slow
def test_what_is_done_is_kept_for_the_same_request_alone(run, task, tmp_path, asked, small, capsys):
    arguments, out = arguments_of("keyword", run, None, task, tmp_path), tmp_path / "out"
    killed(asked, 2, lambda: evaluated(ALONE, out, *arguments))
    noted = (out / JOURNAL).read_bytes()

    def refused(*others):
        status = main([str(word) for word in ("evaluate", *arguments, *others, "--quiet", "--resume")])
        told = capsys.readouterr().err.splitlines()
        assert (status, len(told)) == (2, 1)
        return told[0]

    other = task.noise.with_name("other.jsonl")
    other.write_text("".join(json.dumps(cut) + "\n" for cut in scan_cuts(task.noise)))
    of_another = "answers made otherwise (another {}): choose another -o, or leave out --resume to begin anew"
    for option, what in (
        (["--seed", 1], "seed"),
        (["--snr", 5], "snr"),
        (["--level", "rms"], "level"),
        (["--noise", other], "noise"),
        (["--manifest", task.dev], "manifest"),
    ):
        assert of_another.format(what) in refused(*option, "-o", out)
    assert "--resume without -o" in refused()
    assert (out / JOURNAL).read_bytes() == noted
    evaluated(ALONE, out, *arguments)  # without --resume: all of it
    assert len(asked) == 16


@pytest.mark.slow
def test_streams_are_not_resumed(run, task, tmp_path, capsys):
    manifest = tmp_path / "streams.jsonl"
    manifest.write_text(json.dumps(next(scan_cuts(task.test)) | {"custom": {"stream": True}}) + "\n")
    options = ["--model", run, "--manifest", manifest, "-o", tmp_path / "out", "--resume"]
    assert main(["evaluate", *map(str, options)]) == 2
    assert "leave out --resume" in capsys.readouterr().err


@pytest.mark.slow
def test_a_unit_that_is_another_one_now_is_asked_again(tmp_path):
    def asked(units, resume):
        heard = []

        def hear(numbers):
            heard.extend(numbers)
            return (f"of {units[number]}" for number in numbers)

        with Journal(tmp_path, {}, resume) as journal:
            for _ in range(2):
                assert answers(units, hear, ALONE, journal) == [f"of {unit}" for unit in units]
        return heard

    assert asked(["a", "b", "c"], False) == [0, 1, 2] * 2
    assert asked(["a", "b", "c"], True) == []
    assert asked(["a", "B", "c"], True) == [1, 1]
    assert asked(["a", "B", "c"], False) == [0, 1, 2] * 2


@pytest.mark.slow
def test_logits_are_kept_to_the_last_bit():
    logits = np.array([[1 / 3, -0.0, np.nan], [np.inf, 1e-45, -3e38]], np.float32)
    assert unpacked(json.loads(json.dumps(packed(logits)))).tobytes() == logits.tobytes()
