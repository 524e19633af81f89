"""Calibrate the best checkpoint of a run (training does so itself at its end): other data, or another rate.

example:
  python recipes/keywords/calibrate.py runs/demo train.false_accept_rate=0.02
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import ConfigError, load_config


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.training.calibrate import calibrate, describe_calibration

        known = ("data.", "train.false_accept_rate=", "evaluate.seed=")
        foreign = [word for word in options.overrides if not word.startswith(known)]
        if foreign:
            raise ConfigError(f"{', '.join(foreign)}: override data.*, train.false_accept_rate and evaluate.seed only")
        config = load_config(options.run / "config.yaml", options.overrides)
        print(describe_calibration(calibrate(options.run / "best.json", config)))

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
