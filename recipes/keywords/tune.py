"""Tune when the best checkpoint of a run answers: its thresholds, on the development streams of streams.py.

example:
  python recipes/keywords/tune.py runs/commands-12-stream --false-alarms 1
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.progress import ProgressBar

STREAMS = ("streams/dev-words.jsonl.gz", "streams/dev-free.jsonl.gz")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--streams", nargs="+", default=STREAMS, help=f"manifests (default: {' '.join(STREAMS)})")
    parser.add_argument("--false-alarms", type=float, default=1.0, metavar="N", help="at most N an hour (default: 1)")
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.training.tune import describe_tuning, tune

        with ProgressBar() as progress:
            found = tune(options.run / "best.json", options.streams, options.false_alarms, progress=progress)
        print(describe_tuning(found))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
