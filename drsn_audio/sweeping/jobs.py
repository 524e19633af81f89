"""Running the cells of a sweep, several side by side.

A cell is claimed by a lock on a file, which its processes inherit: until the last of them is gone, no other sweep on
the same disk takes it, however this one ended.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, list2cmdline
from types import FrameType
from typing import Any, BinaryIO

from drsn_audio.errors import InputError, one_line
from drsn_audio.sweeping.cells import Cell, check_begun, read_result, write_begun
from drsn_audio.sweeping.config import Sweep
from drsn_audio.sweeping.results import ANSWERS, RUN, write_result

TRAIN = "train.py"
POLL_S = 0.1
LOG_LINES = 5  # of a cell that failed
PR_SET_PDEATHSIG = 1
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

Say = Callable[[str], None]


@dataclass
class Outcome:
    """Cells by name: done in this call, with their seconds; failed, with the reason. `signal`: what stopped it."""

    done: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    signal: int = 0


class Job:
    """A claimed cell at work: training, then test; then its result is written. alone: no other runs beside it."""

    def __init__(self, sweep: Sweep, cell: Cell, lock: BinaryIO, alone: bool):
        self.sweep, self.cell, self.lock = sweep, cell, lock
        self.started = time.monotonic()
        self.environment = dict(os.environ)
        if not alone:  # each has a core
            self.environment |= {name: os.environ.get(name, "1") for name in THREADS}
        self.steps = iter(commands(sweep, cell, alone))
        self.process: Popen[bytes] | None = None

    def next_step(self) -> bool:
        """Start the next process; False where there is none left. Raises OSError."""
        command = next(self.steps, None)
        if command is None:
            return False
        if Path(command[1]).name != TRAIN:  # what an earlier test left must not pass for this one's
            for name in (ANSWERS, RUN):
                (self.cell.run / name).unlink(missing_ok=True)
        with self.cell.log.open("ab") as log:
            log.write(f"$ {list2cmdline(command)}\n".encode())
            log.flush()
            self.process = Popen(
                command,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env=self.environment,
                pass_fds=[self.lock.fileno()],
                start_new_session=True,  # Ctrl-C reaches the sweep alone, which tells them
                preexec_fn=_end_with(os.getpid()),
            )
        return True

    def poll(self, last: bool = False) -> str | None:
        """None while it works; "" when it is done, its result written; else why it failed. last: begin nothing more."""
        assert self.process is not None
        status = self.process.poll()
        if status is None:
            return None
        step = Path(str(self.process.args[1])).name  # type: ignore[index]
        if status:
            return f"{step} ended by signal {-status}" if status < 0 else f"{step} ended with status {status}"
        if last and step == TRAIN:
            return "stopped"
        try:
            if self.next_step():
                return None
            write_result(self.sweep, self.cell)
        except (OSError, InputError) as error:
            return one_line(str(error))
        return ""


def commands(sweep: Sweep, cell: Cell, alone: bool) -> list[list[str]]:
    """Training, then the test: the recipe's answers.py if it has one, else its evaluate.py."""
    recipe = Path(sweep.recipe)
    test = recipe / ("answers.py" if (recipe / "answers.py").is_file() else "evaluate.py")
    ours = [f"run={cell.run}", "resume=true", *([] if alone else ["train.threads=1"])]
    return [
        [sys.executable, str(recipe / TRAIN), "--config", sweep.config, *ours, *cell.overrides],
        [sys.executable, str(test), str(cell.run), *cell.evaluate],
    ]


def claim(cell: Cell) -> BinaryIO | None:
    """Its lock, held; None where another sweep, or what it left running, holds it. Raises OSError."""
    cell.lock.parent.mkdir(parents=True, exist_ok=True)
    lock = cell.lock.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def run_cells(sweep: Sweep, cells: Sequence[Cell], jobs: int, say: Say) -> Outcome:
    """Work on the cells in their order, `jobs` of them at a time, until all are done here or elsewhere.

    A cell that fails is reported and the others go on. SIGINT, SIGTERM and SIGHUP are passed on as SIGTERM, and what
    runs is waited for; a second one ends it at once.
    """
    outcome, todo, running = Outcome(), list(cells), list[Job]()
    waiting, told = False, 0
    with _signals() as came:
        while (todo and not came) or running:
            if len(came) > told:
                told, outcome.signal = len(came), came[0]
                _stop(running, at_once=told > 1)
            for job in list(running):
                reason = job.poll(last=bool(told))
                if reason is not None:
                    running.remove(job)
                    job.lock.close()
                    _note(job, reason, outcome, len(todo) + len(running), jobs, say)
            while todo and len(running) < jobs and not came:
                claimed = _claim_next(sweep, todo, jobs == 1, outcome, say)
                if claimed is None:
                    break
                running.append(claimed)
            if todo and not running and not waiting and not came:
                waiting = True
                say(f"waiting for {len(todo)} cells that another sweep, or what it left running, is at work on")
            time.sleep(POLL_S)
        outcome.signal = came[0] if came else 0
    return outcome


def _claim_next(sweep: Sweep, todo: list[Cell], alone: bool, outcome: Outcome, say: Say) -> Job | None:
    """The first cell that is free, begun; it and those that others have done meanwhile leave `todo`."""
    for cell in list(todo):
        lock = None
        try:
            lock = claim(cell)
            if lock is None:
                continue
            todo.remove(cell)
            if read_result(cell) is not None:
                lock.close()
                say(f"{cell.name}: done by another sweep")
                continue
            check_begun(cell)
            write_begun(cell)
            job = Job(sweep, cell, lock, alone)
            job.next_step()
            return job
        except (OSError, InputError) as error:
            if cell in todo:
                todo.remove(cell)
            if lock is not None:
                lock.close()
            outcome.failed[cell.name] = one_line(str(error))
            say(f"{cell.name}: failed: {outcome.failed[cell.name]}")
    return None


def _stop(running: Sequence[Job], at_once: bool) -> None:
    """Tell what runs to save and end, or end it with all that it started."""
    for job in running:
        assert job.process is not None
        if job.process.poll() is None:
            if at_once:
                os.killpg(job.process.pid, signal.SIGKILL)  # the group that it leads
            else:
                job.process.terminate()


def _note(job: Job, reason: str, outcome: Outcome, left: int, jobs: int, say: Say) -> None:
    name = job.cell.name
    if reason and outcome.signal:
        say(f"{name}: stopped")
    elif reason:
        outcome.failed[name] = reason
        say(f"{name}: failed: {reason}: see {job.cell.log}")
    else:
        outcome.done[name] = time.monotonic() - job.started
        each_s = sum(outcome.done.values()) / len(outcome.done)
        rest = f"; {left} to go, about {left * each_s / jobs / 60:.0f} min" if left else ""
        say(f"{name}: done in {outcome.done[name]:.0f} s{rest}")


@contextmanager
def _signals() -> Iterator[list[int]]:
    """While it lasts, what asks to stop is noted in the list instead of ending this process."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            before[number] = signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it begins: ask Linux for SIGTERM when `parent` ends, even by SIGKILL."""
    if not sys.platform.startswith("linux"):
        return None  # the lock keeps others away until it is done
    prctl: Any = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has ended already
            os._exit(1)

    return ask


def last_lines(path: Path, count: int = LOG_LINES) -> list[str]:
    """The last lines of a log that say something."""
    try:
        lines = path.read_bytes()[-20_000:].decode(errors="replace").replace("\r", "\n").splitlines()
    except OSError:
        return []
    return [line.rstrip() for line in lines if line.strip()][-count:]
