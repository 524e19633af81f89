"""Make the manifests that the configs name: of the corpora that are there, synthesised voices, noise and rooms.

What an earlier call, of this recipe or another, left in the folder of manifests is kept; --again makes all anew.

example:
  python recipes/denoise/prepare.py --data /path/to/corpora
"""

from __future__ import annotations

from drsn_audio.cli import guarded
from drsn_audio.corpora import sets
from drsn_audio.recipe import prepare_missing, prepare_parser

RECORDED = {
    name: sets.RECORDED[name]
    for name in ("speech-commands", "speech-commands-12", "librispeech-denoise", "urbansound8k", "esc")
}
SYNTHESISED: sets.Synthesised = sets.SYNTHESISED | {"rooms": ("rooms", {})}


def main() -> int:
    options = prepare_parser(__doc__).parse_args()
    return guarded(lambda: prepare_missing(RECORDED, SYNTHESISED, options))


if __name__ == "__main__":
    raise SystemExit(main())
