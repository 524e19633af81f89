"""Evaluate a trained run on its config's test strings and noise; results go into the run folder.

example:
  python recipes/commands/evaluate.py runs/words-20-stream evaluate.draws=1
"""

from drsn_audio.recipe import evaluate_command


def main() -> int:
    return evaluate_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
