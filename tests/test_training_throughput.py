"""benchmarks/training_throughput.py: what it makes of a training's logs. The training itself is not run here."""

import importlib
import json
from pathlib import Path

import pytest

from drsn_audio.errors import InputError


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
    return importlib.import_module("training_throughput")


def steps(*seconds, rows=32):
    return [{"step": k + 1, "rows": rows, "sound_s": 16.0, "seconds": s} for k, s in enumerate(seconds)]


def test_medians_after_the_warm_up(bench):
    found = bench.throughput(steps(9.0, 9.0, 0.5, 0.25, 0.5, 7.0, 0.5), warm_up=2)
    assert found["step_s"] == 0.5
    assert found["steps_per_s"] == 2.0
    assert found["utterances_per_s"] == 64.0
    assert found["sound_s_per_s"] == 32.0
    assert found["low_s"] <= 0.5 <= found["high_s"]
    with pytest.raises(InputError, match="3 steps, of which 2 are for warming up: give more --steps"):
        bench.throughput(steps(1, 1, 1), warm_up=2)


def test_steps_are_read_as_they_were_written(bench, tmp_path):
    path = tmp_path / "steps.jsonl"
    path.write_text("".join(json.dumps(step) + "\n" for step in steps(0.5, 0.25)))
    assert bench.read_steps(path) == steps(0.5, 0.25)


@pytest.mark.parametrize("text", [None, '{"step": 1, "ro', '{"step": 1}', "[1]", json.dumps(steps(0.0)[0])])
def test_logs_that_are_none(bench, tmp_path, text):
    if text is not None:
        (tmp_path / "steps.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"steps\.jsonl: cannot be read"):
        bench.read_steps(tmp_path / "steps.jsonl")


def test_the_share_of_checkpoints(bench):
    found = bench.checkpoint_share({"checkpoint_seconds": 2.4, "seconds": 10.0}, written=4, minutes=0.99)
    assert found["checkpoint_s"] == pytest.approx(0.6)
    assert found["checkpoint_share"] == pytest.approx(0.01)


def test_ratios_are_to_the_first_row(bench):
    share = {"checkpoint_s": 0.1, "checkpoint_share": 0.01}
    rows = [
        {"processes": count, "workers": 0, **bench.throughput(steps(*[seconds] * 3), 0), **share}
        for count, seconds in ((1, 0.5), (2, 0.25))
    ]
    first, second = bench.table(rows).splitlines()[2:]
    assert [cell.strip() for cell in first.split("|")][1:6] == ["1", "0", "2.00", "64", "1.00"]
    assert [cell.strip() for cell in second.split("|")][1:6] == ["2", "0", "4.00", "128", "2.00"]
