"""Randomness that depends on names alone: not on workers, ranks, order or history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def draw_generator(*names: object) -> np.random.Generator:
    """Generator for e.g. (seed, epoch, utterance id): equal names give equal draws, on any machine."""
    digest = hashlib.blake2b("\x1f".join(map(str, names)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def plan_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices 0..count-1 in an order of their own for each (seed, epoch), cut into batches.

    The last batch is short; were it a single index, it joins the one before (BatchNorm needs two).
    """
    order = draw_generator("batches", seed, epoch).permutation(count).tolist()
    batches = [order[i : i + batch_size] for i in range(0, count, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        single = batches.pop()
        batches[-1] += single
    return batches


def rank_share(batches: Sequence[T], rank: int, ranks: int) -> list[T]:
    """Of the batches of an epoch's plan, those that process `rank` of `ranks` trains on: every ranks-th one.

    Together the shares are the plan, and no batch is in two of them. Where the batches do not come out even, the
    first ranks have one more than the others.
    """
    if not 0 <= rank < ranks:
        raise ValueError(f"rank {rank} of {ranks}: give 0 to {ranks - 1}")
    return list(batches[rank::ranks])
