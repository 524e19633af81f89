"""Make the manifests that the configs name, and of the held-out ones the connected words to choose and test a model by.

What an earlier call, of this recipe or another, left in the folder of manifests is kept; --again makes all anew.

example:
  python recipes/commands/prepare.py --data /path/to/corpora
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.corpora import sets

RECORDED = {
    name: sets.RECORDED[name]
    for name in ("speech-commands", "free-spoken-digits", "librispeech-mini", "urbansound8k", "esc")
}
SYNTHESISED = sets.SYNTHESISED


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("DRSN_AUDIO_DATA"), help="default: $DRSN_AUDIO_DATA"
    )
    parser.add_argument("--out", type=Path, default="manifests", help="default: manifests")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    parser.add_argument("--seed", type=int, default=0, help="of the connected words; default: 0")
    options = parser.parse_args()

    def run() -> None:
        from strings import make_strings

        names = [*RECORDED, *SYNTHESISED]
        there = [] if options.again else [name for name in names if any((options.out / name).glob("*.jsonl.gz"))]
        for name in there:
            print(f"{name}: kept as it is in {options.out}")
        sets.prepare_sets(RECORDED, SYNTHESISED, options.data, options.out, keep=there)
        for line in make_strings(options.out, options.seed):
            print(line)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
