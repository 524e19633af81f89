"""Train a CTC model on utterances and their transcripts: a config, and what differs from it as key=value.

examples:
  python recipes/librispeech/train.py --config recipes/librispeech/configs/mini.yaml
  python recipes/librispeech/train.py --config recipes/librispeech/configs/mini.yaml run=runs/causal model.pool=causal
"""

from drsn_audio.recipe import train_command


def main() -> int:
    return train_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
