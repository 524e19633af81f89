"""The options of `drsn-audio stream`. The parser is built for every command: nothing heavy is imported here."""

from __future__ import annotations

import argparse
import os

from drsn_audio.denoising.options import MODEL as DENOISER
from drsn_audio.denoising.options import add_blend
from drsn_audio.errors import InputError

# Options that are of one source only, as they are called there.
MODEL = "commands-12-stream"  # without --model and --denoise
OPTIONS_OF = {"-": ("rate", "format", "channels"), "mic": ("device",), "a file": ("realtime",)}

OF_WORDS = ("json", "reference", "threshold", "threshold_shift")


def add_options(sub: argparse.ArgumentParser, model: str) -> None:
    """`model`: what may be one, for every command."""
    sub.add_argument("source", metavar="SOURCE", nargs="?", help="an audio file; - for raw PCM on stdin; mic")
    sub.add_argument(
        "--model",
        metavar="M",
        help=f"{model}, or an .onnx of drsn-audio export (default: {MODEL}, with --denoise {DENOISER})",
    )
    sub.add_argument("--json", action="store_true", help="one JSON object a line, the last one is the summary")
    sub.add_argument(
        "--reference",
        metavar="R",
        help="what was said: a manifest, or lines of start and end in seconds and the word (for a model that writes, "
        "text will do); it is told at the end how much of it was heard",
    )
    sub.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="P",
        help="the probability from which a keyword is heard, instead of the model's own: P for all, WORD=P for one; "
        "may be given several times",
    )
    sub.add_argument(
        "--threshold-shift",
        type=float,
        default=0.0,
        metavar="S",
        help="raise all thresholds (negative: lower them) by so much in log-odds, e.g. 1: fewer events",
    )
    sub.add_argument(
        "--chunk-ms", type=float, default=100.0, metavar="MS", help="sound that is heard at a time (default: 100)"
    )
    sub.add_argument("--realtime", action="store_true", help="hear a file as fast as it sounds")
    sound = sub.add_argument_group("sound without its noise, instead of words")
    sound.add_argument(
        "--denoise",
        action="store_true",
        help="write raw PCM to stdout, one channel: of a pipe its format and rate, else s16le at the model's rate",
    )
    add_blend(sound)
    pcm = sub.add_argument_group("of raw PCM on stdin, little-endian; a wav header is followed instead")
    pcm.add_argument("--rate", type=int, metavar="HZ", help="(default: the model's)")
    pcm.add_argument("--format", choices=("s16le", "s24le", "s32le", "f32le"), help="(default: s16le)")
    pcm.add_argument("--channels", type=int, metavar="N", help="interleaved, they are averaged (default: 1)")
    mic = sub.add_argument_group("of the microphone")
    mic.add_argument("--device", metavar="D", help="its number, or a part of its name (default: the system's)")
    mic.add_argument("--list-devices", action="store_true", help="print those that are here, and end")


def check_options(options: argparse.Namespace) -> None:
    """Fills in the model. Raises InputError for what does not go together, which would be ignored else."""
    if options.list_devices:
        return
    if options.source is None:
        raise InputError("nothing to listen to: give a file, - for raw PCM on stdin, or mic")
    if not 1 <= options.chunk_ms <= 60_000:
        raise InputError(f"--chunk-ms {options.chunk_ms:g}: give 1 to 60000 milliseconds")
    if options.denoise:
        words = [f"--{name.replace('_', '-')}" for name in OF_WORDS if getattr(options, name)]
        if words:
            raise InputError(f"{', '.join(words)} with --denoise: stdout is sound and no words are heard, leave it out")
    elif options.blend:
        raise InputError("--blend without --denoise: only sound is given back, leave it out")
    options.model = options.model or (DENOISER if options.denoise else MODEL)
    kind = options.source if options.source in ("-", "mic") else "a file"
    for other, names in OPTIONS_OF.items():
        lonely = [f"--{name}" for name in names if getattr(options, name) and other != kind]
        if lonely:
            raise InputError(f"{', '.join(lonely)} with {options.source}: only {other} takes it, leave it out")
    for text in options.threshold:
        parse_threshold(text)
    if kind == "-":
        from drsn_audio.live.pcm import PcmFormat  # needs numpy

        PcmFormat(16000 if options.rate is None else options.rate, 1 if options.channels is None else options.channels)
    elif kind == "a file" and not os.path.exists(options.source):
        raise InputError(f"{options.source}: no such file: check the path")


def parse_threshold(text: str) -> tuple[str, float]:
    """P or WORD=P of --threshold -> the word, "" for all, and the probability. Raises InputError for no probability."""
    word, _, number = text.rpartition("=")
    try:
        threshold = float(number)
    except ValueError:
        raise InputError(f"--threshold {text}: give a probability, or WORD=PROBABILITY") from None
    if not 0 < threshold < 1:
        raise InputError(f"--threshold {text}: give a probability between 0 and 1")
    return word, threshold
