"""Make the manifests that the configs name: of corpora that are here, and of voices and noise made from nothing.

example:
  python recipes/keywords/prepare.py --data /path/to/corpora
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.corpora import sets

RECORDED = {name: told for name, told in sets.RECORDED.items() if not name.startswith("librispeech-")}
SYNTHESISED = {name: made for name, made in sets.SYNTHESISED.items() if name != "voices-digits"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("DRSN_AUDIO_DATA"), help="default: $DRSN_AUDIO_DATA"
    )
    parser.add_argument("--out", type=Path, default="manifests", help="default: manifests")
    options = parser.parse_args()
    return guarded(lambda: sets.prepare_sets(RECORDED, SYNTHESISED, options.data, options.out))


if __name__ == "__main__":
    raise SystemExit(main())
