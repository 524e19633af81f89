"""Copies of this process, which has imported everything already: to be killed, or to train together."""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from collections.abc import Callable

import pytest
import torch
from accelerate.state import AcceleratorState

ALONE = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "ACCELERATE_USE_CPU")


class Fork:
    """`run` in a copy of this process: what it returns is the exit status, 1 where it raises."""

    def __init__(self, run: Callable[[], int | None], environment: dict[str, str] | None = None):
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                torch.set_num_threads(1)  # a fork has none of the threads of this process, and would wait for them
                os.environ.update(environment or {})
                status = run() or 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)

    def wait(self, timeout_s: float) -> int | None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        return None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="session")
def fork() -> type[Fork]:
    return Fork


@pytest.fixture(scope="session")
def together() -> Callable[..., None]:
    """(ranks, run): `run` in so many processes, as `accelerate launch --cpu` starts them; all must end well."""

    def launch(ranks: int, run: Callable[[], object]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def begin() -> None:
            AcceleratorState._reset_state(reset_partial_state=True)  # what this process has found out of itself
            run()

        processes = []
        for rank in range(ranks):
            values = (rank, rank, ranks, ranks, "127.0.0.1", port, "true")
            environment = {name: str(value) for name, value in zip(ALONE, values, strict=True)}
            processes.append(Fork(begin, environment))
        ends = [process.wait(600) for process in processes]
        for process, end in zip(processes, ends, strict=True):
            if end is None:
                process.kill()
        assert ends == [0] * ranks

    return launch
