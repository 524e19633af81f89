"""What is seen of a training while it runs, and what is left of it to read: the bar, the logs, TensorBoard."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from drsn_audio.progress import LINE_EVERY_S, ProgressBar
from drsn_audio.training.sums import Sums
from drsn_audio.training.task import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("drsn_audio")

RECENT_STEPS = 50  # that the throughput of the bar is taken of
SCALARS_EVERY = 10  # steps
TAIL_BYTES = 1 << 16  # of a log, that are looked at first


class Watch:
    """Progress bar on stderr, or a line now and then where that is no terminal; TensorBoard; steps.jsonl, a JSON line
    a step; log.jsonl, one an epoch.

    A training that goes on after `step` gives the `state()` that was kept there: what the logs hold of later steps is
    cut off, so that they read as if it had never been stopped. With step=0 older logs in the folder are removed.

    Of steps.jsonl: loss is the sum of losses; rows and sound_s are of all processes; seconds are those since the step
    before, or since an epoch was scored. A number that is none (the gradient's norm may be infinite) is null.

    Raises:
        OSError: the logs cannot be read or written.
    """

    def __init__(self, run: Path, total_steps: int, title: str, *, step: int = 0, state: dict[str, Any] | None = None):
        from torch.utils.tensorboard import SummaryWriter  # takes half a second to import

        self.total_steps = total_steps
        self.sums = Sums(**state) if state else Sums()
        self.log, self.steps = run / "log.jsonl", run / "steps.jsonl"
        if step:
            cut_log(self.log, step, self.sums.epoch if state else None)
            cut_log(self.steps, step)
        else:
            for old in (self.log, self.steps, *(run / "tensorboard").glob("events.out.tfevents.*")):
                old.unlink(missing_ok=True)
        run.mkdir(parents=True, exist_ok=True)
        self.file = self.steps.open("a", encoding="utf-8", buffering=1)  # every line goes to the system at once
        self.writer = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)
        self.progress = ProgressBar(
            TextColumn("train"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.description}", markup=False),
            transient=False,
        )
        self.bar = self.progress.drawn
        self.task = self.progress.add_task(title, total=total_steps, completed=step, rate="")
        self.recent: deque[tuple[float, int, float]] = deque(maxlen=RECENT_STEPS)  # seconds, rows, sound_s of each
        self.last = self.said = time.perf_counter()

    def __enter__(self) -> Watch:
        self.progress.start()
        self.last = self.said = time.perf_counter()
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        self.progress.stop()
        for opened in (self.file, self.writer):
            try:
                opened.close()
            except OSError:
                if kind is None:  # else the disk was full before, and the error that is on its way says more
                    raise

    def step(
        self, step: int, losses: Mapping[str, float], *, learning_rate: float, norm: float, rows: int, sound_s: float
    ) -> None:
        seconds = self._lap()
        self.recent.append((seconds, rows, sound_s))
        self.sums.add(losses, rows, sound_s, seconds)
        loss = sum(losses.values())
        line = {
            "step": step,
            "loss": _number(loss),
            "losses": {name: _number(value) for name, value in losses.items()},
            "learning_rate": learning_rate,
            "norm": _number(norm),
            "rows": rows,
            "sound_s": sound_s,
            "seconds": round(seconds, 6),
        }
        try:
            self.file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.steps)) from None  # it knows no name itself
        if step % SCALARS_EVERY == 0:
            for name, value in losses.items():
                self.writer.add_scalar(f"train/{name}", value, step)
            self.writer.add_scalar("train/learning_rate", learning_rate, step)
            self.writer.add_scalar("train/gradient_norm", norm, step)
        if self.bar:
            self.progress.update(self.task, completed=step, rate=self._rates())
        elif self.last - self.said >= LINE_EVERY_S:
            self.said = self.last
            left = timedelta(seconds=round((self.total_steps - step) * self._step_s()))
            log.info("step %d of %d: loss %.4g, %s, %s left", step, self.total_steps, loss, self._rates(), left)

    def epoch(self, step: int, epoch: int, score: Score, best: Score, seconds: float) -> None:
        """`seconds` are what training the epoch took. The throughput is that of its steps, as steps.jsonl has them."""
        words = f"epoch {epoch}: {score.words}; best {best.words}"
        per_second = self.sums.per_second()
        for name, value in score.figures.items():
            self.writer.add_scalar(name.replace("_", "/", 1), value, step)
        self.writer.add_scalar("train/epoch_seconds", seconds, step)
        for name, value in per_second.items():
            self.writer.add_scalar(f"speed/{name}", value, step)
        line = {
            "epoch": epoch,
            "step": step,
            **{name: _number(value) for name, value in score.figures.items()},
            "best": _number(next(iter(best.figures.values()))),
            **{f"train_{name}": _number(mean) for name, mean in self.sums.means().items()},
            "seconds": round(seconds, 2),
            **{name: round(value, 3) for name, value in per_second.items()},
        }
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.bar:
            self.progress.update(self.task, description=words)
        else:
            log.info("%s (step %d of %d, %s)", words, step, self.total_steps, self._rates())
        self.sums = Sums(epoch=epoch)
        self.last = self.said = time.perf_counter()

    def pictures(self, step: int, figures: Mapping[str, Figure]) -> None:
        for name, figure in figures.items():
            self.writer.add_figure(f"pictures/{name}", figure, step)
            figure.clear()
        self.last = time.perf_counter()

    def state(self) -> dict[str, Any]:
        """What a training that goes on from here gives back, for JSON. The logs up to here are on the disk then."""
        self.writer.flush()
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.sums.state()

    def _lap(self) -> float:
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        return seconds

    def _step_s(self) -> float:
        return sum(seconds for seconds, _, _ in self.recent) / max(1, len(self.recent))

    def _rates(self) -> str:
        """E.g. "3.1 steps/s, 99 utterances/s, 101 s of sound/s", of the latest steps."""
        seconds, rows, sound_s = (
            (sum(column) for column in zip(*self.recent, strict=True)) if self.recent else (0, 0, 0)
        )
        if not seconds:
            return ""
        rates = (
            (len(self.recent) / seconds, "steps/s"),
            (rows / seconds, "utterances/s"),
            (sound_s / seconds, "s of sound/s"),
        )
        return ", ".join(f"{rate:.3g} {unit}" if rate < 1000 else f"{rate:.0f} {unit}" for rate, unit in rates)


def cut_log(path: Path, step: int, epoch: int | None = None) -> None:
    """Cut off a log of JSON lines behind the last whole one whose "step" is not beyond `step` (and whose "epoch" is
    not beyond `epoch`): what a kill has left. It is read from its end, so that a long one takes no longer.

    Raises:
        OSError: it cannot be read or written.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        end, size = file.seek(0, os.SEEK_END), TAIL_BYTES
        while True:
            begin = file.seek(max(0, end - size))
            lines = file.read().splitlines(keepends=True)
            if begin:
                begin += len(lines.pop(0))  # of which the beginning is missing
            kept = [place for place, line in enumerate(lines) if _is_kept(line, step, epoch)]
            if kept or not begin:
                file.truncate(begin + sum(map(len, lines[: kept[-1] + 1] if kept else [])))
                return
            size *= 4


def _is_kept(line: bytes, step: int, epoch: int | None) -> bool:
    try:
        found = json.loads(line)
        return line.endswith(b"\n") and found["step"] <= step and (epoch is None or found["epoch"] <= epoch)
    except (ValueError, KeyError, TypeError):
        return False


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
