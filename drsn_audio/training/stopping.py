"""What ends a training early: a signal, or a loss that is no number or far above what it was."""

from __future__ import annotations

import math
import signal
import threading
from collections import deque
from collections.abc import Iterable
from types import FrameType
from typing import Any

REMEMBERED = 100  # losses, of the steps before
FIRST = 50  # of them, before which none is too large: at its beginning training may do as it likes


class Stopped(KeyboardInterrupt):
    """Asked for by a `signal`, of which this is the number."""

    def __init__(self, message: str, signal: int):
        super().__init__(message)
        self.signal = signal


class Signals:
    """`with Signals() as signals`: SIGTERM and Ctrl-C set `signals.number` instead of ending the process, so that the
    step at hand is finished and a checkpoint written. A second Ctrl-C ends it at once. 0: none came.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as in a shell's background jobs
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number


class LossGuard:
    """Tells whether a loss is fit to learn from, by those of the last steps.

    It explodes where it lies further above the largest of them than `factor` times their range, or a tenth of their
    size where that is more. `losses` is all that is remembered.
    """

    def __init__(self, factor: float, losses: Iterable[float] = ()):
        self.factor = factor
        self.losses: deque[float] = deque(losses, maxlen=REMEMBERED)

    def fault(self, loss: float) -> str:
        """What is wrong with the next loss, in words; "" where nothing is."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if self.factor and len(self.losses) >= FIRST:
            most, least = max(self.losses), min(self.losses)
            limit = most + self.factor * max(most - least, 0.1 * abs(most))
            if loss > limit:
                return f"the loss is {loss:.4g}, after at most {most:.4g} in the {len(self.losses)} steps before"
        self.losses.append(loss)
        return ""
