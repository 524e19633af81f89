"""The order in which training hears what lies in shards: shards shuffled, then utterances within a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from drsn_audio.config import ConfigError
from drsn_audio.datasets.cut_list import CutList
from drsn_audio.datasets.draws import draw_generator


class ShardOrder:
    """Order of an epoch, from (seed, epoch, how many are in each shard) alone: going on in the middle costs nothing.

    shards [n]: of each clip or utterance the shard in which it lies, -1 of those in none: silence, or speech in files
    of its own. The shards are put in a drawn order, what is in them stays in the order of the file, and what is in none
    is spread among it at drawn places. Of that, each block of `window` is shuffled.

    Raises:
        ConfigError: a window of nothing.
    """

    def __init__(self, shards: np.ndarray, window: int, seed: int):
        if window < 1:
            raise ConfigError(f"data.shard_window={window}: give the utterances that are shuffled together, e.g. 2000")
        self.shards, self.window, self.seed = np.asarray(shards), window, seed
        self._stored, self._loose = np.flatnonzero(self.shards >= 0), np.flatnonzero(self.shards < 0)

    @property
    def at_once(self) -> int:
        """The most shards of which a block has a part."""
        counts = np.bincount(self.shards[self._stored])
        counts = np.sort(counts[counts > 0])
        # One that began before, one that goes on after it, and between them whole ones.
        return min(len(counts), 2 + int((np.cumsum(counts) <= self.window - 2).sum()))

    def read(self, epoch: int) -> np.ndarray:
        """Indices as the shards are read, [n]."""
        rng = draw_generator("shards", self.seed, epoch)
        turn = rng.permutation(self.shards.max(initial=-1) + 1)  # of each shard
        order = np.empty(len(self.shards), np.int64)
        between = np.zeros(len(order), bool)
        between[rng.permutation(len(order))[: len(self._loose)]] = True
        order[between] = rng.permutation(self._loose)
        order[~between] = self._stored[np.argsort(turn[self.shards[self._stored]], kind="stable")]
        return order

    def blocks(self, epoch: int) -> list[np.ndarray]:
        """Indices of each block in the order in which they are heard; each index is in one."""
        read = self.read(epoch)
        found = []
        for number, begin in enumerate(range(0, len(read), self.window)):
            block = read[begin : begin + self.window]
            found.append(block[draw_generator("shards", self.seed, epoch, number).permutation(len(block))])
        return found

    def order(self, epoch: int) -> np.ndarray:
        """Indices in the order in which they are heard, [n]."""
        return np.concatenate([np.zeros(0, np.int64), *self.blocks(epoch)])


def shard_order(items: Any, store: Any, window: int, seed: int) -> ShardOrder | None:
    """Order of `Clips` or `Utterances`, for which the store then keeps as many shards as it needs; None where none of
    them is in a shard: any order will do.
    """
    cuts: Sequence[Any] = items.cuts
    if not isinstance(cuts, CutList) or not cuts.shard_paths:
        return None
    order = ShardOrder(np.where(items.rows < 0, -1, cuts.shards[items.rows]), window, seed)
    store.shards.at_once = order.at_once
    return order
