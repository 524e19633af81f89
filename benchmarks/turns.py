"""Jobs that take turns, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

WARM_UP = 2  # rounds that do not count


def measure(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of this thread's CPU time that each job takes."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(rounds + WARM_UP):
        for name, job in jobs.items():
            begin = time.thread_time()
            job()
            if round_ >= WARM_UP:
                times[name].append(1000 * (time.thread_time() - begin))
    return {name: statistics.median(values) for name, values in times.items()}
