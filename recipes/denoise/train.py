"""Train a model of connected words: a config, and what differs from it as key=value.

examples:
  python recipes/commands/train.py --config recipes/commands/configs/words-20-stream.yaml
  python recipes/commands/train.py --config recipes/commands/configs/words-20-stream.yaml run=runs/cs model.shrinkage=cs
"""

from drsn_audio.recipe import train_command


def main() -> int:
    return train_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
