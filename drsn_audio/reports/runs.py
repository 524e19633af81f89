"""Run folders, found and read: what was trained in each, how far it came, and how good it became."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drsn_audio.errors import InputError
from drsn_audio.reports.run_files import RunError, is_locked, last_step, read_json, read_lines, unreadable

SCHEMA = 1  # of training.json
MARKS = ("training.json", "log.jsonl", "best.json")  # one of them makes a folder that of a run
INSIDE = ("tensorboard", "resume")  # of a run, where no other run is
OF_AN_EPOCH = ("epoch", "step", "best", "seconds")  # in log.jsonl, beside the figures


@dataclass(frozen=True)
class TrainingRun:
    """What a run folder says of itself; None, "" and {} where it says nothing, as older ones do of much.

    status: running | finished | stopped (by a signal) | failed (its loss) | killed; "" is not known. figure, best,
    last: the name of what is measured on development data, its best value and that of the last epoch. throughput:
    steps, rows and seconds of sound a second of training, in the last epoch. config: by dotted key. data: manifest ->
    its fingerprint.
    """

    path: Path
    status: str = ""
    reason: str = ""
    step: int = 0
    total_steps: int | None = None
    epoch: int = 0
    epochs: int | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    figure: str = ""
    best: float | None = None
    last: float | None = None
    best_epoch: int | None = None
    figures: dict[str, float] = field(default_factory=dict)  # of the last epoch, losses too
    throughput: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    starts: int = 1
    command: str = ""
    commit: str = ""
    date: str = ""  # ISO 8601, when it was begun
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    processes: int | None = None
    device: str = ""
    precision: str = ""
    data: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """Head, what stands for the thresholds, and preset: "keyword cw-frequency 100k"."""
        known = {key: str(self.config.get(f"model.{key}", "")) for key in ("head", "shrinkage", "encoder", "preset")}
        block = known["shrinkage"] if known["encoder"] == "drsn" else known["encoder"]
        preset = known["preset"] if known["preset"] != block else ""
        return " ".join(filter(None, [known["head"], block, preset]))

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path), "what": self.what}


def find_runs(folder: str | Path, failed: Callable[[InputError], None]) -> Iterator[Path]:
    """Run folders in a folder and below it, or the folder itself, in order of their paths. `failed` is told of
    folders that cannot be read; the others are found.

    Raises:
        RunError: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise RunError(f"{folder}: no such folder: name one that holds runs, or one run")
    seen: set[str] = set()

    def tell(error: OSError) -> None:
        failed(RunError(f"{error.filename}: cannot be read ({error.strerror}): check its permissions"))

    for place, below, files in os.walk(Path(folder), onerror=tell, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link leads back
            below.clear()
            continue
        seen.add(real)
        is_run = not set(MARKS).isdisjoint(files)
        below[:] = sorted(name for name in below if not name.startswith(".") and not (is_run and name in INSIDE))
        if is_run:
            yield Path(place)


def read_run(path: Path) -> TrainingRun:
    """Not to be called by the process that trains there: what is opened and closed would give its lock away.

    Raises:
        RunError: a file of the folder that cannot be read, or is not what training writes.
    """
    facts, best = read_json(path / "training.json"), read_json(path / "best.json")
    if facts.get("schema", SCHEMA) != SCHEMA:
        raise RunError(f"{path / 'training.json'}: schema {facts['schema']!r}, this version reads {SCHEMA}: update it")
    log, config = read_lines(path / "log.jsonl"), _read_config(path, best)
    try:
        return _run(path, facts, best, log, config)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunError(
            f"{path}: its files are not those of a training ({reason}): remove it, or copy it again"
        ) from None


def _run(
    path: Path, facts: dict[str, Any], best: dict[str, Any], log: list[dict[str, Any]], config: dict[str, Any]
) -> TrainingRun:
    starts = facts.get("starts") or [{}]
    first, last = {**best, **starts[0]}, {**best, **starts[-1]}
    line = log[-1] if log else {}
    epochs, steps = config.get("train.epochs"), config.get("train.max_steps")
    known: dict[str, Any] = {key: facts.get(key, best.get(key)) for key in ("parameters", "multiply_adds", "processes")}
    known |= {key: facts.get(key, "") for key in ("device", "precision")}
    status, step = facts.get("status", ""), int(facts.get("step", line.get("step", best.get("step", 0))))
    if status == "running" and is_locked(path / ".lock"):
        step = max(step, last_step(path / "steps.jsonl"))
    elif status == "running":
        status = "killed"
    if not facts:
        over = line and (line["epoch"] == epochs or (steps and line["step"] >= steps))
        status = "failed" if (path / "stopped.json").exists() else "finished" if over else ""
    return TrainingRun(
        path, status,
        reason=str(facts.get("reason", "")),
        step=step,
        total_steps=facts.get("total_steps"),
        epoch=int(line.get("epoch", facts.get("epoch", best.get("metrics", {}).get("epoch", 0)))),
        epochs=epochs,
        starts=len(starts),
        seconds=facts.get("seconds", sum(each["seconds"] for each in log) if log else None),
        date=first.get("date", ""),
        **{key: last.get(key, "") for key in ("command", "commit")},
        **{key: last.get(key, {}) for key in ("versions", "machine")},
        data={name: str(of["sha256"]) for name, of in facts.get("data", {}).items()},
        config=config,
        **_figures(best, log),
        **known,
    )  # fmt: skip


def _figures(best: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was measured: of the best epoch, and of the last."""
    measured = {name: value for name, value in best.get("metrics", {}).items() if name != "epoch"}
    line = log[-1] if log else {}
    figures = {name: value for name, value in line.items() if name not in OF_AN_EPOCH and not name.endswith("_per_s")}
    figure = next(iter(measured or figures), "")
    speed = {name: value for name, value in line.items() if name.endswith("_per_s")}
    if line and not speed and line["seconds"]:  # an older log
        speed = {"steps_per_s": (line["step"] - (log[-2]["step"] if len(log) > 1 else 0)) / line["seconds"]}
    return {
        "figure": figure,
        "best": measured.get(figure, line.get("best")),
        "best_epoch": best.get("metrics", {}).get("epoch"),
        "last": line.get(figure),
        "figures": figures,
        "throughput": speed,
    }


def flat(nested: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def _read_config(path: Path, best: Mapping[str, Any]) -> dict[str, Any]:
    """By dotted key, as it stands there: another version's keys are none of this one's business."""
    from omegaconf import OmegaConf

    try:
        return flat(OmegaConf.to_container(OmegaConf.load(path / "config.yaml")))  # type: ignore[arg-type]
    except FileNotFoundError:
        return flat({key: best[key] for key in ("model", "data") if key in best})
    except Exception as error:  # yaml's and omegaconf's
        raise unreadable(path / "config.yaml", error) from None
