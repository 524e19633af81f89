"""Train a denoiser: a config, and what differs from it as key=value.

examples:
  python recipes/denoise/train.py --config recipes/denoise/configs/denoise-small.yaml
  python recipes/denoise/train.py --config recipes/denoise/configs/denoise-small-1.yaml run=runs/se model.shrinkage=se
"""

from drsn_audio.recipe import train_command


def main() -> int:
    return train_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
