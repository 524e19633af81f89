"""Run a recipe over a grid of configs, folds and seeds, some side by side, and gather what came out in one table.

Stopped in any way, the same command goes on: what is done is kept, what was begun is gone on with. Several of it may
work on one sweep. Each run leaves a small JSON in the sweep's folder of results, where sweep.md and sweep.json are the
table.

examples:
  python recipes/sweep.py recipes/keywords/sweeps/evidence.yaml --list
  python recipes/sweep.py recipes/keywords/sweeps/evidence.yaml --jobs 2
  python recipes/sweep.py recipes/keywords/sweeps/evidence.yaml --gather
  python recipes/sweep.py recipes/keywords/sweeps/evidence.yaml --again 'drsn-cw-*' --jobs 2
  python recipes/sweep.py recipes/keywords/sweeps/evidence.yaml out=runs/s results=runs/s/results train.epochs=2
"""

from __future__ import annotations

import argparse

from drsn_audio.cli import guarded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", metavar="SWEEP.yaml")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs side by side, with one thread each (1)")
    parser.add_argument("--list", action="store_true", help="show the runs, and how far they are; start nothing")
    parser.add_argument("--gather", action="store_true", help="make the table of what is there; start nothing")
    parser.add_argument("--again", action="append", default=[], metavar="RUN", help="do it anew: a name, or cw-*")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="out=, results=, or keys of every config")
    options = parser.parse_intermixed_args()

    def run() -> int:
        from drsn_audio.sweeping.command import sweep

        return sweep(options)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
