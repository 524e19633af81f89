"""Measure how late the best checkpoint of a run gives each word, and write it into the checkpoint, for word times.

example:
  python recipes/commands/tune.py runs/words-20-stream
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import load_config


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--strings", nargs="+", metavar="MANIFEST", help="default: data.dev of the run's config")
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.evaluation.word_timing import describe_timing, tune_timing

        manifests = options.strings or load_config(options.run / "config.yaml").data.dev
        print(describe_timing(tune_timing(options.run / "best.json", manifests)))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
