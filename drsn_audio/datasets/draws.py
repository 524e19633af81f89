"""Randomness that depends on names alone: not on workers, ranks, order or history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from drsn_audio.config import ConfigError

# Lengths are drawn so far (as a share, to either side) off the true ones before they are sorted into batches.
JITTER = 0.04


def draw_generator(*names: object) -> np.random.Generator:
    """Generator for e.g. (seed, epoch, utterance id): equal names give equal draws, on any machine."""
    digest = hashlib.blake2b("\x1f".join(map(str, names)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def plan_batches(
    count: int, batch_size: int, seed: int, epoch: int, order: Sequence[int] | np.ndarray | None = None
) -> list[list[int]]:
    """Indices 0..count-1 in an order of their own for each (seed, epoch), cut into batches.

    `order`: that of the epoch, where it is not to be any: of what is read from shards, see `ShardOrder`. The last
    batch is short; were it a single index, it joins the one before (BatchNorm needs two).
    """
    if order is None:
        order = draw_generator("batches", seed, epoch).permutation(count)
    indices = np.asarray(order).tolist()
    batches = [indices[i : i + batch_size] for i in range(0, count, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        single = batches.pop()
        batches[-1] += single
    return batches


def plan_by_seconds(
    durations_s: Sequence[float] | np.ndarray,
    max_padded_s: float,
    seed: int,
    epoch: int,
    blocks: Sequence[np.ndarray] | None = None,
) -> list[list[int]]:
    """Seconds of each utterance -> batches of their indices, in an order of its own for each (seed, epoch).

    Each index is in one batch, and count * longest <= max_padded_s in every one. Utterances of like length are put
    together; lengths drawn a little off the true ones decide which, so that no two epochs have the same batches.
    How many batches there are differs a little from epoch to epoch. `blocks`: indices, each in one, that are heard
    block after block, and of which no batch holds those of two: see `ShardOrder`.

    Raises:
        ConfigError: an utterance is longer than max_padded_s: it would fit no batch.
    """
    seconds = np.asarray(durations_s, float)
    if len(seconds) and seconds.max() > max_padded_s:
        longest = float(seconds.max())
        raise ConfigError(
            f"train.max_padded_s={max_padded_s:g}: the longest utterance needs {longest:.2f} s: raise it, or lower "
            "data.max_duration_s"
        )
    if blocks is None:
        return _by_length(seconds, max_padded_s, draw_generator("batches by seconds", seed, epoch))
    batches = []
    for number, block in enumerate(blocks):
        rng = draw_generator("batches by seconds", seed, epoch, number)
        batches += [block[batch].tolist() for batch in _by_length(seconds[block], max_padded_s, rng)]
    return batches


def _by_length(seconds: np.ndarray, max_padded_s: float, rng: np.random.Generator) -> list[list[int]]:
    order = np.argsort(seconds * rng.uniform(1 - JITTER, 1 + JITTER, len(seconds)), kind="stable")[::-1]
    batches: list[list[int]] = []
    longest = 0.0
    for index, own in zip(order.tolist(), seconds[order].tolist(), strict=True):
        longest = max(longest, own)
        if not batches or (len(batches[-1]) + 1) * longest > max_padded_s:
            batches.append([])
            longest = own
        batches[-1].append(index)
    return [batches[place] for place in rng.permutation(len(batches))]
