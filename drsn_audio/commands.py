"""What each command does with its parsed options: results on stdout, what is wrong with a file on stderr.

Everything heavy is imported by the command that needs it, so that `drsn-audio --help` answers at once.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drsn_audio.errors import InputError

if TYPE_CHECKING:
    from drsn_audio.api import Recognizer

BAD_INPUT = 2  # exit status
MIN_DURATION_S = 0.025


def prepare(options: argparse.Namespace) -> int:
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


def mix(options: argparse.Namespace) -> int:
    from drsn_audio.config import ConfigError
    from drsn_audio.datasets.mix_rebuild import rebuild
    from drsn_audio.datasets.mixing import mix_files
    from drsn_audio.evaluation.provenance import command_line
    from drsn_audio.reports.spectrogram import plot_mix

    settings = {"jobs": options.jobs, "progress": not options.quiet, "written": print, "command": command_line()}
    if options.from_manifest:
        if options.speech or options.snr:
            raise ConfigError("--from-manifest has SPEECH, NOISE and --snr from the manifest: leave them out")
        roots = {name: getattr(options, f"{name}_root") for name in ("speech", "noise", "background", "rooms")}
        roots = {name: Path(root) for name, root in roots.items() if root}
        report = rebuild(options.from_manifest, options.out, roots=roots, **settings)
    else:
        if not options.noise or not options.snr:
            raise ConfigError("mix takes SPEECH NOISE --snr DB, or --from-manifest M: see drsn-audio mix --help")
        report = mix_files(
            options.speech,
            options.noise,
            options.snr,
            options.out,
            plot=plot_mix,
            plots=options.plot,
            level=options.level,
            seed=options.seed,
            stems=options.stems,
            format=options.format,
            snr_law=options.snr_law,
            background=options.background,
            background_db=tuple(options.background_db),
            lead_in_s=options.lead_in,
            trail_s=options.trail,
            rooms=options.rooms,
            band_hz=tuple(options.band) if options.band else None,
            gain_db=options.gain,
            clip_db=options.clip,
            mu_law=options.mu_law,
            **settings,
        )
    for failed, reason in report.failed:
        print(f"error: {one_line(f'{failed}: {reason}')}", file=sys.stderr)
    if report.kept and not options.quiet:
        print(f"{report.kept} of {report.mixes} mixes were there, whole, from an earlier run", file=sys.stderr)
    for utterance, reason in report.changed:
        print(f"note: {one_line(f'{utterance}: mixed again, for {reason}')}", file=sys.stderr)
    return BAD_INPUT if report.failed else 0


def estimate_snr(options: argparse.Namespace) -> int:
    from drsn_audio.audio import AudioError, read_audio
    from drsn_audio.noise import estimate

    answers = _Answers(options.json)
    for path in answers.files(options.paths):
        try:
            found = estimate.estimate_snr(*read_audio(path))
        except AudioError as error:
            answers.fail(path, error)
        except InputError as error:  # knows the samples alone
            answers.fail(path, InputError(f"{path}: {error}"))
        else:
            levels = f"speech {found.speech_db:.1f} dB, noise {found.noise_db:.1f} dB re full scale"
            rounded = {key: round(value, 2) for key, value in found._asdict().items()}
            answers.give(path, f"{found.snr_db:.1f} dB\t{levels}", rounded)
    return answers.status


def classify(options: argparse.Namespace) -> int:
    from drsn_audio.api import load

    model = load(options.model, options.device)
    answers = _Answers(options.json, heard_line=not options.quiet and sys.stderr.isatty())
    for path, found in model.detect_files(
        answers.files(options.paths), MIN_DURATION_S, reject_below=options.reject_below, progress=answers.heard
    ):
        if isinstance(found, InputError):
            answers.fail(path, found)
            continue
        for answer in found:
            text = f"{answer.label}\t{answer.score:.3f}\t{answer.start:.2f}-{answer.end:.2f} s"
            answers.give(path, text, vars(answer))
    answers.clear()
    return answers.status


def stream(options: argparse.Namespace) -> int:
    from drsn_audio.live.command import run

    return run(options)


def export(options: argparse.Namespace) -> int:
    from drsn_audio.api import load
    from drsn_audio.export.report import as_text
    from drsn_audio.export.run import export_model

    model, out = load(options.model), Path(options.onnx)
    if not model.module.causal:
        raise InputError(f"{options.model}: hears whole clips and has no stream to export: name a streaming model")
    report = export_model(
        model.module,
        out,
        detector=model.detector_config(),
        temperature=model.temperature,
        int8=options.int8,
        audio=Path(options.audio) if options.audio else None,
        about={"checkpoint": model.info["sha256"], "tuned": "detector" in model.info},
    )
    print(as_text(report, ["float", "int8"] if options.int8 else ["float"]))
    return 0


def evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from drsn_audio.api import load
    from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
    from drsn_audio.datasets.manifests import scan_cuts
    from drsn_audio.evaluation.run import evaluate_keywords
    from drsn_audio.reports.folder import write_report
    from drsn_audio.reports.table import terminal_table

    of_noise = {key: getattr(options, key) for key in ("snr", "draws", "level", "folds", "kinds")}
    lonely = [f"--{key}" for key, value in of_noise.items() if value and not options.noise]
    if lonely:
        raise ConfigError(f"{', '.join(lonely)} without --noise: name the noise manifests to mix in")
    defaults = EvaluateConfig()
    model, place = load(options.model, options.device), Path(options.model).resolve()
    if (next(scan_cuts(options.manifest[0])).get("custom") or {}).get("stream"):
        return _evaluate_streams(options, model)
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


def _evaluate_streams(options: argparse.Namespace, model: Recognizer) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from drsn_audio.config import ConfigError
    from drsn_audio.evaluation.streams import evaluate_streams
    from drsn_audio.reports.streams import streams_terminal, write_streams_report

    if options.noise:
        raise ConfigError(f"{options.manifest[0]}: streams hold their noise already: leave out --noise")
    place = Path(options.model).resolve()
    if options.out:
        Path(options.out).mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True), disable=options.quiet, transient=True) as progress:
        facts = evaluate_streams(
            model.module,
            model.detector_config(),
            options.manifest,
            name=(place.parent if place.suffix == ".json" else place).name,
            temperature=model.temperature,
            checkpoint=model.info,
            seed=options.seed,
            progress=progress,
        )
    Console().print(streams_terminal(facts))
    if options.out:
        for path in write_streams_report(facts, options.out):
            print(path, file=sys.stderr)
    return 0


class _Answers:
    """What a command says of each file, as text or as JSON; `status` is what it then exits with.

    With `heard_line` a line on the terminal says how much was heard, and makes room for what is printed.
    """

    def __init__(self, as_json: bool, heard_line: bool = False):
        self.as_json, self.heard_line = as_json, heard_line
        self.status, self.seconds = 0, 0.0

    def files(self, places: Sequence[str]) -> Iterator[Path]:
        """Audio files of several places; a place where there is none has failed, the others go on."""
        from drsn_audio.audio import find_audio

        for place in places:
            try:
                yield from find_audio(place)
            except InputError as error:
                self.fail(place, error)

    def give(self, path: Path, text: str, facts: Mapping[str, Any]) -> None:
        self.clear()
        line = json.dumps({"path": str(path), **facts}) if self.as_json else f"{one_line(str(path))}\t{text}"
        print(line, flush=True)

    def fail(self, path: str | Path, error: InputError) -> None:
        self.status = BAD_INPUT
        self.clear()
        if self.as_json:
            print(json.dumps({"path": str(path), "error": str(error)}), flush=True)
        print(f"error: {one_line(str(error))}", file=sys.stderr)

    def heard(self, seconds: float) -> None:
        self.seconds += seconds
        if self.heard_line:
            print(f"\r{self.seconds:,.0f} s of sound heard", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.heard_line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def one_line(message: str) -> str:
    """Without the traceback that a loader's process puts before its error, and without line breaks of file names."""
    return re.split(r"\n[\w.]+Error: ", message)[-1].strip().replace("\n", "\\n").replace("\r", "\\r")
