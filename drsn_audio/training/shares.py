"""How the rows of a batch are shared by processes, and how each of them loads its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader

from drsn_audio.datasets.batch import collate
from drsn_audio.training.task import Plan


class Share(NamedTuple):
    """Keys of the rows that a process hears at once; whether they count, and of how many rows the whole batch is.

    One that does not count stands where a small batch has no rows left for a process. It is heard all the same, so
    that the processes stay in step (BatchNorm's statistics may be those of all), but nothing is learnt from it.
    """

    keys: list[Any]
    counts: bool
    batch_rows: int


def share_batch(keys: list[Any], rank: int, ranks: int, pieces: int) -> list[Share]:
    """What process `rank` of `ranks` hears of a batch, in `pieces` one after the other.

    Together, the shares that count hold every key once, and each holds two at least, as BatchNorm needs them, but of a
    batch of one.
    """
    parts = min(ranks * pieces, max(1, len(keys) // 2))
    own = range(rank * pieces, (rank + 1) * pieces)
    return [Share(keys[part if part < parts else 0 :: parts], part < parts, len(keys)) for part in own]


class Shares:
    """Batch sampler of one process: its shares of the batches of `plan` in `epoch`, from the batch `begin` on."""

    def __init__(self, plan: Plan, rank: int = 0, ranks: int = 1, pieces: int = 1):
        self.plan, self.rank, self.ranks, self.pieces = plan, rank, ranks, pieces
        self.epoch, self.begin = 0, 0

    def steps(self) -> Iterator[list[Share]]:
        for keys in self.plan.batches(self.epoch)[self.begin :]:
            yield share_batch(keys, self.rank, self.ranks, self.pieces)

    def __iter__(self) -> Iterator[list[Any]]:
        for step in self.steps():
            for share in step:
                yield share.keys


def make_loader(dataset: Any, shares: Shares, workers: int, device: torch.device) -> DataLoader:
    return DataLoader(
        dataset,
        batch_sampler=shares,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,  # else they decode every file again each epoch
        pin_memory=device.type == "cuda",
        worker_init_fn=_leave_signals_to_parent,
        generator=torch.Generator(),  # else a draw of the global one, which depends on the number of workers
    )


def _leave_signals_to_parent(_worker: int) -> None:
    """A loader process ends with the training, which may have a step to finish first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
