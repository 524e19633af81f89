"""What the loop needs to know of what is learnt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from drsn_audio.datasets.batch import Batch, collate
from drsn_audio.datasets.draws import plan_batches
from drsn_audio.models.model import AudioModel


class Score(NamedTuple):
    """How good a model is on the development set: `better` is larger where it is. Figures for logs, words to read."""

    better: float
    figures: dict[str, float]
    words: str


class Plan(Protocol):
    """Batch sampler of the epoch that it is told."""

    epoch: int

    def __iter__(self) -> Iterator[list[Any]]: ...

    def steps(self, epochs: int) -> int:
        """Batches of so many epochs."""
        ...


class RowsPlan:
    """Batch sampler: rows that are all of one length and are made anew each epoch, as (epoch, index)."""

    def __init__(self, rows: int, batch_size: int, seed: int):
        self.rows, self.batch_size, self.seed, self.epoch = rows, batch_size, seed, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in plan_batches(self.rows, self.batch_size, self.seed, self.epoch):
            yield [(self.epoch, index) for index in batch]

    def steps(self, epochs: int) -> int:
        return epochs * len(plan_batches(self.rows, self.batch_size, self.seed, 0))


class Task(Protocol):
    @property
    def plan(self) -> Plan: ...

    @property
    def loader(self) -> DataLoader: ...

    def losses(self, model: torch.nn.Module, batch: Batch, accelerator: Accelerator, step: int) -> dict[str, Tensor]:
        """Mix, forward: named losses of one batch."""
        ...

    def score(self, model: AudioModel) -> Score:
        """On the development set."""
        ...

    def finish(self, checkpoint: Any) -> None:
        """What is to be done with the best checkpoint, once training has ended."""
        ...


def make_loader(dataset: Any, plan: Plan, workers: int) -> DataLoader:
    return DataLoader(
        dataset,
        batch_sampler=plan,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,  # else they decode every file again each epoch
        generator=torch.Generator(),  # else a draw of the global one, which depends on the number of workers
    )
