"""The options of `drsn-audio explain`. The parser is built for every command: nothing heavy is imported here."""

from __future__ import annotations

import argparse

from drsn_audio.errors import InputError

MODEL = "commands-12"  # without --model
DURATION_S = 10.0  # of a stretch, without --duration
SHORTEST_S, LONGEST_S = 0.025, 60.0  # all that every block heard and gave is held in memory


def add_options(sub: argparse.ArgumentParser, model: str) -> None:
    """`model`: what may be one, for every command."""
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs, manifests of cuts (.jsonl.gz)")
    sub.add_argument("--model", default=MODEL, metavar="M", help=f"{model} (default: {MODEL})")
    sub.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help="of one file the picture, OUT.png, .svg or .pdf (default: NAME-thresholds.png here); else a folder, for "
        "pictures at the relative paths (default: thresholds)",
    )
    sub.add_argument(
        "--at",
        type=float,
        metavar="SECONDS",
        help="where it starts to hear (default: the clip of the surest word; of models that hear more, 0)",
    )
    sub.add_argument(
        "--duration",
        type=float,
        metavar="SECONDS",
        help=f"how much is heard, of a model that hears more than a clip at once (default: at most {DURATION_S:g})",
    )
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
    sub.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")


def check_options(options: argparse.Namespace) -> None:
    """Raises InputError for times that are none, and for an OUT that does not fit."""
    at_s, duration_s = options.at, options.duration
    if at_s is not None and not 0 <= at_s < float("inf"):
        raise InputError(f"--at {at_s:g}: give seconds from the beginning of the sound, 0 or more")
    if duration_s is not None and not SHORTEST_S <= duration_s <= LONGEST_S:
        raise InputError(f"--duration {duration_s:g}: give {SHORTEST_S:g} to {LONGEST_S:g} seconds")
    from drsn_audio.explaining.places import Pictures  # needs numpy and soundfile

    Pictures(options.out, options.paths)
