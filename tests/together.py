"""Several processes of one command, played by threads: real ones start too slowly for every test."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from drsn_audio.processes import Processes

LONGEST_S = 300  # of a machine that does much else


@dataclass(frozen=True)
class Played(Processes):
    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    parts: list[Any] = field(default_factory=list)

    def gather(self, part: Any) -> list[Any]:
        self.parts[self.rank] = part
        self.meeting.wait(LONGEST_S)
        found = list(self.parts)
        self.meeting.wait(LONGEST_S)
        return found


def together(count: int, call: Callable[[Processes], Any]) -> list[Any]:
    """What `call` gives in each of them, by rank."""
    meeting, parts = threading.Barrier(count), [None] * count

    def one(rank: int) -> Any:
        try:
            return call(Played(rank, count, rank, count, meeting, parts))
        except BaseException:
            meeting.abort()  # the others need not wait for it
            raise

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(one, rank) for rank in range(count)]]
