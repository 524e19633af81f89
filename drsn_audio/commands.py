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
from typing import Any

from drsn_audio.errors import BAD_INPUT, InputError, one_line
from drsn_audio.processes import here

SHOWN = 20  # utterances that could not be put into shards, of perhaps a whole corpus


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
    from drsn_audio.datasets.mix_rebuild import rebuild
    from drsn_audio.datasets.mixing import mix_files
    from drsn_audio.evaluation.provenance import command_line
    from drsn_audio.reports.spectrogram import plot_mix

    settings = {"jobs": options.jobs, "progress": not options.quiet, "command": command_line()}
    if options.from_manifest:
        roots = {name: getattr(options, f"{name}_root") for name in ("speech", "background", "rooms")}
        for number, folder in enumerate(options.noise_root or [], 1):
            roots["noise" if number == 1 else f"noise-{number}"] = folder
        roots = {name: Path(root) for name, root in roots.items() if root}
        report = rebuild(options.from_manifest, options.out, roots=roots, **settings)
    else:
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
    if report.manifest:
        if report.manifest.name != "mix.jsonl.gz":  # of one file
            print(one_line(str(options.out)))
        else:
            note = f", {len(report.failed):,} failed" if report.failed else ""
            print(one_line(f"{options.out}: {report.mixes:,} mixes, manifest {report.manifest}{note}"))
    return BAD_INPUT if report.failed else 0


def shard(options: argparse.Namespace) -> int:
    from drsn_audio.datasets.sharding import shard_cuts

    report = shard_cuts(
        options.manifests,
        options.out,
        shard_size=options.shard_size,
        format=options.format,
        shuffle=None if options.in_order else options.shuffle,
        jobs=options.jobs,
        progress=not options.quiet,
    )
    for failed, reason in report.failed[:SHOWN]:
        print(f"error: {one_line(f'{failed}: {reason}')}", file=sys.stderr)
    if len(report.failed) > SHOWN:
        print(f"error: {len(report.failed) - SHOWN:,} more, which {options.out}/shards.json names", file=sys.stderr)
    if report.kept and not options.quiet:
        print(f"{report.kept} of {report.shards} shards were there, whole, from an earlier run", file=sys.stderr)
    held = f"{report.utterances:,} utterances, {report.duration_s / 3600:.2f} h, {report.bytes / 1e6:,.0f} MB"
    left_out = f"; left out {len(report.failed):,}" if report.failed else ""
    print(f"{options.out}: {held} in {report.shards:,} shards{left_out}")
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
    from drsn_audio.api import load_recognizer
    from drsn_audio.classifying import run

    processes = here()
    return run(options, load_recognizer(options.model, processes.device(options.device)), processes)


def transcribe(options: argparse.Namespace) -> int:
    from drsn_audio.api import load_transcriber
    from drsn_audio.transcribing.command import run

    processes = here()
    return run(options, load_transcriber(options.model, processes.device(options.device)), processes)


def denoise(options: argparse.Namespace) -> int:
    from drsn_audio.denoising.command import run

    processes = here()
    if options.model.endswith(".onnx"):
        from drsn_audio.denoising.onnx_denoiser import OnnxDenoiser  # needs no torch

        return run(options, OnnxDenoiser(options.model), processes)
    from drsn_audio.api import load_denoiser

    return run(options, load_denoiser(options.model, processes.device(options.device)), processes)


def explain(options: argparse.Namespace) -> int:
    from drsn_audio.explaining.command import run

    return run(options)


def stream(options: argparse.Namespace) -> int:
    from drsn_audio.live.command import run

    return run(options)


def export(options: argparse.Namespace) -> int:
    from drsn_audio.api import Denoiser, Recognizer, load
    from drsn_audio.export.report import as_text
    from drsn_audio.export.run import export_model
    from drsn_audio.model_sources import check_exports

    model, out = load(options.model), Path(options.onnx)
    check_exports(options.model, model.module.causal)
    events: dict[str, Any] = {}
    tuned = {}
    if not isinstance(model, Denoiser):
        events = {"detector": model.detector_config()} if isinstance(model, Recognizer) else {"timing": model.timing}
        tuned = {"tuned": any(name in model.info for name in events)}
        events["temperature"] = model.temperature
    report = export_model(
        model.module,
        out,
        **events,
        blocks=options.blocks,
        int8=options.int8,
        audio=Path(options.audio) if options.audio else None,
        about={"checkpoint": model.info["sha256"], **tuned},
    )
    print(as_text(report, ["float", "int8"] if options.int8 else ["float"]))
    return 0


def push(options: argparse.Namespace) -> int:
    from drsn_audio import publishing

    settings = {"private": options.private, "card": options.card, "message": options.message}
    print(publishing.push(options.model, options.repo, license=options.license, dry_run=options.dry_run, **settings))
    return 0


def evaluate(options: argparse.Namespace) -> int:
    from drsn_audio.evaluating import run

    return run(options, here())


SHARED = (classify, transcribe, denoise, evaluate)  # which several processes can do together


def runs(options: argparse.Namespace) -> int:
    from drsn_audio.reports.runs_command import run

    return run(options)


def fail_places(wrong: Sequence[tuple[str, InputError]], options: argparse.Namespace) -> int:
    """What a command says where all places that it was given are wrong; returns its exit status."""
    as_json = getattr(options, "json", False) or getattr(options, "format", "") == "json"
    answers = _Answers(as_json and not getattr(options, "out", None))
    for place, error in wrong:
        answers.fail(place, error)
    return answers.status


class _Answers:
    """What a command says of each file, as text or as JSON; `status` is what it then exits with."""

    def __init__(self, as_json: bool):
        self.as_json, self.status = as_json, 0

    def files(self, places: Sequence[str]) -> Iterator[Path]:
        """Audio files of several places; a place where there is none has failed, the others go on."""
        from drsn_audio.audio import find_audio

        for place in places:
            try:
                yield from find_audio(place)
            except InputError as error:
                self.fail(place, error)

    def give(self, path: Path, text: str, facts: Mapping[str, Any]) -> None:
        line = json.dumps({"path": str(path), **facts}) if self.as_json else f"{one_line(str(path))}\t{text}"
        print(line, flush=True)

    def fail(self, path: str | Path, error: InputError) -> None:
        self.status = BAD_INPUT
        if self.as_json:
            print(json.dumps({"path": str(path), "error": str(error)}), flush=True)
        print(f"error: {one_line(str(error))}", file=sys.stderr)
