"""Put several trained runs to the same trials; runs that differ only by seed are averaged.

Writes compare.json and compare.md. The test manifests, the noise and evaluate.* are those of the first run.

example:
  python recipes/keywords/compare.py runs/none-0 runs/none-1 runs/cw-0 runs/cw-1 --reference none -o runs/compared
"""

from drsn_audio.recipe import compare_command


def main() -> int:
    return compare_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
