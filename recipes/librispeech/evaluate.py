"""Evaluate a trained run on its config's test utterances and noise; results go into the run folder.

example:
  python recipes/librispeech/evaluate.py runs/librispeech-mini --language-model manifests/librispeech-mini/3-gram.arpa
"""

from drsn_audio.recipe import evaluate_command


def main() -> int:
    return evaluate_command(__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
