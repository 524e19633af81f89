"""A run folder: who trains in it, what it was made of and by, and how far it came."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from accelerate import Accelerator

from drsn_audio.config import (
    WITHOUT_EFFECT,
    ConfigError,
    DataConfig,
    ExperimentConfig,
    config_to_dict,
    config_to_yaml,
    load_config,
)
from drsn_audio.datasets.manifests import file_sha256
from drsn_audio.datasets.shard_index import INDEX
from drsn_audio.errors import InputError
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.files import write_whole
from drsn_audio.reports.runs import flat
from drsn_audio.training.resume import Position, resumable

NAME = "training.json"
# What may differ between the parts of one training.
FREE = tuple(f"{part}.{key}".lstrip(".") for part, keys in WITHOUT_EFFECT.items() for key in keys)


class RunFolder:
    """`with RunFolder(config, accelerator) as folder:` the run folder, which no other process may train in meanwhile.

    Raises:
        InputError: another training is at work there; or one was stopped there, and resume=true is not given.
        ConfigError: it is to be gone on with by another config, or on other data.
    """

    def __init__(self, config: ExperimentConfig, accelerator: Accelerator, sizes: dict[str, int], total_steps: int):
        self.path, self.config, self.is_main = Path(config.run), config, accelerator.is_main_process
        self._lock: BinaryIO | None = None
        self._begun = False
        self._began_s = time.perf_counter()
        self.facts: dict[str, Any] = {
            "schema": 1, "status": "running", "reason": "", "step": 0, "total_steps": total_steps, "epoch": 0,
            "seed": config.seed, **sizes, "processes": accelerator.num_processes,
            "device": accelerator.device.type, "precision": config.train.precision, "starts": [],
            "data": fingerprints(config.data), "seconds": 0.0, "checkpoint_seconds": 0.0, "trained": False,
        }  # fmt: skip

    def __enter__(self) -> RunFolder:
        if self.is_main:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("wb")
            lock(self._lock, self.path)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and self._begun and self.facts["status"] == "running":
            with suppress(OSError):  # a full disk may be what is wrong
                self._write("failed", " ".join(str(error).split())[:300] or type(error).__name__)
        if self._lock is not None:
            self._lock.close()

    def earlier(self) -> dict[str, Any]:
        """What an earlier training in the folder says of itself, if it is to be gone on with; else {}."""
        if not self.config.resume:
            if resumable(self.path):
                raise InputError(
                    f"{self.path}: holds a training that was stopped: resume=true goes on with it; or give another "
                    f"run=, or remove {self.path / 'resume'}"
                )
            return {}
        try:
            found = json.loads((self.path / NAME).read_text())
        except (OSError, ValueError):
            return {}
        self._refuse_other(found)
        return found

    def end_of(self, earlier: dict[str, Any]) -> Position:
        """Return how far an earlier training came that learnt all of its epochs, and note that it did."""
        self.facts["trained"] = True
        return Position(**{key: earlier[key] for key in ("step", "epoch", "seconds", "checkpoint_seconds")})

    def _refuse_other(self, found: dict[str, Any]) -> None:
        before, now = (flat(config_to_dict(one)) for one in (load_config(self.path / "config.yaml"), self.config))
        differing = sorted(key for key in {**before, **now} if key not in FREE and before.get(key) != now.get(key))
        if differing:
            shown = ", ".join(f"{key}={now.get(key)} (was {before.get(key)})" for key in differing[:3])
            raise ConfigError(
                f"{self.path}: resume=true with another config: {shown}: give what it was, or another run="
            )
        changed = sorted(path for path, of in self.facts["data"].items() if found["data"].get(path) != of)
        if changed:
            raise ConfigError(f"{changed[0]}: is not the manifest that {self.path} began with: give another run=")

    def begin(self, earlier: dict[str, Any], position: Position) -> None:
        """Note the start of a training, or of a further part of one."""
        where = {key: self.facts[key] for key in ("processes", "device", "precision")}
        starts = [start for start in earlier.get("starts", []) if position.step]
        self.facts["starts"] = [*starts, {"step": position.step, **provenance(), **where}]
        if self.is_main:
            for name in ("config.yaml", NAME, "last", "best", "log.jsonl", "steps.jsonl"):
                for half in self.path.glob(f".{name}*"):  # what a kill has left of a file that was being written
                    half.unlink()
            write_whole(self.path / "config.yaml", config_to_yaml(self.config).encode(), sync=True)
            (self.path / "stopped.json").unlink(missing_ok=True)
        self._begun = True
        self.note(position)

    def seconds(self, position: Position) -> float:
        """Of training, all parts of it together."""
        return position.seconds + time.perf_counter() - self._began_s

    def note(self, position: Position, status: str = "running", reason: str = "") -> None:
        """Write down how far it has come."""
        self.facts |= {
            "step": position.step, "epoch": position.epoch, "seconds": round(self.seconds(position), 3),
            "checkpoint_seconds": round(position.checkpoint_seconds, 3),
        }  # fmt: skip
        self._write(status, reason)

    def _write(self, status: str, reason: str) -> None:
        self.facts |= {"status": status, "reason": reason}
        if self.is_main:
            write_whole(self.path / NAME, (json.dumps(self.facts, indent=1) + "\n").encode())


def fingerprints(data: DataConfig) -> dict[str, dict[str, Any]]:
    """SHA-256 and size of each manifest that is trained on or chosen by."""
    noise = [source.manifest for source in (*data.noise_train, *data.noise_dev)]
    found = {}
    for name in (*data.train, *data.dev, *noise, *data.strings.speech, *data.rooms, data.sentencepiece):
        path = Path(name)
        path = path / INDEX if path.is_dir() else path
        if name and path.is_file():
            found[str(name)] = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    return found


def lock(file: BinaryIO, folder: Path) -> None:
    """Raises InputError where another process holds it; the system gives it back, however a process ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two trainings in one folder are the user's to avoid
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock, which loader processes would hold after a kill
    except (BlockingIOError, PermissionError):
        raise InputError(
            f"{folder}: another training is at work there: wait for it, stop it, or give another run="
        ) from None
    file.truncate()
    file.write(str(os.getpid()).encode())
    file.flush()
