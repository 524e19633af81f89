"""Put several trained runs to the same strings in the same noise; runs that differ only by seed are averaged.

Writes compare.json and compare.md. The test manifests, the noise and evaluate.* are those of the first run.

example:
  python recipes/commands/compare.py runs/words/none-0 runs/words/cw-0 --reference none -o runs/words/compared
"""

from drsn_audio.recipe import compare_command


def main() -> int:
    return compare_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
