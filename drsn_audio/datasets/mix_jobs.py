"""Work by several processes, its results in the order of its tasks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch

from drsn_audio.errors import InputError

AHEAD = 8  # tasks for each process that are given out before the first is awaited

_work: Callable[[Any], Any] | None = None  # of a worker process


def in_order(work: Callable[[Any], Any], tasks: Iterable[Any], jobs: int) -> Iterator[Any]:
    """work(task) of each task, in their order; no more tasks are taken than `jobs` processes have in hand.

    With one job it is done here. Each process has one thread of torch, so that a sum does not depend on their number.

    Raises:
        InputError: fewer than one job, or a process was killed.
    """
    if jobs < 1:
        raise InputError(f"jobs is {jobs}: give 1 or more")
    if jobs == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield from map(work, tasks)
        finally:
            torch.set_num_threads(threads)
        return
    ways = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in ways else None)  # without importing all again
    pool = ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(work, os.getpid()))
    waiting: deque[Future] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(_run, task))
            if len(waiting) >= AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            "a process was killed, as where there is no memory left: run the same command again, with fewer --jobs"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(work: Callable[[Any], Any], parent: int) -> None:
    global _work
    _work = work
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears of it, and lets a task come to its end
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """A parent that was killed sends no word, and its pipe stays open: the other workers hold it, too."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _run(task: Any) -> Any:
    assert _work is not None
    return _work(task)
