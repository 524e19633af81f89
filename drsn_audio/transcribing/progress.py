"""One line on the terminal that says how much has been heard, and how fast."""

from __future__ import annotations

import time
from typing import Any

REFRESH_S = 0.25


class ProgressLine:
    """`with ProgressLine(shown) as line:` `line.heard(seconds)`, `line.done()`; `line.clear()` makes room for a print.

    It does not take stdout, to which results are printed meanwhile.
    """

    def __init__(self, shown: bool):
        self.files, self.seconds = 0, 0.0
        self._began = time.perf_counter()
        self._progress: Any = None
        self._drawn_at: float | None = None  # None: not drawn
        if shown:
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn

            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def heard(self, seconds: float) -> None:
        self.seconds += seconds
        self._draw()

    def done(self) -> None:
        """A file is."""
        self.files += 1

    def clear(self) -> None:
        if self._drawn_at is not None:
            self._progress.stop()
            self._drawn_at = None

    def text(self) -> str:
        """What has been done so far."""
        taken_s = time.perf_counter() - self._began
        files = f"{self.files} file{'s' * (self.files != 1)} done"
        return f"{files}, {self.seconds:,.0f} s of sound heard, {self.seconds / taken_s:.1f} x real time"

    def _draw(self) -> None:
        if self._progress is None:
            return
        now = time.perf_counter()
        if self._drawn_at is None:
            self._progress.start()
        elif now - self._drawn_at < REFRESH_S:
            return
        self._progress.update(self._task, description=self.text())
        self._drawn_at = now
