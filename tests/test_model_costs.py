"""benchmarks/model_costs.py: its ratios, the order in which it measures, and that it runs."""

import importlib
import json
from pathlib import Path

import pytest

from drsn_audio.errors import InputError
from drsn_audio.sweeping.evidence_command import read_costs
from drsn_audio.sweeping.rows import Planned

SWEEP = """
recipe: recipes/keywords
config: {folder}/config.yaml
out: {folder}/runs
results: {folder}/results
axes:
  model: {{none: [model.shrinkage=none], cw: [model.shrinkage=cw]}}
  seed: [0, 1]
reference: none
"""


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
    return importlib.import_module("model_costs")


class Clock:
    """A model that takes so long, and notes when it is asked."""

    calls: list = []  # noqa: RUF012

    def __init__(self, label, milliseconds):
        self.label, self.milliseconds = label, milliseconds

    def _take(self, what):
        self.calls.append((what, self.label))
        return self.milliseconds

    def training(self):
        return self._take("training")

    def inference(self):
        return self._take("inference")

    def inference_64(self):
        return self._take("inference_64")


def test_models_take_turns_and_another_begins_each_round(bench):
    Clock.calls = []
    found = bench.measure({"a": Clock("a", 2.0), "b": Clock("b", 3.0), "c": Clock("c", 4.0)}, rounds=2, warm_up=1)
    turns = ["".join(label for what, label in Clock.calls if what == one) for one in bench.MEASURED]
    assert turns == ["abcbcacab"] * 3
    assert found["b"] == {what: [3.0, 3.0] for what in bench.MEASURED}  # not the round of warming up


def test_ratios_are_of_the_same_round(bench):
    """The machine is twice as slow in the second of three rounds, and a disturbance falls into one of them."""
    times = {"a": [1.0, 2.0, 1.0], "b": [3.0, 6.0, 9.0]}
    found = bench.summarise({label: dict.fromkeys(bench.MEASURED, values) for label, values in times.items()}, "a")
    assert found["b"]["training"] == {"ms": 6.0, "low_ms": 4.5, "high_ms": 7.5, "ratio": 3.0}
    assert found["a"]["inference"]["ratio"] == 1.0


@pytest.mark.slow
def test_it_measures_the_models_of_a_sweep(bench, tmp_path, monkeypatch, capsys):
    (tmp_path / "config.yaml").write_text(
        "model: {preset: 10k, labels: [low, high]}\ntrain: {batch_size: 4}\ndata: {train: [nowhere.jsonl.gz]}\n"
    )
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP.format(folder=tmp_path))
    monkeypatch.setattr("sys.argv", ["model_costs.py", str(path), "--rounds", "1", "results=" + str(tmp_path / "r")])
    assert bench.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "r/costs.json")
    facts = json.loads((tmp_path / "r/costs.json").read_text())
    assert (facts["reference"], facts["batch_size"], list(facts["models"])) == ("none", 4, ["none", "cw"])
    none, cw = facts["models"].values()
    assert none["parameters"] < cw["parameters"]
    assert none["multiply_adds"] < cw["multiply_adds"]
    assert min(cost[what]["ms"] for cost in (none, cw) for what in bench.MEASURED) > 0
    assert none["training"]["ratio"] == 1.0
    planned = Planned(path, bench.read_sweep(path, ["results=" + str(tmp_path / "r")]), [])
    assert read_costs([planned]) == {"sweep": facts["models"]}


@pytest.mark.slow
def test_what_cannot_be_measured_is_one_line(bench, tmp_path):
    (tmp_path / "config.yaml").write_text("model: {preset: 10k, labels: [low, high]}\n")
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP.format(folder=tmp_path))
    for words, options, message in (
        ([], {"rounds": 0}, "--rounds 0: give 1 or more"),
        ([], {"rounds": 1, "reference": "se"}, "--reference se: no model of the sweep: one of none, cw"),
        (["model.pool=causal", "train.stretch_s=2"], {"rounds": 1}, "none: this measures keyword models"),
    ):
        with pytest.raises(InputError, match=message):
            bench.costs(str(path), words, **options)
