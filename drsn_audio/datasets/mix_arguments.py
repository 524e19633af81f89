"""Command-line options of `drsn-audio mix`."""

from __future__ import annotations

import argparse

from drsn_audio.errors import InputError


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("speech", metavar="SPEECH", nargs="?", help="a file, folder, glob or manifest (.jsonl.gz)")
    sub.add_argument(
        "noise",
        metavar="NOISE",
        nargs="*",
        help="one or more: the same, or a synthesised one: street | factory | gaussian | laplacian | pink",
    )
    sub.add_argument("--snr", type=float, nargs="+", metavar="DB", help="one or more, in dB; inf: the clean speech")
    sub.add_argument("-o", "--out", required=True, help="the file for one input and one SNR, else a folder")
    sub.add_argument(
        "--level", choices=("p56", "rms"), default="p56", help="level of the speech (default: p56, active)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of all draws (default: 0)")
    sub.add_argument("--stems", action="store_true", help="write the clean and the noise part beside each mix")
    sub.add_argument("--format", choices=("wav", "flac"), help="of the mixes (default: that of the speech)")
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; the result is the same (default: 1)")
    sub.add_argument(
        "--plot",
        type=int,
        nargs="?",
        const=20,
        default=0,
        metavar="N",
        help="spectrograms of the first N mixes (default of N: 20), <name>.png beside them",
    )
    drawn = sub.add_argument_group("more that is drawn, by seed and utterance; each off by default")
    drawn.add_argument(
        "--snr-law",
        choices=("fixed", "listed", "uniform", "normal"),
        default="fixed",
        help="fixed: every utterance at each SNR (default); else one for each utterance, in OUT/<kind>/<path>: listed, "
        "one of --snr; uniform, between two; normal, with a mean and a deviation",
    )
    drawn.add_argument("--background", metavar="NOISE", help="a second noise, under the first; the SNR is that of both")
    drawn.add_argument(
        "--background-db",
        type=float,
        nargs="+",
        default=[-10.0],
        metavar="DB",
        help="its level against the first, or the lowest and the highest (default: -10)",
    )
    drawn.add_argument("--lead-in", type=float, default=0.0, metavar="S", help="noise before the speech, in s")
    drawn.add_argument("--trail", type=float, default=0.0, metavar="S", help="noise after it")
    drawn.add_argument(
        "--rooms", metavar="ROOMS", help="'drawn', or a folder or manifest of responses: the speech is heard in a room"
    )
    device = sub.add_argument_group(
        "what the recording device does to the mix (not to its stems; the SNR is before it)"
    )
    device.add_argument("--band", type=float, nargs=2, metavar="HZ", help="lowest and highest frequency, e.g. 300 3400")
    device.add_argument("--gain", type=float, default=0.0, metavar="DB", help="before it clips")
    device.add_argument("--clip", type=float, metavar="DB", help="level at which it clips, dB full scale, e.g. -6")
    device.add_argument("--mu-law", action="store_true", help="8-bit mu-law and back")
    again = sub.add_argument_group("the same again, bit for bit, instead of SPEECH, NOISE and all options above")
    again.add_argument("--from-manifest", metavar="M", help="a manifest that mix made, with its mix.json beside it")
    for root in ("speech", "noise", "background", "rooms"):
        where = f"where the {root} lies here (default: as in mix.json)"
        if root == "noise":
            again.add_argument("--noise-root", metavar="FOLDER", nargs="+", help=f"{where}; of several, in their order")
        else:
            again.add_argument(f"--{root}-root", metavar="FOLDER", help=where)


def check_options(options: argparse.Namespace) -> None:
    """Raise InputError for what does not go together, or is missing."""
    if options.from_manifest:
        if options.speech or options.snr:
            raise InputError("--from-manifest has SPEECH, NOISE and --snr from the manifest: leave them out")
    elif not options.noise or not options.snr:
        raise InputError("mix takes SPEECH NOISE ... --snr DB, or --from-manifest M: see drsn-audio mix --help")
