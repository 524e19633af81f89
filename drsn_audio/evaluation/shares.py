"""A list of trials, shared by several processes and put together again in the order of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def share(items: Sequence[Item], rank: int, count: int) -> Sequence[Item]:
    """Every count-th item, beginning with the rank-th: what process `rank` of `count` takes."""
    return items if count == 1 else [items[index] for index in range(rank, len(items), count)]


def joined(parts: Sequence[Sequence[Item]], rounds: int = 1, each: int = 1) -> list[Item]:
    """Parts of `share`, by rank -> the whole.

    Where the items went round `rounds` times, in order each time, a part holds its share of each round one after the
    other, and so does the whole. `each`: the results of one item, which stay together.
    """
    if len(parts) == 1:
        return list(parts[0])
    of_round = [len(part) // rounds for part in parts]  # results
    whole: list[Item] = []
    for number in range(rounds):
        for begin in range(0, max(of_round), each):
            for part, size in zip(parts, of_round, strict=True):
                if begin < size:
                    whole.extend(part[number * size + begin : number * size + begin + each])
    return whole
