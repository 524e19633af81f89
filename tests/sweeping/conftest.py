"""Results of sweeps that are made up."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from drsn_audio.evaluation.answers import describe_answers
from drsn_audio.evaluation.keyword import Trials
from drsn_audio.sweeping.cells import cells_of
from drsn_audio.sweeping.config import read_sweep
from drsn_audio.sweeping.results import trials_path
from drsn_audio.sweeping.rows import Planned

SWEEP = """
recipe: recipes/keywords
config: {folder}/config.yaml
out: {folder}/runs
results: {folder}/results
axes:
  model:
    se: [model.shrinkage=se]
    se-frequency: [model.shrinkage=se-frequency]
    drsn-frequency: [model.shrinkage=cw-frequency]
  fold: {{1: [data.silence_share=0.1], 2: [data.silence_share=0.2], 3: [data.silence_share=0.3]}}
  seed: [0, 1]
overrides: [evaluate.replicates=200]
"""
PEOPLE, RECORDINGS = 5, 4  # of a fold; every speaker is heard in every recording of a kind
KINDS, SNRS_DB = ("street", "machinery"), (20.0, 0.0, -10.0)


@pytest.fixture(scope="session")
def read_planned(tmp_path_factory):
    """A sweep as it is planned, by the name of its YAML."""
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "config.yaml").write_text("model: {preset: 10k, labels: [low, high]}\n")
    known = {}

    def read(name, change=lambda text: text):
        if name not in known:
            path = folder / f"{name}.yaml"
            path.write_text(change(SWEEP.format(folder=folder)))
            sweep = read_sweep(path)
            known[name] = Planned(Path(f"sweeps/{name}.yaml"), sweep, cells_of(sweep))
        return known[name]

    return read


@pytest.fixture
def plan(read_planned, tmp_path):
    """The same, with results of its own."""

    def of(name="main", change=lambda text: text):
        planned = read_planned(name, change)
        sweep = dataclasses.replace(planned.sweep, results=str(tmp_path / name))
        cells = [dataclasses.replace(cell, result=tmp_path / name / cell.result.name) for cell in planned.cells]
        return dataclasses.replace(planned, sweep=sweep, cells=cells)

    return of


@pytest.fixture
def put():
    """Writes the result of a cell: of each condition so many of its 20 trials right, the first ones."""

    def write(planned, name, right, parameters=100, level="p56"):
        cell = next(cell for cell in planned.cells if cell.name == name)
        fold = cell.labels["fold"]
        conditions = [("clean", None), *((kind, snr_db) for kind in KINDS for snr_db in SNRS_DB)]
        facts = describe_answers([_trials(fold, *key, right(*key)) for key in conditions], ["low", "high"])
        asked = facts.pop("asked")
        path = trials_path(planned.sweep, asked["sha256"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asked))
        result = {
            "schema": 1, "digest": cell.digest, "settings": cell.settings, "labels": cell.labels,
            "training_seconds": 60.0, "parameters": parameters, "multiply_adds": 20_000 * parameters,
            "answers": {"trials": asked["sha256"], "level": level, "draws": 1, "seed": 0, **facts},
        }  # fmt: skip
        cell.result.write_text(json.dumps(result))

    return write


def _trials(fold, kind, snr_db, right):
    count = PEOPLE * RECORDINGS
    people = [f"speaker-{fold}-{k % PEOPLE}" for k in range(count)]
    recordings = [f"{kind}-{fold}-{k // PEOPLE}" for k in range(count)]
    logits = np.eye(2)[(np.arange(count) >= right).astype(int)]
    told = np.array(["low"] * count)
    return Trials(kind, snr_db, logits, np.zeros(count, dtype=int), np.array(people), np.array(recordings), told)
