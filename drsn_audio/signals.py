"""Signals that end the process: temporary files are removed first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit with 128 + their number, so that `finally` blocks run.

    The second one ends the process at once. Signals that are ignored or handled already stay so; in processes that are
    forked they do what they did before.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may ask for it
        yield
        return
    ours = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _end)
    try:
        yield
    finally:
        _restore(ours)


def _end(number: int, _frame: FrameType | None) -> None:
    _restore()
    raise SystemExit(128 + number)


def _restore(numbers: Sequence[int] = ENDING) -> None:
    for number in numbers:
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restore)
