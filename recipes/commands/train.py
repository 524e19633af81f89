"""Train a model of connected words: a config, and what differs from it as key=value.

examples:
  python recipes/commands/train.py --config recipes/commands/configs/words-20-stream.yaml
  python recipes/commands/train.py --config recipes/commands/configs/words-20-stream.yaml run=runs/cs model.shrinkage=cs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.config import load_config


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--smoke", action="store_true", help="two steps on synthesised words, in RUN-smoke")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="keys of the config")
    options = parser.parse_intermixed_args()

    def run() -> None:
        from drsn_audio.training.loop import train
        from drsn_audio.training.smoke import smoke_config

        config = load_config(options.config, options.overrides)
        if options.smoke:
            config = smoke_config(config, Path(f"{config.run}-smoke"))
        print(f"best checkpoint: {train(config)}")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
