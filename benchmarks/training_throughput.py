"""Training with several processes and loader workers: steps and utterances a second, and what checkpoints take.

python benchmarks/training_throughput.py --config recipes/keywords/configs/demo.yaml
python benchmarks/training_throughput.py --config C --steps 200 --processes 1 2 --workers 0 2 model.preset=10k

Each row of the table is a short training of its own through the train.py of the config's recipe, in a temporary run
folder, one after the other; several processes are started by torchrun. Seconds of a step are wall time, loading
and mixing with it, from steps.jsonl: medians, without the first steps. A batch is that of the config however many
processes share it. A checkpoint is written every quarter of the steps; what one took, against the time from one to the
next as the config has it (train.checkpoint_minutes), is their share.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streaming import machine, versions

from drsn_audio.cli import guarded
from drsn_audio.config import load_config
from drsn_audio.errors import InputError
from drsn_audio.reports.table import markdown

CHECKPOINTS = 4  # of each training
NEVER_MINUTES = 1e6


def read_steps(path: Path) -> list[dict[str, Any]]:
    """steps.jsonl -> its steps, in order.

    Raises:
        InputError: it is not there, or a line of it is none of a step.
    """
    try:
        steps = [json.loads(line) for line in path.read_text().splitlines()]
        if all(step["seconds"] > 0 and step["rows"] > 0 and step["sound_s"] >= 0 for step in steps):
            return steps
        raise ValueError("a step that took no time, or had no rows")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as steps of a training ({error}): train again") from None


def throughput(steps: Sequence[dict[str, Any]], warm_up: int) -> dict[str, float]:
    """Medians of the steps after the first `warm_up`: {"step_s", "steps_per_s", "utterances_per_s", "sound_s_per_s"},
    and the quartiles of a step's seconds, "low_s" and "high_s".

    Raises:
        InputError: fewer than two are left.
    """
    counted = steps[warm_up:]
    if len(counted) < 2:
        raise InputError(f"{len(steps)} steps, of which {warm_up} are for warming up: give more --steps")
    seconds = [step["seconds"] for step in counted]
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return {
        "step_s": middle,
        "low_s": low,
        "high_s": high,
        "steps_per_s": 1 / middle,
        "utterances_per_s": statistics.median(step["rows"] / step["seconds"] for step in counted),
        "sound_s_per_s": statistics.median(step["sound_s"] / step["seconds"] for step in counted),
    }


def checkpoint_share(facts: dict[str, Any], written: int, minutes: float) -> dict[str, float]:
    """training.json of a training that wrote so many checkpoints -> seconds of one, "checkpoint_s", and the share of
    the time that they take where one is written after so many minutes of training.
    """
    checkpoint_s = facts["checkpoint_seconds"] / written
    return {"checkpoint_s": checkpoint_s, "checkpoint_share": checkpoint_s / (checkpoint_s + 60 * minutes)}


def command(script: Path, processes: int, arguments: Sequence[str]) -> list[str]:
    """`accelerate launch --cpu` starts one process however many are asked for, unless there is an mpirun."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *(launch if processes > 1 else []), str(script), *arguments]


def measure(script: Path, args: argparse.Namespace, processes: int, workers: int, minutes: float) -> dict[str, Any]:
    every = max(1, args.steps // CHECKPOINTS)
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        ours = {
            "run": folder,
            "train.max_steps": args.steps,
            "train.workers": workers,
            "train.device": "cpu",
            "train.checkpoint_steps": every,
            "train.checkpoint_minutes": NEVER_MINUTES,
        }
        overrides = [*args.overrides, *(f"{key}={value}" for key, value in ours.items())]
        trained = subprocess.run(
            command(script, processes, ["--config", args.config, *overrides]),
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        if trained.returncode:
            lines = trained.stderr.splitlines()
            said = [line for line in lines if line.startswith("error: ")] or lines[-1:]
            raise InputError(f"{processes} processes, {workers} workers: the training failed: {' '.join(said[:1])}")
        steps = read_steps(Path(folder) / "steps.jsonl")
        facts = json.loads((Path(folder) / "training.json").read_text())
    if facts["processes"] != processes or len(steps) < args.steps:
        raise InputError(
            f"asked for {args.steps} steps of {processes} processes, and it was {len(steps)} of {facts['processes']}: "
            "give train.epochs=N for more steps"
        )
    share = checkpoint_share(facts, args.steps // every, minutes)
    return {"processes": processes, "workers": workers, **throughput(steps, args.warm_up), **share}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown, with the ratio of utterances a second to those of the first row."""
    header = [
        "processes",
        "workers each",
        "steps/s",
        "utterances/s",
        "ratio",
        "s a step, middle half",
        "a checkpoint, s",
    ]
    header.append("checkpoints, share of time")
    cells = [
        [
            str(row["processes"]),
            str(row["workers"]),
            f"{row['steps_per_s']:.2f}",
            f"{row['utterances_per_s']:.0f}",
            f"{row['utterances_per_s'] / rows[0]['utterances_per_s']:.2f}",
            f"{row['low_s']:.3f} to {row['high_s']:.3f}",
            f"{row['checkpoint_s']:.3f}",
            f"{row['checkpoint_share']:.2%}",
        ]
        for row in rows
    ]
    return markdown(header, cells, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="of a recipe: recipes/<task>/configs/<name>.yaml")
    parser.add_argument("--steps", type=int, default=60, help="of each training (default: 60)")
    parser.add_argument("--warm-up", type=int, default=10, help="steps that do not count (default: 10)")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="of each process (default: 0 1 2)")
    parser.add_argument("--json", type=Path, help="write everything here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the config, e.g. model.preset=10k")
    args = parser.parse_intermixed_args()

    def run() -> None:
        script = Path(args.config).resolve().parents[1] / "train.py"
        if not script.is_file():
            raise InputError(f"{args.config}: is in no recipe, {script} is not there: give recipes/<task>/configs/...")
        config = load_config(args.config, args.overrides)
        rows = []
        for processes in args.processes:
            for workers in args.workers:
                rows.append(measure(script, args, processes, workers, config.train.checkpoint_minutes))
                told = f"{processes} processes, {workers} workers each: {rows[-1]['utterances_per_s']:.0f} utterances/s"
                print(told, file=sys.stderr)
        result = {
            "machine": f"{machine()}, {len(os.sched_getaffinity(0))} to be used",
            "versions": versions(),
            "config": args.config,
            "overrides": args.overrides,
            "preset": config.model.preset,
            "batch_size": config.train.batch_size,
            "steps": args.steps,
            "warm_up": args.warm_up,
            "checkpoint_minutes": config.train.checkpoint_minutes,
            "rows": rows,
        }
        about = f"{result['machine']}; {args.config}, {config.model.preset}, {config.train.batch_size} rows a step"
        print(f"{about}; {args.steps} steps, {args.warm_up} of them to warm up\n\n{table(rows)}")
        if args.json:
            args.json.write_text(json.dumps(result, indent=1) + "\n")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
