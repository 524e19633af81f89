"""Models in processes that were forked: multiprocessing on Linux, a DataLoader's workers, gunicorn with --preload."""

from __future__ import annotations

import functools
import os

import torch


@functools.lru_cache(maxsize=1)
def compute_alone_after_fork() -> None:
    """From now on, let torch use one thread in every process that is forked from this one.

    A fork copies none of the threads of torch's OpenMP pool, and the first computation of the child that wants more
    than one would wait for them for ever. Processes that are spawned are not concerned.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_compute_alone)


def _compute_alone() -> None:
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
