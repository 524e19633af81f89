"""What `drsn-audio classify` costs: one file, start included, against importing torch; and many files at once.

Wall time, and processor time where others use the machine; peak memory as the system counts it (shared libraries
that are loaded included, so that of torch alone stands beside it). One thread.

example:
  python benchmarks/classify.py --model runs/commands-12
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from drsn_audio.audio import find_audio, write_audio
from drsn_audio.cli import guarded
from drsn_audio.errors import InputError

RATE = 16000


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str | Path]) -> Cost:
    """A command in a process of its own; its results go nowhere."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - begin
    if process.returncode:
        raise InputError(f"{' '.join(map(str, command[:6]))}: exit status {process.returncode}: see its message above")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def make_files(folder: Path, count: int) -> list[Path]:
    """Wavs of a second: a tone in hiss."""
    rng = np.random.default_rng(0)
    time_s = np.arange(RATE) / RATE
    for index in range(count):
        tone = 0.1 * np.sin(2 * np.pi * rng.uniform(200, 3000) * time_s) * np.hanning(RATE)
        write_audio(folder / f"{index:05d}.wav", tone + 0.01 * rng.standard_normal(RATE), RATE)
    return list(find_audio(folder))


def measure(files: list[Path], folder: Path, model: str, repeats: int) -> dict[str, list[Cost]]:
    """Costs by name; the commands take turns, so that all see the same machine."""
    classify: list[str | Path] = [sys.executable, "-m", "drsn_audio", "--quiet", "classify", "--model", model]
    commands: dict[str, list[str | Path]] = {
        "--help": [sys.executable, "-m", "drsn_audio", "--help"],
        "import torch": [sys.executable, "-c", "import torch"],
        "one file": [*classify, files[0]],
        f"{len(files)} files": [*classify, folder],
    }
    costs: dict[str, list[Cost]] = {}
    for turn in range(repeats + 1):
        for name, command in commands.items():
            cost = run(command)
            if turn:  # the first fills the caches
                costs.setdefault(name, []).append(cost)
    return costs


def report(costs: dict[str, list[Cost]], count: int) -> Table:
    medians = {name: Cost(*map(statistics.median, zip(*values, strict=True))) for name, values in costs.items()}
    table = Table("command", "wall s", "CPU s", "peak MB", title=f"medians of {len(costs['one file'])}, one thread")
    for name, cost in medians.items():
        table.add_row(name, f"{cost.wall_s:.2f}", f"{cost.cpu_s:.2f}", f"{cost.peak_mb:.0f}")
    torch, one, many = medians["import torch"], medians["one file"], medians[f"{count} files"]
    table.add_section()
    table.add_row("one file / import torch", f"{one.wall_s / torch.wall_s:.2f}", f"{one.cpu_s / torch.cpu_s:.2f}", "")
    milliseconds = [f"{1000 * seconds / count:.1f}" for seconds in (many.wall_s, many.cpu_s)]
    table.add_row("ms a file, at once", *milliseconds, "")
    ratios = [f"{count * one.wall_s / many.wall_s:.0f}", f"{count * one.cpu_s / many.cpu_s:.0f}"]
    table.add_row("one by one / at once", *ratios, "")
    table.add_row("over torch alone, MB", "", "", f"{many.peak_mb - torch.peak_mb:.0f}")
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="commands-12", help="a shipped model, a run folder or a checkpoint's .json")
    parser.add_argument("--folder", help="of audio files (default: wavs made on the spot)")
    parser.add_argument("--count", type=int, default=1000, help="of the wavs that are made (default: 1000)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    def work() -> None:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(options.folder or made)
            files = list(find_audio(folder)) if options.folder else make_files(folder, options.count)
            Console().print(report(measure(files, folder, options.model, options.repeats), len(files)))

    return guarded(work)


if __name__ == "__main__":
    raise SystemExit(main())
