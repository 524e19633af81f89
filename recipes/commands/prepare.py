"""Make the manifests that the configs name, and of the held-out ones the connected words to choose and test a model by.

What an earlier call, of this recipe or another, left in the folder of manifests is kept; --again makes all anew.

example:
  python recipes/commands/prepare.py --data /path/to/corpora
"""

from __future__ import annotations

from drsn_audio.cli import guarded
from drsn_audio.corpora import sets
from drsn_audio.recipe import prepare_missing, prepare_parser

RECORDED = {
    name: sets.RECORDED[name]
    for name in ("speech-commands", "free-spoken-digits", "librispeech-mini", "urbansound8k", "esc")
}
SYNTHESISED = sets.SYNTHESISED


def main() -> int:
    parser = prepare_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the connected words; default: 0")
    options = parser.parse_args()

    def run() -> None:
        from strings import make_strings

        prepare_missing(RECORDED, SYNTHESISED, options)
        for line in make_strings(options.out, options.seed):
            print(line)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
