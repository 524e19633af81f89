"""The options of `drsn-audio transcribe`. The parser is built for every command: nothing heavy is imported here."""

from __future__ import annotations

import argparse
from typing import Any

from drsn_audio.errors import InputError

FORMATS = ("txt", "json", "srt", "vtt")
SUBTITLES = ("srt", "vtt")
OF_BEAM = (
    "language_model",
    "lexicon",
    "beam",
    "lm_weight",
    "word_score",
    "unknown_score",
    "hotword",
)  # each None where not given


def add_options(sub: argparse.ArgumentParser, model: str) -> None:
    """`model`: what may be one, for every command."""
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs, manifests of cuts (.jsonl.gz)")
    sub.add_argument(
        "--model", default="words-20-stream", metavar="M", help=f"{model}, that writes (default: words-20-stream)"
    )
    sub.add_argument("--format", choices=FORMATS, default="txt", help="(default: txt)")
    sub.add_argument(
        "-o", "--out", metavar="FOLDER", help="a file for each sound, at its relative path (default: all on stdout)"
    )
    sub.add_argument("--resume", action="store_true", help="keep what an earlier run, cut short, has done in FOLDER")
    sub.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    sub.add_argument(
        "--reference",
        metavar="R",
        help="what was said: a manifest, a folder of .trans.txt or of .txt named as the sounds are, or the text of the "
        "one file; word and character error rates are told at the end",
    )
    sub.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    add_beam_options(sub)


def add_beam_options(sub: argparse.ArgumentParser) -> None:
    """Those of `given_of_beam`."""
    beam = sub.add_argument_group(
        "beam search, which any of these begins, in place of the most probable label of each frame"
    )
    beam.add_argument("--beam", type=int, metavar="N", help="hypotheses that are followed")
    beam.add_argument("--language-model", metavar="ARPA", help="of words: ARPA, or KenLM's binary with --lexicon")
    beam.add_argument("--lexicon", metavar="TXT", help="words that can be written, one a line (default: the ARPA's)")
    beam.add_argument("--lm-weight", type=float, metavar="W", help="of the language model")
    beam.add_argument("--word-score", type=float, metavar="S", help="that each word adds, in natural logarithms")
    beam.add_argument(
        "--unknown-score", type=float, metavar="S", help="that each word adds which is none of the known ones"
    )
    beam.add_argument(
        "--hotword",
        action="append",
        metavar="WORD=BOOST",
        help="a word that is expected, and what it adds; may be given several times",
    )


def given_of_beam(options: argparse.Namespace) -> dict[str, Any]:
    """Options of the beam search that were given."""
    return {name: getattr(options, name) for name in OF_BEAM if getattr(options, name) is not None}


def check_beam(options: argparse.Namespace) -> None:
    """Raises InputError for hotwords that are none."""
    if options.hotword:
        from drsn_audio.decoding.hotwords import parse_hotwords

        parse_hotwords(options.hotword)


def check_options(options: argparse.Namespace) -> None:
    """Raises InputError for what does not go together, which would be ignored else."""
    if options.resume and not options.out:
        raise InputError("--resume without -o: what is done is known of a folder alone, name it with -o FOLDER")
    check_beam(options)
    if options.out or options.format not in SUBTITLES:
        return
    if options.json:
        raise InputError(f"--json with --format {options.format}: both want stdout, name a folder for one with -o")
    from drsn_audio.audio import is_one_file  # needs numpy and soundfile

    if len(options.paths) > 1 or not is_one_file(options.paths[0]):
        raise InputError(f"--format {options.format} of several sounds: name a folder for their files with -o")
