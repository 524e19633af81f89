"""The work of `drsn-audio evaluate`: a table on stdout; run.json, the table and pictures in a folder."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from drsn_audio.api import Recognizer, load, load_transcriber
from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, ExperimentConfig, NoiseSource, load_config
from drsn_audio.datasets.manifests import scan_cuts
from drsn_audio.denoising.denoiser import Denoiser
from drsn_audio.errors import InputError
from drsn_audio.evaluation.journal import Journal, request_of
from drsn_audio.evaluation.options import check_options
from drsn_audio.evaluation.transcription import evaluate_transcription
from drsn_audio.processes import ALONE, Processes
from drsn_audio.progress import ProgressBar
from drsn_audio.reports.transcription import transcription_terminal, write_transcription_report
from drsn_audio.text import outside_line
from drsn_audio.transcribing.command import beam_config
from drsn_audio.transcribing.options import given_of_beam
from drsn_audio.transcribing.transcriber import Transcriber

if TYPE_CHECKING:
    from drsn_audio.decoding.beam import BeamConfig

# Options, model and what all evaluations are given -> run.json's content.
Evaluate = Callable[[argparse.Namespace, Any, dict[str, Any]], dict[str, Any]]


def run(options: argparse.Namespace, processes: Processes = ALONE) -> int:
    """Returns the exit status, 0. Several processes share the trials; what was found the main one tells and writes.

    Raises:
        InputError: options that do not go together, a model, a manifest or a file that cannot be used.
        OSError: OUT cannot be written.
    """
    check_options(options)
    model = load(options.model, processes.device(options.device))
    evaluate, terminal, write = _evaluation(options, model)
    if options.out:  # before the work, which would be lost where nothing can be written
        Path(options.out).mkdir(parents=True, exist_ok=True)
    given = {"name": model_name(options.model), "processes": processes}
    hidden = options.quiet or not processes.is_main
    with ExitStack() as opened:
        journal = None
        if options.out and evaluate is not _streams:
            journal = opened.enter_context(_journal(options, model, processes))
            given["journal"] = journal
        try:
            with ProgressBar(shown=not hidden) as progress:
                facts = evaluate(options, model, {**given, "progress": progress})
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped; with --resume it goes on from here" if journal else "") from None
        if processes.is_main:
            Console().print(terminal(facts))
            if not options.quiet and (line := outside_note(facts)):
                print(line, file=sys.stderr)
            for path in write(facts, options.out) if options.out else []:
                print(path, file=sys.stderr)
            if journal:
                journal.remove()
    return 0


def evaluate_run(run: Path, overrides: Sequence[str], options: argparse.Namespace) -> list[Path]:
    """A run of a model that writes, on its config's test manifests and noise: prints the tables, writes run.json,
    table.md and the picture into the folder; returns their paths. `options`: device, and those of the beam search.

    Raises:
        ConfigError: overrides of what is trained already.
        InputError: a run, a manifest or a file that cannot be used.
    """
    config = evaluation_config(run / "config.yaml", overrides)
    model = load_transcriber(run, options.device)
    with ProgressBar() as progress:
        facts = transcription_facts(
            model,
            config.data.test,
            config.data.noise_test,
            beam_config(options, model),
            name=model_name(run),
            data=config.data,
            evaluate=config.evaluate,
            progress=progress,
        )
    Console().print(transcription_terminal(facts))
    if line := outside_note(facts):
        print(line, file=sys.stderr)
    return write_transcription_report(facts, run)


def outside_note(facts: Mapping[str, Any]) -> str | None:
    """Return a line on the words of run.json's `facts` that the model does not know; None where there are none."""
    found = facts["data"].get("outside_vocabulary")
    return outside_line(found, of_words=facts.get("kind") == "streams") if found else None


def evaluation_config(path: str | Path, overrides: Sequence[str]) -> ExperimentConfig:
    """The config of a model that is trained, with its evaluation changed.

    Raises:
        ConfigError: overrides of what is trained already, or a config that cannot be used.
    """
    foreign = [word for word in overrides if not word.startswith(("evaluate.", "data."))]
    if foreign:
        raise ConfigError(f"{', '.join(foreign)}: the model is trained already: override evaluate.* and data.* only")
    return load_config(path, overrides)


def model_name(source: str | Path) -> str:
    """What tables call the model of a run folder, a checkpoint's .json or a shipped name."""
    place = Path(source).resolve()
    return (place.parent if place.suffix == ".json" else place).name


def transcription_facts(
    model: Transcriber,
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    beam: BeamConfig | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """`evaluate_transcription` of a loaded model, by beam search where `beam` is given."""
    decoding: dict[str, Any] = {}
    if beam is not None:
        from drsn_audio.decoding.beam import BeamDecoder

        decoder = BeamDecoder(model.units, beam)
        told = {"kind": "beam search", **beam.to_dict()}
        decoding = {"decode": lambda log_probabilities: decoder.decode(log_probabilities).text, "decoder": told}
    return evaluate_transcription(
        model.module,
        manifests,
        noise,
        units=model.units,
        as_written=model.as_written,
        checkpoint=model.info,
        **decoding,
        **settings,
    )


def _evaluation(
    options: argparse.Namespace, model: Recognizer | Transcriber | Denoiser
) -> tuple[Evaluate, Callable[[dict[str, Any]], Any], Callable[[dict[str, Any], str], list[Path]]]:
    """By model and manifest: how it is evaluated, how that is shown and how it is written."""
    streams = (next(scan_cuts(options.manifest[0])).get("custom") or {}).get("stream")
    denoises = isinstance(model, Denoiser)
    if streams and options.resume:
        raise InputError(f"{options.manifest[0]}: streams of keywords are heard anew each time: leave out --resume")
    if streams and (denoises or isinstance(model, Transcriber)):
        raise InputError(f"{options.manifest[0]}: streams of keywords, and {options.model} names none: use another")
    if isinstance(model, Transcriber):
        return _transcription, transcription_terminal, write_transcription_report
    beam = [f"--{name.replace('_', '-')}" for name in given_of_beam(options)]
    if beam:
        what = "takes noise off" if denoises else "names keywords"
        raise InputError(f"{', '.join(beam)}: {options.model} {what}, which needs no beam search: leave it out")
    if denoises:
        from drsn_audio.reports.denoising import denoising_terminal, write_denoising_report

        return _denoising, denoising_terminal, write_denoising_report
    if streams:
        from drsn_audio.reports.streams import streams_terminal, write_streams_report

        return _streams, streams_terminal, write_streams_report
    from drsn_audio.reports.folder import write_report
    from drsn_audio.reports.table import terminal_table

    return _keywords, terminal_table, write_report


def _keywords(options: argparse.Namespace, model: Recognizer, given: dict[str, Any]) -> dict[str, Any]:
    from drsn_audio.evaluation.run import evaluate_keywords

    return evaluate_keywords(
        model.module, options.manifest, _noise_of(options), checkpoint=model.info, **_settings(options), **given
    )


def _transcription(options: argparse.Namespace, model: Transcriber, given: dict[str, Any]) -> dict[str, Any]:
    beam = beam_config(options, model)
    return transcription_facts(model, options.manifest, _noise_of(options), beam, **_settings(options), **given)


def _denoising(options: argparse.Namespace, model: Denoiser, given: dict[str, Any]) -> dict[str, Any]:
    """Of all utterances, whatever they last; STOI and PESQ where their libraries are installed."""
    from drsn_audio.evaluation.denoising import denoiser
    from drsn_audio.evaluation.denoising_run import describe_denoiser, evaluate_denoisers

    rate = model.sample_rate
    there = [name for name, library in (("stoi", "pystoi"), ("pesq", "pesq")) if find_spec(library)]
    return evaluate_denoisers(
        {given["name"]: denoiser(model.module)},
        options.manifest,
        _noise_of(options),
        model=describe_denoiser(model.module, given["name"], model.info),
        sample_rate=rate,
        duration_s=(0.0, math.inf),
        measures=[name for name in there if name != "pesq" or rate == 16000],
        **{key: given[key] for key in ("progress", "processes", "journal") if key in given},
        **_settings(options),
    )


def _streams(options: argparse.Namespace, model: Recognizer, given: dict[str, Any]) -> dict[str, Any]:
    from drsn_audio.evaluation.streams import evaluate_streams

    if options.noise:
        raise ConfigError(f"{options.manifest[0]}: streams hold their noise already: leave out --noise")
    return evaluate_streams(
        model.module,
        model.detector_config(),
        options.manifest,
        temperature=model.temperature,
        checkpoint=model.info,
        seed=options.seed,
        **given,
    )


def _journal(options: argparse.Namespace, model: Any, processes: Processes) -> Journal:
    beam = beam_config(options, model) if isinstance(model, Transcriber) else None
    decoder = {} if beam is None else beam.to_dict()
    request = request_of(model.info, options.manifest, _noise_of(options), decoder=decoder, **_settings(options))
    return Journal(Path(options.out), request, options.resume, processes)


def _noise_of(options: argparse.Namespace) -> list[NoiseSource]:
    return [NoiseSource(manifest, options.kinds, options.folds) for manifest in options.noise]


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    defaults = EvaluateConfig()
    return {
        "data": DataConfig(level=options.level or "p56"),
        "evaluate": EvaluateConfig(
            seed=options.seed,
            snr_db=options.snr or defaults.snr_db,
            draws=defaults.draws if options.draws is None else options.draws,
        ),
    }
