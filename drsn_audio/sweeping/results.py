"""What is kept of a finished run, without its weights: one small JSON a cell, and one of the trials that cells share.

RESULTS/<cell>.json:
{"schema": 1, "cell", "labels": {axis: label}, "digest", "recipe", "config", "overrides", "evaluate", "seed", "date",
 "commits": those that trained it, "checkpoint": {"sha256", "step"}, "data": {manifest: sha256},
 "parameters", "multiply_adds", "training_seconds", "dev": its figures on the development set,
 "answers": {"trials": sha256 of their list, "level", "draws", "seed", "conditions": as in evaluation/answers.py},
 "figures": {name: value}, where the recipe keeps no answers, "settings": the config in full}

A recipe with answers.py (keywords) leaves answers.json in the run folder: the table then has intervals and paired
differences. Of the others (transcription, denoising), which leave run.json, the figures of its conditions are kept, for
a mean and a deviation.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from drsn_audio.config import ConfigError
from drsn_audio.errors import InputError
from drsn_audio.evaluation.answers import SCHEMA as ANSWERS_SCHEMA
from drsn_audio.files import write_whole
from drsn_audio.sweeping.cells import SCHEMA, Cell
from drsn_audio.sweeping.config import Sweep

ANSWERS, RUN = "answers.json", "run.json"  # what a test leaves in the run folder
# Of a condition in run.json, by which it is named, or which are counts and bounds; all other numbers are figures.
NOT_FIGURES = {
    "noise_kind", "snr_db", "system", "trials", "speakers", "noise_recordings", "low", "high", "cer_low", "cer_high",
    "words", "characters", "substitutions", "deletions", "insertions", "exact", "confusion",
}  # fmt: skip


def write_result(sweep: Sweep, cell: Cell) -> dict[str, Any]:
    """From what training and test left in the run folder; the file is whole or not there.

    Raises:
        InputError: they left no figures, or none that can be read.
        OSError: it cannot be written.
    """
    best, training = _json(cell.run / "best.json"), _json(cell.run / "training.json")
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "cell": cell.name,
        "labels": cell.labels,
        "digest": cell.digest,
        "recipe": sweep.recipe,
        "config": sweep.config,
        "overrides": list(cell.overrides),
        "evaluate": list(cell.evaluate),
        "seed": cell.settings["seed"],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commits": _commits(best, training),
        "checkpoint": {key: best.get(key) for key in ("sha256", "step")},
        "data": {path: _sha256(path) for path in manifests(cell)},
        **{key: best.get(key) for key in ("parameters", "multiply_adds")},
        "training_seconds": training.get("seconds", _logged_seconds(cell.run)),
        "dev": best.get("metrics", {}),
    }
    if (cell.run / ANSWERS).exists():
        answers = _json(cell.run / ANSWERS)
        if answers.get("schema") != ANSWERS_SCHEMA:
            raise InputError(f"{cell.run / ANSWERS}: not what answers.py writes: test it again")
        asked = answers.pop("asked")
        path = trials_path(sweep, asked["sha256"])
        if not path.exists():
            write_whole(path, (json.dumps(asked, indent=1) + "\n").encode(), sync=True)
        facts["answers"] = {"trials": asked["sha256"], **answers}
    elif (cell.run / RUN).exists():
        facts["figures"] = dict(figures(_json(cell.run / RUN)))
    if not facts.get("figures") and "answers" not in facts:
        raise InputError(f"{cell.run}: its test left neither {ANSWERS} nor a {RUN} with figures: see {cell.log}")
    facts["settings"] = cell.settings
    write_whole(cell.result, (json.dumps(facts, indent=1) + "\n").encode(), sync=True)
    return facts


def read_asked(sweep: Sweep, digest: str) -> dict[str, Any]:
    """The trials that cells share.

    Raises:
        InputError: they are not there, or not what a sweep wrote.
    """
    path = trials_path(sweep, digest)
    asked = _json(path)
    if asked.get("sha256") != digest:
        raise InputError(f"{path}: not there, or not what a sweep wrote: get it back, or --again a cell that it is of")
    return asked


def trials_path(sweep: Sweep, digest: str) -> Path:
    return Path(sweep.results) / "trials" / f"{digest[:16]}.json"


def figures(facts: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """run.json -> name and value of the numbers of its conditions; of several kinds of noise, of their mean alone."""
    conditions = [one for one in facts.get("conditions", []) if isinstance(one, Mapping)]
    kinds = {one.get("noise_kind") for one in conditions}
    for one in conditions:
        kind, snr_db = one.get("noise_kind"), one.get("snr_db")
        if "mean" in kinds and kind not in ("mean", "clean"):
            continue
        where = "clean" if snr_db is None else f"{snr_db:g} dB" if isinstance(snr_db, int | float) else str(snr_db)
        of = [str(one["system"])] if "system" in one else []
        of += [] if kind in ("mean", "clean", None) else [str(kind)]
        for key, value in one.items():
            number = value.get("mean") if isinstance(value, Mapping) else value
            if key not in NOT_FIGURES and isinstance(number, int | float) and math.isfinite(number):
                yield " ".join([*of, key, where]), float(number)


def manifests(cell: Cell) -> list[str]:
    """All that its config names."""
    data = cell.settings["data"]
    noise = [source["manifest"] for part in ("train", "dev", "test") for source in data[f"noise_{part}"]]
    names = [*data["train"], *data["dev"], *data["test"], *noise, *data["strings"]["speech"], *data["rooms"]]
    return list(dict.fromkeys(names))


def check_manifests(cell: Cell) -> None:
    """Raises ConfigError where one of them is not there, before hours of others are spent."""
    for path in manifests(cell):
        if not Path(path).exists():
            raise ConfigError(f"{cell.name}: {path}: no such manifest: make it with the recipe's prepare.py")


def changed_data(result: Mapping[str, Any]) -> list[str]:
    """Manifests that are not those that it was made with; one that is not here may be."""
    return [path for path, digest in result.get("data", {}).items() if digest and _sha256(path) not in ("", digest)]


def _commits(best: Mapping[str, Any], training: Mapping[str, Any]) -> list[str]:
    starts = [start.get("commit") for start in training.get("starts", [])] or [best.get("commit")]
    return [one for one in dict.fromkeys(starts) if one]


def _logged_seconds(run: Path) -> float | None:
    try:
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        return round(sum(line["seconds"] for line in lines), 2)
    except (OSError, ValueError, KeyError):
        return None


def _sha256(path: str) -> str:
    place = Path(path) / "shards.json" if Path(path).is_dir() else Path(path)
    return hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""


def _json(path: Path) -> dict[str, Any]:
    """A mapping; {} where there is no file. Raises InputError where it is none."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise InputError(f"{path}: not JSON: remove it, and its cell is done again") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no keys and values: remove it, and its cell is done again")
    return found
