"""The options of `drsn-audio denoise`. The parser is built for every command: nothing heavy is imported here."""

from __future__ import annotations

import argparse

from drsn_audio.errors import InputError

MODEL = "denoise-small"  # without --model


def add_options(sub: argparse.ArgumentParser, model: str) -> None:
    """`model`: what may be one, for every command."""
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs, manifests of cuts (.jsonl.gz)")
    sub.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="of one file the file, its ending says the format; else a folder, for files at their relative paths",
    )
    sub.add_argument(
        "--model",
        default=MODEL,
        metavar="M",
        help=f"{model}, of a denoiser, or an .onnx of drsn-audio export (default: {MODEL})",
    )
    add_blend(sub)
    sub.add_argument("--resume", action="store_true", help="keep what an earlier run, cut short, has done in a folder")
    sub.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")


def add_blend(sub: argparse._ActionsContainer) -> None:
    sub.add_argument(
        "--blend",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="give back up to so much of the noisy sound, 0 to 1, the less the noisier it is, e.g. 0.2 for what "
        "recognises speech (default: 0)",
    )


def check_options(options: argparse.Namespace) -> None:
    """Raise InputError for what does not go together, or is no share."""
    from pathlib import Path

    from drsn_audio.denoising.places import Outputs  # needs numpy and soundfile
    from drsn_audio.streaming.blending import check_blend

    check_blend(options.blend)
    if Outputs(Path(options.out), options.paths).is_file and options.resume:
        raise InputError("--resume of one file: what is done is known of a folder alone, name one with -o")
