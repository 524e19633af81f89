"""The command drsn-audio. Results go to stdout, messages to stderr; what is wrong with the input exits with 2."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drsn_audio._version import __version__

MIN_DURATION_S = 0.025
BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: options.run(options), quiet=options.quiet)


def guarded(command: Callable[[], int | None], quiet: bool = False) -> int:
    """Run a command; errors in what the user gave become one line on stderr and status 2."""
    log = logging.getLogger("drsn_audio")
    log.handlers = [logging.StreamHandler()]  # stderr, as it is now
    log.setLevel(logging.WARNING if quiet else logging.INFO)
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
        print(f"error: {message}", file=sys.stderr)
        return BAD_INPUT


def _blame(error: Exception) -> str | None:
    """What to tell the user of an error in what they gave, one line; None where the error is ours, a bug."""
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename or 'a file'}: {error.strerror}: check the path, its permissions and the room on the disk"
        )
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("drsn_audio"):
        return f"{error.name} is not installed: pip install 'drsn-audio[train]'"
    # Wrong input is told by errors of our own, or by a ValueError or ImportError that a line of ours raises in so
    # many words. One that comes out of numpy or torch, or of a slip of ours, is a bug and keeps its traceback.
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised_here = Path(__file__).parent in Path(last.filename).parents and (last.line or "").startswith("raise ")
    told = type(error).__module__.startswith("drsn_audio") or (type(error) in (ValueError, ImportError) and raised_here)
    return str(error).strip().splitlines()[-1] if told else None  # a loader's process puts its traceback before it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="drsn-audio", description="Speech recognition in strong noise.")
    parser.add_argument("--version", action="version", version=f"drsn-audio {__version__}")
    parser.set_defaults(quiet=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], text: str, example: str) -> Any:
        raw = argparse.RawDescriptionHelpFormatter
        sub = commands.add_parser(
            name, help=text, description=text, epilog=f"example:\n  {example}", formatter_class=raw
        )
        sub.add_argument("--quiet", action="store_true", help="no progress, no notes on stderr")
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
        "classify", _classify, "Name the keyword in each file.",
        "drsn-audio classify recordings/ --model runs/subset --json",
    )  # fmt: skip
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs")
    sub.add_argument("--model", required=True, metavar="M", help="a run folder or a checkpoint's .json")
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
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


def _classify(options: argparse.Namespace) -> int:
    from drsn_audio.api import load
    from drsn_audio.audio import AudioError, find_audio

    model = load(options.model, options.device)
    status = 0

    def fail(path: str | Path, error: AudioError) -> None:
        nonlocal status
        status = BAD_INPUT
        if options.json:
            print(json.dumps({"path": str(path), "error": str(error)}))
        print(f"error: {error}", file=sys.stderr)

    def files() -> Any:
        for place in options.paths:
            try:
                yield from find_audio(place)
            except AudioError as error:
                fail(place, error)

    for path, answer in model.classify_files(files(), MIN_DURATION_S):
        if isinstance(answer, AudioError):
            fail(path, answer)
        elif options.json:
            print(json.dumps({"path": str(path), **vars(answer)}))
        else:
            print(f"{path}\t{answer.label}\t{answer.score:.3f}\t{answer.start:.2f}-{answer.end:.2f} s")
    return status


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
