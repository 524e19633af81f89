"""What card.py does for a streaming model: its test streams, its exported forms, what the benchmark said of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drsn_audio.config import ConfigError
from drsn_audio.progress import ProgressBar

STREAMS = ("streams/test-words.jsonl.gz", "streams/test-free.jsonl.gz")


def write_stream_card(path: Path, results: Path, streams: Sequence[str] = STREAMS, speed: Path | None = None) -> Path:
    """Evaluate a shipped streaming model, its JSON at `path`, on manifests of streams; returns its card's path.

    `results` gets run.json, table.md, det.png and export.json. `speed`: what benchmarks/streaming.py --json wrote.

    Raises:
        ConfigError: a model that was not tuned, or a benchmark of other weights.
        CheckpointError, ManifestError, AudioError: files that cannot be used.
    """
    from drsn_audio.api import load_recognizer
    from drsn_audio.datasets.manifests import read_cuts
    from drsn_audio.evaluation.stream_sets import distinct_sound
    from drsn_audio.evaluation.streams import evaluate_streams
    from drsn_audio.export.run import export_model
    from drsn_audio.reports.stream_card import stream_card
    from drsn_audio.reports.streams import write_streams_report

    model, name = load_recognizer(path), path.stem
    if "detector" not in model.info:
        raise ConfigError(f"{path}: not tuned: tune its run with recipes/keywords/tune.py and ship it again")
    measured = _of_these_weights(speed, model.info["sha256"]) if speed else None
    distinct = distinct_sound(read_cuts(streams))
    with ProgressBar() as progress:
        facts = evaluate_streams(
            model.module,
            model.detector_config(),
            streams,
            name=name,
            temperature=model.temperature,
            checkpoint=model.info,
            progress=progress,
        )
    facts["distinct"] = distinct
    with tempfile.TemporaryDirectory() as folder:
        exported = export_model(
            model.module,
            Path(folder) / f"{name}.onnx",
            detector=model.detector_config(),
            temperature=model.temperature,
            int8=True,
            about={"checkpoint": model.info["sha256"], "tuned": True},
        )
    write_streams_report(facts, results)
    (results / "export.json").write_text(json.dumps(exported, indent=1) + "\n")
    size = sum(file.stat().st_size for file in (path, path.parent / model.info["weights"]))
    card = path.with_suffix(".md")
    card.write_text(stream_card(name, model.info, size, facts, exported, measured))
    return card


def _of_these_weights(speed: Path, sha256: str) -> dict[str, Any]:
    """What benchmarks/streaming.py found, of the model with these weights alone: {"machine", "listeners"} by form.

    Raises:
        ConfigError: no such file, or nothing of these weights in it.
    """
    if not speed.is_file():
        raise ConfigError(f"{speed}: no such file: make it with benchmarks/streaming.py --json")
    found = json.loads(speed.read_text())
    forms = {".onnx": "float", ".int8.onnx": "int8"}
    listeners = {
        forms.get("".join(Path(source).suffixes[-2:]), "torch"): about
        for source, about in found["listeners"].items()
        if about.get("weights") == sha256
    }
    if not listeners:
        raise ConfigError(f"{speed}: of other weights: measure these with benchmarks/streaming.py --json")
    return {"machine": found["machine"], "listeners": listeners}
