"""The command drsn-audio. Results go to stdout, messages to stderr; what is wrong with the input exits with 2."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drsn_audio._version import __version__
from drsn_audio.errors import InputError

MIN_DURATION_S = 0.025
BAD_INPUT = 2
SNR_ERROR = (
    "The median error, measured by benchmarks/estimate_snr.py on read speech of 2 to 23 s, is 1.0 to 1.2 dB from 0 to "
    "10 dB and 2 dB at 20 and -5 dB in steady noise (machines, rain, traffic). It is larger on single words and with "
    "long pauses (1.4 to 2.3 dB, 4 dB at 20 dB), and below 5 dB where the noise comes and goes itself (horns, music, "
    "children: 5 dB at -5 dB, mostly too high). Sound must be 0.5 s long; results are kept within -10 to 35 dB."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: options.run(options), quiet=options.quiet)


def guarded(command: Callable[[], int | None], quiet: bool = False) -> int:
    """Run a command; errors in what the user gave become one line on stderr and status 2."""
    log = logging.getLogger("drsn_audio")
    log.handlers = [logging.StreamHandler()]  # stderr, as it is now
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold any bytes
    try:
        status = command() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # e.g. | head: what is left in the buffer would fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        message = _blame(error)
        if message is None:
            raise
        print(f"error: {_one_line(message)}", file=sys.stderr)
        return BAD_INPUT


def _blame(error: Exception) -> str | None:
    """What to tell the user of an error in what they gave; None where the error is ours, a bug."""
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename or 'a file'}: {error.strerror}: check the path, its permissions and the room on the disk"
        )
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("drsn_audio"):
        return f"{error.name} is not installed: pip install 'drsn-audio[train]'"
    return str(error) if isinstance(error, InputError) else None


def _one_line(message: str) -> str:
    """Without the traceback that a loader's process puts before its error, and without line breaks of file names."""
    return re.split(r"\n[\w.]+Error: ", message)[-1].strip().replace("\n", "\\n").replace("\r", "\\r")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="drsn-audio", description="Speech recognition in strong noise.")
    parser.add_argument("--version", action="version", version=f"drsn-audio {__version__}")
    quiet = "no progress, no notes on stderr"
    parser.add_argument("--quiet", action="store_true", help=quiet)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], text: str, example: str) -> Any:
        raw = argparse.RawDescriptionHelpFormatter
        sub = commands.add_parser(
            name, help=text, description=text, epilog=f"example:\n  {example}", formatter_class=raw
        )
        # Before the command or after it: here only where it is given, or this default would undo the other.
        sub.add_argument("--quiet", action="store_true", default=argparse.SUPPRESS, help=quiet)
        sub.set_defaults(run=run)
        return sub

    sub = command(
        "prepare", _prepare, "Read a corpus, write its Lhotse manifests.",
        "drsn-audio prepare speech-commands speech_commands_v0.02 manifests/speech-commands protocol=12",
    )  # fmt: skip
    sub.add_argument("corpus", metavar="CORPUS", help="speech-commands, urbansound8k, ...; see data/README.md")
    sub.add_argument(
        "places",
        metavar="SOURCE OUT [key=value]",
        nargs="+",
        help="voices and synthetic-noise have no SOURCE",
    )

    sub = command(
        "mix", _mix, "Mix speech with noise at chosen signal-to-noise ratios.",
        "drsn-audio mix speech.wav street --snr 5 -o noisy.wav",
    )  # fmt: skip
    sub.add_argument("speech", metavar="SPEECH", help="a file, folder, glob or manifest (.jsonl.gz)")
    sub.add_argument("noise", metavar="NOISE", help="the same, or street | factory (synthesised)")
    sub.add_argument("--snr", type=float, nargs="+", required=True, metavar="DB", help="one or more, in dB")
    sub.add_argument("-o", "--out", required=True, help="the file for one input and one SNR, else a folder")
    sub.add_argument(
        "--level", choices=("p56", "rms"), default="p56", help="level of the speech (default: p56, active)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of the noise draws (default: 0)")
    sub.add_argument("--stems", action="store_true", help="write the clean and the noise part beside each mix")

    sub = command(
        "estimate-snr", _estimate_snr, "Signal-to-noise ratio of each file, of which nothing else is known.",
        "drsn-audio estimate-snr recordings/ --json",
    )  # fmt: skip
    sub.description = f"{sub.description} {SNR_ERROR}"
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs")
    sub.add_argument("--json", action="store_true", help="one JSON object a line")

    sub = command(
        "classify", _classify, "Name the keywords in each file, and where they are.",
        "drsn-audio classify recordings/ --model runs/subset --json",
    )  # fmt: skip
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs")
    sub.add_argument(
        "--model",
        default="commands-12",
        metavar="M",
        help="a shipped model, a run folder or a checkpoint's .json (default: commands-12)",
    )
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
    sub.add_argument(
        "--reject-below",
        type=float,
        metavar="P",
        help="keywords less probable are answered with unknown; 0 turns it off (default: what the model was calibrated "
        "to, and in files longer than its clip at least 0.5)",
    )
    sub.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")

    sub = command(
        "evaluate", _evaluate, "Accuracy of a model, clean and per noise and SNR.",
        "drsn-audio evaluate --model runs/subset --manifest test.jsonl.gz --noise noise.jsonl.gz --snr 20 0 -5",
    )  # fmt: skip
    sub.add_argument("--model", required=True, metavar="M", help="a run folder or a checkpoint's .json")
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
    return parser


def _prepare(options: argparse.Namespace) -> int:
    from drsn_audio.config import ConfigError, nearest
    from drsn_audio.corpora import CORPORA, WITHOUT_SOURCE
    from drsn_audio.corpora.options import corpus_options

    if options.corpus not in CORPORA:
        raise ConfigError(f"{options.corpus}: unknown corpus; {nearest(options.corpus, list(CORPORA))}")
    function = CORPORA[options.corpus]
    given = [word for word in options.places if re.match(r"\w+=", word)]
    places = [word for word in options.places if word not in given]
    settings = corpus_options(options.corpus, function, given)
    wanted = 1 if options.corpus in WITHOUT_SOURCE else 2
    if len(places) != wanted:
        names = "OUT" if wanted == 1 else "SOURCE OUT"
        raise ConfigError(f"{options.corpus} takes {names}, got {len(places)} paths: see drsn-audio prepare --help")
    source = None if wanted == 1 else places[0]
    print(function(source, places[-1], progress=not options.quiet, **settings))
    return 0


def _mix(options: argparse.Namespace) -> int:
    from drsn_audio.datasets.mixing import mix_files

    report = mix_files(
        options.speech,
        options.noise,
        options.snr,
        options.out,
        level=options.level,
        seed=options.seed,
        stems=options.stems,
        progress=not options.quiet,
    )
    for path in report.written:
        print(path)
    for failed, reason in report.failed:
        print(f"error: {failed}: {reason}", file=sys.stderr)
    return BAD_INPUT if report.failed else 0


def _estimate_snr(options: argparse.Namespace) -> int:
    from drsn_audio.audio import AudioError, find_audio, read_audio
    from drsn_audio.noise.estimate import estimate_snr

    status = 0

    def fail(path: str | Path, error: InputError) -> None:
        nonlocal status
        status = BAD_INPUT
        if options.json:
            print(json.dumps({"path": str(path), "error": str(error)}), flush=True)
        print(f"error: {_one_line(str(error))}", file=sys.stderr)

    def files() -> Iterator[Path]:
        for place in options.paths:
            try:
                yield from find_audio(place)
            except InputError as error:
                fail(place, error)

    for path in files():
        try:
            found = estimate_snr(*read_audio(path))
        except AudioError as error:
            fail(path, error)
            continue
        except InputError as error:  # knows the samples alone
            fail(path, InputError(f"{path}: {error}"))
            continue
        if options.json:
            rounded = {key: round(value, 2) for key, value in found._asdict().items()}
            print(json.dumps({"path": str(path), **rounded}), flush=True)
        else:
            levels = f"speech {found.speech_db:.1f} dB, noise {found.noise_db:.1f} dB re full scale"
            print(f"{_one_line(str(path))}\t{found.snr_db:.1f} dB\t{levels}", flush=True)
    return status


def _classify(options: argparse.Namespace) -> int:
    from drsn_audio.api import load
    from drsn_audio.audio import AudioError, find_audio

    model = load(options.model, options.device)
    status, heard = 0, _HeardLine(shown=not options.quiet and sys.stderr.isatty())

    def fail(path: str | Path, error: AudioError) -> None:
        nonlocal status
        status = BAD_INPUT
        heard.clear()
        if options.json:
            print(json.dumps({"path": str(path), "error": str(error)}), flush=True)
        print(f"error: {_one_line(str(error))}", file=sys.stderr)

    def files() -> Any:
        for place in options.paths:
            try:
                yield from find_audio(place)
            except AudioError as error:
                fail(place, error)

    for path, found in model.detect_files(
        files(), MIN_DURATION_S, reject_below=options.reject_below, progress=heard.add
    ):
        if isinstance(found, AudioError):
            fail(path, found)
            continue
        heard.clear()
        for answer in found:
            if options.json:
                print(json.dumps({"path": str(path), **vars(answer)}), flush=True)
            else:
                place = f"{answer.start:.2f}-{answer.end:.2f} s"
                print(f"{_one_line(str(path))}\t{answer.label}\t{answer.score:.3f}\t{place}", flush=True)
    heard.clear()
    return status


class _HeardLine:
    """One line on a terminal that says how much was heard, and makes room for what is printed."""

    def __init__(self, shown: bool):
        self.shown, self.seconds = shown, 0.0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        if self.shown:
            print(f"\r{self.seconds:,.0f} s of sound heard", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from drsn_audio.api import load
    from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
    from drsn_audio.evaluation.run import evaluate_keywords
    from drsn_audio.reports.folder import write_report
    from drsn_audio.reports.table import terminal_table

    of_noise = {key: getattr(options, key) for key in ("snr", "draws", "level", "folds", "kinds")}
    lonely = [f"--{key}" for key, value in of_noise.items() if value and not options.noise]
    if lonely:
        raise ConfigError(f"{', '.join(lonely)} without --noise: name the noise manifests to mix in")
    defaults = EvaluateConfig()
    model, place = load(options.model, options.device), Path(options.model).resolve()
    if options.out:  # before the work, which would be lost where nothing can be written
        Path(options.out).mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True), disable=options.quiet, transient=True) as progress:
        facts = evaluate_keywords(
            model.module,
            options.manifest,
            [NoiseSource(manifest, options.kinds, options.folds) for manifest in options.noise],
            name=(place.parent if place.suffix == ".json" else place).name,
            data=DataConfig(level=options.level or "p56"),
            evaluate=EvaluateConfig(
                seed=options.seed,
                snr_db=options.snr or defaults.snr_db,
                draws=defaults.draws if options.draws is None else options.draws,
            ),
            checkpoint=model.info,
            progress=progress,
        )
    Console().print(terminal_table(facts))
    if options.out:
        for path in write_report(facts, options.out):
            print(path, file=sys.stderr)
    return 0
