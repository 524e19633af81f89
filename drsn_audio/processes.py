"""The processes that a launcher, torchrun or accelerate launch, started together for one command.

    torchrun --nproc-per-node 4 -m drsn_audio transcribe speech.jsonl.gz -o texts

Each hears its share; the main one, rank 0, tells what came of it.
"""

from __future__ import annotations

import atexit
import functools
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from drsn_audio.errors import InputError

# One share may last much longer than another. That a process has died is told by its connection, not by time.
LONGEST_WAIT = timedelta(days=30)
ALL_STARTED_WITHIN = timedelta(minutes=10)  # before they are connected, nothing else tells


class ProcessError(InputError):
    """A process that the others wait for is gone, or the launcher's environment is none."""


@dataclass(frozen=True)
class Processes:
    """This process is the rank-th of `count`, and on its machine the local_rank-th of `local_count`, from 0 on."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def gather(self, part: Any) -> list[Any]:
        """What each process has, by rank; all must call this, and all get the same.

        Raises:
            ProcessError: another one has died.
        """
        if self.count == 1:
            return [part]
        parts: list[Any] = [None] * self.count
        try:
            _all_gather(parts, part)
        except RuntimeError as error:  # gloo's and the store's
            reason = str(error).splitlines()[0][:200]
            raise ProcessError(
                f"process {self.rank} of {self.count} lost another one ({reason}): see what that one says"
            ) from None
        return parts

    def wait(self) -> None:
        """Until all have come here. Raises as `gather`."""
        self.gather(None)

    def device(self, name: str) -> str:
        """Of a name without a number, e.g. "cuda", the one for this process; else the name."""
        return name if self.count == 1 or name in ("cpu", "mps") or ":" in name else f"{name}:{self.local_rank}"

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """A folder that all see and that is gone when the main one leaves; all must call this.

        Raises:
            ProcessError: they are on several machines.
        """
        if self.local_count != self.count:
            raise ProcessError(f"{self.count} processes on several machines: name a place that all of them see with -o")
        if not self.is_main:
            yield self.gather(None)[0]
            return
        with tempfile.TemporaryDirectory(prefix="drsn-audio-") as folder:
            self.gather(folder)
            yield folder


ALONE = Processes()


def from_environment(environment: Mapping[str, str]) -> Processes:
    """What the variables say that torchrun and accelerate set; without them, one process.

    Raises:
        ProcessError: variables that contradict each other.
    """
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return ALONE
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    defaults = dict(zip(names, (environment["RANK"], environment["WORLD_SIZE"]) * 2, strict=True))
    try:
        found = Processes(*(int(environment.get(name, defaults[name])) for name in names))
    except ValueError:
        given = ", ".join(f"{name}={environment.get(name, defaults[name])!r}" for name in names)
        raise ProcessError(f"{given}: not what a launcher sets: unset them, or use torchrun") from None
    if not 0 <= found.rank < found.count:
        raise ProcessError(f"RANK={found.rank}, WORLD_SIZE={found.count}: not what a launcher sets: unset them")
    return found


def single_by_mistake(environment: Mapping[str, str]) -> bool:
    """Whether `accelerate launch --cpu --num_processes N` was asked for several and, as it does, started one."""
    several = "MASTER_ADDR" in environment and environment.get("ACCELERATE_USE_CPU", "").lower() == "true"
    return several and "WORLD_SIZE" not in environment and "OMPI_COMM_WORLD_SIZE" not in environment


def is_beside_main(environment: Mapping[str, str]) -> bool:
    """Whether this is one of several processes, and not the main one; may be asked before anything is checked."""
    return "WORLD_SIZE" in environment and environment.get("RANK", "0") != "0"


@functools.lru_cache(maxsize=1)
def here() -> Processes:
    """Those that this one belongs to. Raises as `from_environment`."""
    return from_environment(os.environ)


def _all_gather(parts: list[Any], part: Any) -> None:
    import torch.distributed

    torch.distributed.all_gather_object(parts, part, group=_group())


@functools.lru_cache(maxsize=1)
def _group() -> Any:
    """Over gloo, whatever the device is: what is gathered is no tensor."""
    import torch.distributed
    from accelerate import PartialState

    PartialState(cpu=True, timeout=ALL_STARTED_WITHIN)
    atexit.register(_leave)  # else its threads may abort the process at its end
    return torch.distributed.new_group(backend="gloo", timeout=LONGEST_WAIT)


def _leave() -> None:
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
