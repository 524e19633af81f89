"""Kill a training recipe at random moments, go on with it each time, and compare what comes of it with a run that was
left alone: the weights must be the same, bit by bit, and the log must hold every step once.

example:
  python tests/check_kills.py --kills 10 recipes/keywords/train.py --config recipes/keywords/configs/demo.yaml \\
      train.epochs=3 train.checkpoint_steps=5 train.threads=1
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from safetensors.torch import load_file


class Process(Protocol):
    """One that was started: what `subprocess.Popen` and a fork of it can both do."""

    pid: int

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status; None: it goes on."""
        ...

    def kill(self) -> None: ...


class Command(Process):
    def __init__(self, words: list[str]):
        self.process = subprocess.Popen([sys.executable, *words])
        self.pid = self.process.pid

    def wait(self, timeout_s: float) -> int | None:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def kill_and_go_on(
    start: Callable[[str], Process], whole: Path, killed: Path, kills: int, seed: int = 0
) -> tuple[int, float]:
    """`start(run)` starts the recipe with resume=true in a run folder. Runs it undisturbed in `whole`, then in
    `killed`, where it is killed `kills` times, at drawn moments: most while it learns, some before it has begun to.

    Returns how often it could be killed before it had finished, and the seconds of the undisturbed run.

    Raises:
        RuntimeError: a run that failed by itself.
    """
    began, rng = time.monotonic(), random.Random(seed)
    finish(start(str(whole)))
    usual_s, done = time.monotonic() - began, 0
    for _ in range(kills):
        process = start(str(killed))
        status = process.wait(rng.uniform(0, 1.6 * usual_s / kills))
        if status is not None:
            if status:
                raise RuntimeError(f"{killed}: the run ended by itself with {status}")
            break  # it has finished: nothing is left to be killed
        process.kill()
        done += 1
    finish(start(str(killed)))
    return done, usual_s


def finish(process: Process) -> None:
    status = process.wait(3600)
    if status != 0:
        raise RuntimeError(f"a run that nobody killed ended with {status}")


def differences(whole: Path, killed: Path) -> list[str]:
    """What is not the same in two run folders, a line each."""
    found = []
    for name in ("last", "best"):
        described = [json.loads((folder / f"{name}.json").read_text()) for folder in (whole, killed)]
        for key in ("sha256", "step", "metrics"):
            if described[0][key] != described[1][key]:
                found.append(f"{name}: {key} {described[0][key]} and {described[1][key]}")
        tensors = [load_file(folder / of["weights"]) for folder, of in zip((whole, killed), described, strict=True)]
        found += [f"{name}: {key} differs" for key, value in tensors[0].items() if not value.equal(tensors[1][key])]
    for log, own in (("steps.jsonl", ("step", "loss", "norm", "rows")), ("log.jsonl", ("epoch", "step", "best"))):
        logs = [[json.loads(line) for line in (folder / log).read_text().splitlines()] for folder in (whole, killed)]
        if [[line[key] for key in own] for line in logs[0]] != [[line[key] for key in own] for line in logs[1]]:
            found.append(f"{log}: {len(logs[0])} and {len(logs[1])} lines, not the same")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=Path("runs/kills"), help="folder for the two runs; must be new")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="a train.py and what it is given, without run=")
    options = parser.parse_args()
    folders = options.out / "whole", options.out / "killed"
    done, usual_s = kill_and_go_on(
        lambda run: Command([*options.command, f"run={run}", "resume=true"]), *folders, options.kills, options.seed
    )
    found = differences(*folders)
    print(f"killed {done} times, {usual_s:.0f} s undisturbed:", "\n".join(found) or "the same, bit by bit")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
