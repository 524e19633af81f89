"""Checkpoints that a training goes on from: weights, their average, optimiser, schedule and place in the data.

RUN/resume/step-<step>.safetensors holds the tensors, step-<step>.json all else and the SHA-256 of the other. Each is
written under another name and renamed, the JSON last: a kill, whenever it comes, leaves the checkpoint before it
whole. What a step draws depends on its seed, number and utterances alone, so no generator has a state to be kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from drsn_audio.config import TrainConfig
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole
from drsn_audio.training.task import Score

log = logging.getLogger("drsn_audio")

FOLDER = "resume"
MOST_SHARE = 0.02  # of the time, that checkpoints by the clock may take


@dataclass
class Position:
    """How far a training has come. `batch`: batches of epoch `epoch` (from 0) that were learnt from; a epoch whose
    batches are all learnt may yet have to be scored. `best`: so far. `seconds` of training, before this start;
    `checkpoint_seconds` of them took checkpoints.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    best: Score | None = None
    seconds: float = 0.0
    checkpoint_seconds: float = 0.0
    losses: list[float] = field(default_factory=list)  # of late, see LossGuard
    watch: dict[str, Any] | None = None


class CheckpointClock:
    """When a checkpoint is due: every so many steps, and by the clock, but then for no more than 2 % of the time."""

    def __init__(self, config: TrainConfig):
        self.steps, self.seconds = config.checkpoint_steps, 60 * config.checkpoint_minutes
        self.last_s = 0.0  # what the last one took
        self._written = time.perf_counter()

    def due(self, step: int) -> bool:
        """Once `step` is taken."""
        wait_s = max(self.seconds, self.last_s / MOST_SHARE)
        return (self.steps > 0 and step % self.steps == 0) or time.perf_counter() - self._written >= wait_s

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._written = time.perf_counter()
        self.last_s = self._written - began


def save_position(run: Path, position: Position, tensors: dict[str, Tensor], facts: dict[str, Any], keep: int) -> None:
    """Write a checkpoint into the run folder, and remove all but the newest `keep`.

    Raises:
        OSError: it cannot be written; those before it are there still.
    """
    folder, name = run / FOLDER, f"step-{position.step:09d}"
    blob = save(tensors)
    described = {"format": 1, "sha256": hashlib.sha256(blob).hexdigest(), "position": asdict(position), **facts}
    write_whole(folder / f"{name}.safetensors", blob, sync=True)
    write_whole(folder / f"{name}.json", (json.dumps(described) + "\n").encode(), sync=True)
    kept = {path.stem for path in _newest_first(run)[:keep]}
    for path in folder.iterdir():
        if path.stem not in kept:  # older ones, and what a kill has left half written
            path.unlink()


def newest_position(run: Path) -> tuple[Position, dict[str, Tensor], dict[str, Any]] | None:
    """The newest checkpoint that is whole: how far, its tensors, and what else it says; None: there is none.

    Raises:
        InputError: there are some, but none is whole.
    """
    paths = _newest_first(run)
    for path in paths:
        try:
            described = json.loads(path.read_text())
            blob = path.with_suffix(".safetensors").read_bytes()
            if hashlib.sha256(blob).hexdigest() != described["sha256"]:
                raise ValueError("its SHA-256 differs")
            found = described.pop("position")
            best = Score(*found.pop("best")) if found["best"] else found.pop("best")
            return Position(**found, best=best), load(blob), described
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: is not whole (%s): trying the one before", path, " ".join(str(error).split())[:160])
    if paths:
        raise InputError(f"{run / FOLDER}: no checkpoint is whole: remove the folder to begin anew, or copy it again")
    return None


def resumable(run: Path) -> bool:
    """Whether a training was stopped there."""
    return bool(_newest_first(run))


def remove_positions(run: Path) -> None:
    """Once a training has ended, nothing goes on from them."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _newest_first(run: Path) -> list[Path]:
    return sorted((run / FOLDER).glob("step-*.json"), reverse=True)
