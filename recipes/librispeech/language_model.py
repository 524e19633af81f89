"""Write an n-gram language model (ARPA, Witten-Bell) from the transcripts of manifests, or from text files.

It is of words: in upper case, as characters and pieces spell them; with --words as they are written, for a model whose
units are words. With --characters it is of single characters, for a model of characters.

examples:
  python recipes/librispeech/language_model.py manifests/librispeech-mini/train.jsonl.gz \\
      -o manifests/librispeech-mini/3-gram.arpa
  python recipes/librispeech/language_model.py books.txt --order 4 --min-counts 1 2 2 -o books.arpa
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from drsn_audio.cli import guarded
from drsn_audio.text import read_text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "texts", nargs="+", type=Path, help="manifests (.jsonl.gz), or text files with a sentence a line"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="the ARPA file")
    parser.add_argument("--order", type=int, default=3, help="2 to 5 (default: 3)")
    units = parser.add_mutually_exclusive_group()
    units.add_argument("--words", action="store_true", help="for a model whose units are words")
    units.add_argument("--characters", action="store_true", help="n-grams of characters, | between words")
    parser.add_argument(
        "--min-counts", nargs="+", type=int, default=[1], metavar="N",
        help="leave out bigrams, trigrams ... seen less often; the last holds for the higher orders (default: 1)",
    )  # fmt: skip
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.decoding.arpa import count_ngrams, witten_bell, write_arpa
        from drsn_audio.decoding.units import SPACE

        read = (line.strip() for line in sentences(options.texts))
        texts = [line if options.words else line.upper() for line in read if line]
        split = (list(SPACE.join(text.split())) if options.characters else text.split() for text in texts)
        counts = count_ngrams(split, options.order)
        model = witten_bell(counts, options.min_counts)
        write_arpa(options.out, model)
        sizes = ", ".join(f"{len(entries)} {order}-grams" for order, entries in enumerate(model, 1))
        print(f"{len(texts)} texts of {sum(len(text.split()) for text in texts)} words: {sizes} -> {options.out}")

    return guarded(run)


def sentences(paths: Sequence[Path]) -> Iterator[str]:
    """The transcripts of manifests, and the lines of text files.

    Raises:
        InputError: a text file that is not UTF-8.
    """
    from drsn_audio.datasets.manifests import read_cuts

    for path in paths:
        if path.name.endswith((".jsonl.gz", ".jsonl")):
            yield from (each.text for cut in read_cuts([path]) for each in cut.supervisions if each.text)
            continue
        yield from read_text(path).split("\n")


if __name__ == "__main__":
    raise SystemExit(main())
