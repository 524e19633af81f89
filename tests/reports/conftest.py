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


SYSTEMS = {"noisy": 0.0, "ours": 6.0, "WebRTC": 3.0}


def value(mean: float, spread: float = 1.0, trials: int = 8) -> dict[str, Any]:
    return {"mean": mean, "low": mean - spread, "high": mean + spread, "trials": trials}


def denoised(system: str, kind: str, snr_db: float | str) -> dict[str, Any]:
    gain = SYSTEMS[system] + (1 if kind == "street" else -1 if kind == "drills" else 0)
    start = {10.0: 10.0, -5.0: -5.0, "mean": 2.5}[snr_db]
    line: dict[str, Any] = {
        "system": system,
        "noise_kind": kind,
        "snr_db": snr_db,
        "trials": 8,
        "speakers": 4,
        "noise_recordings": 5,
    }
    line |= {"si_sdr_db": value(start + gain), "si_sdr_gain_db": value(gain), "stoi": value(0.7 + gain / 100, 0.01)}
    return line | {"pesq": None}


@pytest.fixture
def denoising_facts() -> Any:
    """A run.json of denoising: ours gains 6 dB and WebRTC 3, one more in the street and one less among drills."""
    kinds, snrs = ("drills", "street", "mean"), (10.0, -5.0, "mean")
    settings = {"library": "webrtc-noise-gain", "delay_ms": 6.0}
    return {
        "schema": 1,
        "kind": "denoising",
        "command": "python recipes/denoise/evaluate.py runs/ours",
        "commit": "",
        "seed": 3,
        "level": "p56",
        "draws": 2,
        "model": {"name": "ours", "parameters": 98_767},
        "systems": [
            {"name": "noisy", "settings": {}, "real_time_factor": None},
            {"name": "ours", "settings": {}, "real_time_factor": 0.0123},
            {"name": "WebRTC", "settings": settings, "real_time_factor": 0.001},
        ],
        "data": {
            "manifest": "test.jsonl.gz",
            "sha256": "ab" * 32,
            "utterances": 48,
            "speakers": 4,
            "limits": {"per_speaker": 12, "duration_s": [3.0, 12.0]},
            "noise": [{"manifest": "noise.jsonl.gz", "sha256": "cd" * 32, "folds": [3], "recordings": 7}],
        },
        "si_sdr_range_db": [-30.0, 60.0],
        "left_out": {"si_sdr_db": 0, "stoi": 0, "pesq": 8},
        "conditions": [denoised(*key) for key in [(s, k, r) for s in SYSTEMS for k in kinds for r in snrs]],
        "differences": [
            {"measure": "si_sdr_db", "system": "noisy", "difference": 6.0, "low": 5.0, "high": 7.0},
            {"measure": "si_sdr_db", "system": "WebRTC", "difference": 3.0, "low": None, "high": None},
            {"measure": "stoi", "system": "noisy", "difference": 0.06, "low": 0.05, "high": 0.07},
        ],
        "edges": [
            {
                "system": name,
                "clean": {"si_sdr_db": value(25.0)},
                "silence": {"peak": 0.0 if name == "ours" else None},
                "noise": [{"noise_kind": kind, "attenuation_db": value(20.0)} for kind in ("drills", "street", "mean")],
            }
            for name in ("ours", "WebRTC")
        ],
    }
