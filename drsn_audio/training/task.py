"""What the loop needs to know of what is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import Dataset

from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.draws import plan_batches
from drsn_audio.datasets.shard_order import ShardOrder
from drsn_audio.models.model import AudioModel
from drsn_audio.processes import Processes
from drsn_audio.training.segments import Carried


class Score(NamedTuple):
    """How good a model is on the development set: `better` is larger where it is. Figures for logs, words to read."""

    better: float
    figures: dict[str, float]
    words: str


class Losses(NamedTuple):
    """Named means, and over how many rows, labels or frames they are taken.

    Means of several pieces of a batch, each times its number, and all divided by the sum of these, are those of the
    batch.
    """

    named: dict[str, Tensor]
    over: Tensor | int


class Plan(Protocol):
    """Which rows are learnt from together: of all processes, and of nothing but the seed, the epoch and the data."""

    def batches(self, epoch: int) -> Sequence[list[Any]]:
        """Keys of the dataset, batch by batch."""
        ...

    def steps(self, epochs: int) -> int:
        """Batches of so many epochs."""
        ...


class RowsPlan:
    """Rows that are all of one length and are made anew each epoch, as (epoch, index); in `order`, if they are in
    shards.
    """

    def __init__(self, rows: int, batch_size: int, seed: int, order: ShardOrder | None = None):
        self.rows, self.batch_size, self.seed, self.order = rows, batch_size, seed, order

    def batches(self, epoch: int) -> list[list[tuple[int, int]]]:
        order = self.order.order(epoch) if self.order else None
        planned = plan_batches(self.rows, self.batch_size, self.seed, epoch, order)
        return [[(epoch, index) for index in batch] for batch in planned]

    def steps(self, epochs: int) -> int:
        return epochs * len(plan_batches(self.rows, self.batch_size, self.seed, 0, range(self.rows)))


class Task(Protocol):
    """Something that is learnt. `carried` is what training remembers from batch to batch, where it does."""

    @property
    def plan(self) -> Plan: ...

    @property
    def dataset(self) -> Dataset: ...

    @property
    def carried(self) -> Carried | None: ...

    def losses(self, model: AudioModel, batch: Batch, accelerator: Accelerator, step: int) -> Losses:
        """Mix, forward, and the losses of a batch or of a piece of it."""
        ...

    def score(self, model: AudioModel, processes: Processes) -> Score:
        """On the development set, of which each process hears a share; all get the result."""
        ...

    def finish(self, checkpoint: Path) -> None:
        """What is to be done with the best checkpoint, once training has ended."""
        ...
