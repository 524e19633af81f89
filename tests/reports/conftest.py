import math
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

LABELS = ["yes", "no", "up", "unknown", "silence"]
KINDS = {"street": 0.0, "machinery": 4.0}  # how many dB the kind is harder


def made_run(name: str = "small", shrinkage: str = "cw-frequency", better_db: float = 0.0, seed: int = 0) -> Any:
    """A run.json of plain values, 200 trials a condition; accuracies follow a logistic curve over the SNR."""
    generator = np.random.default_rng(seed)
    conditions = [_condition("clean", None, 0.95, generator)]
    for snr_db in (20.0, 10.0, 5.0, 0.0, -5.0):
        found = []
        for kind, harder_db in KINDS.items():
            accuracy = 0.2 + 0.75 / (1 + math.exp(-(snr_db - harder_db + better_db) / 4))
            conditions.append(_condition(kind, snr_db, accuracy, generator))
            found.append(conditions[-1]["accuracy"])
        conditions.append(_condition("mean", snr_db, float(np.mean(found)), generator))
    return {
        "schema": 1,
        "command": "python recipes/keywords/evaluate.py --run runs/small",
        "commit": "0123456789ab",
        "date": "2026-01-02T03:04:05+00:00",
        "seed": 3,
        "level": "p56",
        "draws": 4,
        "versions": {"torch": "2.6.0"},
        "model": {
            "name": name,
            "shrinkage": shrinkage,
            "parameters": 97312,
            "multiply_adds": 5_000_000,
            "labels": LABELS,
        },
        "data": {
            "manifest": "manifests/commands/test.jsonl.gz",
            "sha256": "aa" * 32,
            "utterances": 50,
            "speakers": 12,
            "noise": [
                {
                    "manifest": "manifests/urbansound8k/noise.jsonl.gz",
                    "sha256": "bb" * 32,
                    "folds": [3],
                    "kinds": ["street", "machinery"],
                    "recordings": 41,
                }
            ],
        },
        "conditions": conditions,
    }


def _condition(kind: str, snr_db: float | None, accuracy: float, generator: np.random.Generator) -> dict[str, Any]:
    shares = np.full((len(LABELS), len(LABELS)), (1 - accuracy) / (len(LABELS) - 1))
    np.fill_diagonal(shares, accuracy)
    confusion = np.array([generator.multinomial(40, row) for row in shares])
    found = accuracy if kind == "mean" else confusion.trace() / 200
    entry = {
        "noise_kind": kind,
        "snr_db": snr_db,
        "accuracy": found,
        "low": max(0.0, found - 0.03),
        "high": min(1.0, found + 0.025),
        "trials": 200,
        "speakers": 12,
        "noise_recordings": 0 if kind == "clean" else 41,
    }
    return entry if kind == "mean" else entry | {"confusion": confusion.tolist()}


@pytest.fixture
def facts() -> Any:
    return made_run()


@pytest.fixture
def other_facts() -> Any:
    return made_run("resnet", "none", better_db=-3, seed=1)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    save = Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures
