"""Train SentencePiece units on the transcripts of manifests: pieces of words, for model.units=sentencepiece.

Written beside the first manifest as units-SIZE.model; the labels of a model are its pieces behind blank.

example:
  python recipes/librispeech/units.py manifests/librispeech-mini/train.jsonl.gz --size 200
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.errors import InputError
from drsn_audio.files import write_whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=200, help="default: 200")
    parser.add_argument("-o", "--out", type=Path, help="default: units-SIZE.model beside the first manifest")
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.datasets.manifests import read_cuts
        from drsn_audio.decoding.pieces import train_pieces

        cuts = read_cuts(options.manifests)
        texts = [s.text for cut in cuts for s in cut.supervisions if s.text]
        if not texts:
            raise InputError(f"{options.manifests[0]}: its cuts carry no text: name a manifest of speech")
        out = options.out or options.manifests[0].parent / f"units-{options.size}.model"
        write_whole(out, train_pieces(texts, options.size))
        print(f"{options.size} units of {len(texts)} transcripts -> {out}")

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
