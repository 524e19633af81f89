"""Evaluate a trained run on its config's test strings and noise; results go into the run folder.

example:
  python recipes/commands/evaluate.py runs/words-20-stream evaluate.draws=1
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.transcribing.options import add_beam_options


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    add_beam_options(parser)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="evaluate.* and data.* of its config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.evaluating import evaluate_run

        for path in evaluate_run(options.run, options.overrides, options):
            print(path)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
