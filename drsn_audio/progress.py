"""The progress bar of long work."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

log = logging.getLogger("drsn_audio")

LINE_EVERY_S = 30.0  # where there is no terminal for a bar


class ProgressBar(Progress):
    """A bar of rich on stderr that goes when the work is done; where stderr is no terminal, a plain line now and then.

    A bar that is drawn into a file leaves blank lines there. With `shown=False` nothing is written.
    """

    def __init__(self, *columns: str | ProgressColumn, shown: bool = True, transient: bool = True, **options: Any):
        console = Console(stderr=True)
        self.drawn = shown and sys.stderr.isatty() and not console.is_dumb_terminal
        self._writes_lines = shown and not self.drawn
        self._written = time.monotonic()
        super().__init__(*columns, console=console, transient=transient, disable=not self.drawn, **options)

    def stop(self) -> None:
        if self.drawn:  # older versions of rich print a blank line even where they draw nothing
            super().stop()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._line(task_id)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._line(task_id)

    def _line(self, task_id: TaskID) -> None:
        now = time.monotonic()
        if self._writes_lines and now - self._written >= LINE_EVERY_S:
            self._written = now
            task = next(one for one in self.tasks if one.id == task_id)
            total = "" if task.total is None else f" of {task.total:g}"
            log.info("%s: %g%s", task.description, task.completed, total)
