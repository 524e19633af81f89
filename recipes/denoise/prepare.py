"""Make the manifests that the configs name: of the corpora that are there, synthesised voices, noise and rooms.

What an earlier call, of this recipe or another, left in the folder of manifests is kept; --again makes all anew.

example:
  python recipes/denoise/prepare.py --data /path/to/corpora
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.corpora import sets

RECORDED = {
    name: sets.RECORDED[name]
    for name in ("speech-commands", "speech-commands-12", "librispeech-denoise", "urbansound8k", "esc")
}
SYNTHESISED: sets.Synthesised = sets.SYNTHESISED | {"rooms": ("rooms", {})}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("DRSN_AUDIO_DATA"), help="default: $DRSN_AUDIO_DATA"
    )
    parser.add_argument("--out", type=Path, default="manifests", help="default: manifests")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    options = parser.parse_args()

    def run() -> None:
        names = [*RECORDED, *SYNTHESISED]
        there = [] if options.again else [name for name in names if any((options.out / name).glob("*.jsonl.gz"))]
        for name in there:
            print(f"{name}: kept as it is in {options.out}")
        sets.prepare_sets(RECORDED, SYNTHESISED, options.data, options.out, keep=there)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
