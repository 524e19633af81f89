"""Command-line options of `drsn-audio evaluate`, but for those of its beam search."""

from __future__ import annotations

import argparse

from drsn_audio.errors import InputError


def add_options(sub: argparse.ArgumentParser, model: str) -> None:
    """`model`: what --model may be, in words."""
    sub.add_argument("--model", required=True, metavar="M", help=model)
    sub.add_argument(
        "--manifest", required=True, nargs="+", metavar="CUTS", help="speech; mixes are grouped as they are"
    )
    sub.add_argument("--noise", nargs="+", default=[], metavar="CUTS", help="noise manifests to mix in")
    sub.add_argument("--folds", type=int, nargs="+", default=[], help="only these folds of the noise")
    sub.add_argument("--kinds", nargs="+", default=[], help="only these kinds of noise, e.g. street machinery")
    sub.add_argument("--snr", type=float, nargs="+", metavar="DB", help="of the mixes (default: 20 10 5 0 -5)")
    sub.add_argument("--draws", type=int, help="noise draws a clip (default: 4)")
    sub.add_argument("--level", choices=("p56", "rms"), help="level of the speech (default: p56, active)")
    sub.add_argument("--seed", type=int, default=0, help="of the noise draws and the intervals (default: 0)")
    sub.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    sub.add_argument("-o", "--out", help="folder for run.json, table and pictures")
    sub.add_argument(
        "--resume",
        action="store_true",
        help="keep what an earlier run, cut short, has been answered in OUT, however many processes it had; a finished "
        "one is done anew; not for streams",
    )


def check_options(options: argparse.Namespace) -> None:
    """Raise InputError for what does not go together, which would be ignored else."""
    of_noise = {key: getattr(options, key) for key in ("snr", "draws", "level", "folds", "kinds")}
    lonely = [f"--{key}" for key, value in of_noise.items() if value and not options.noise]
    if lonely:
        raise InputError(f"{', '.join(lonely)} without --noise: name the noise manifests to mix in")
    if options.resume and not options.out:
        raise InputError("--resume without -o: what is done is known of a folder alone, name it with -o OUT")
