"""Audio files of speech and of noise -> audio files of both at the wanted SNRs, and a manifest of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lhotse.cut import Cut

from drsn_audio.audio import AudioError
from drsn_audio.corpora.cuts import is_unicode, write_cuts
from drsn_audio.datasets.draws import draw_generator
from drsn_audio.datasets.mix_inputs import (
    DrawnNoise,
    RecordedNoise,
    Utterance,
    draw_synthetic,
    find_noises,
    find_speech,
    is_manifest,
    is_one_file,
    search_root,
)
from drsn_audio.datasets.mix_outputs import (
    Mixed,
    Target,
    folder_name,
    mix_parts,
    mixed_cut,
    sample_format,
    target_for,
    write_mix,
)
from drsn_audio.errors import InputError
from drsn_audio.noise.level import ActiveLevel, active_level, rms_db
from drsn_audio.noise.mix import measure_snr
from drsn_audio.noise.synth import SYNTHETIC_NOISES

# draw(num_samples, sample_rate, generator) -> the noise, if any can be used, and the files that cannot.
Draw = Callable[[int, int, np.random.Generator], tuple[DrawnNoise | None, list[tuple[Path, str]]]]


@dataclass
class MixReport:
    """Mixes written (without their stems), files that could not be used, with the reason, the manifest."""

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    manifest: Path | None = None

    def fail(self, path: Path, reason: str) -> None:
        failure = (path, reason.removeprefix(f"{path}: "))
        if failure not in self.failed:
            self.failed.append(failure)


def mix_files(
    speech: str | Path,
    noise: str | Path,
    snr_db: Sequence[float],
    out: str | Path,
    *,
    level: str = "p56",
    seed: int = 0,
    stems: bool = False,
    progress: bool = True,
) -> MixReport:
    """Mix every utterance with every kind of noise at every SNR; mono, at the sample rate of the utterance.

    Written are OUT/<noise kind>/<snr>/<relative path> and OUT/mix.jsonl.gz; for one speech file, one kind and
    one SNR OUT itself, if it has an ending, and beside it <stem>.mix.jsonl.gz. Files of integer or float
    samples stay what they are; lossy ones become <name>.wav of floats. The speech keeps its level, except
    where an integer file would clip: both parts are then halved as often as needed, and `scale` in the manifest
    is the factor. The noise depends on seed, utterance and kind alone, and is the same at every SNR.

    Args:
        speech: a file, a folder, a glob pattern or a manifest of cuts (.jsonl.gz).
        noise: the same, or "street" or "factory" (synthesised).
        snr_db: in dB; inf writes the clean speech, into a folder "clean", with snr_db null in the manifest.
        out: a folder, or a file for one mix.
        level: of the speech: "p56" (ITU-T P.56, pauses left out) or "rms".
        seed: of the noise draws.
        stems: also write <name>.clean.wav and <name>.noise.wav beside each mix.
        progress: show a bar on stderr.

    Raises:
        AudioError: no speech or no noise at all, or OUT lies within a folder of inputs.
        InputError: no SNR, one that is NaN or -inf, or an unknown level.
    """
    if level not in ("p56", "rms"):
        raise InputError(f"no level method {level!r}: choose p56 or rms")
    if not snr_db or any(math.isnan(snr) or snr == -math.inf for snr in snr_db):
        raise InputError(f"snr_db is {list(snr_db)}: give one number or more, e.g. 5")
    plan = _Plan(_noise_draws(noise), list(dict.fromkeys(snr_db)), Path(out), level, seed, stems)
    one = len(plan.draws) == len(plan.snr_db) == 1 and is_one_file(speech)
    plan.to_file = one and bool(plan.out.suffix) and not plan.out.is_dir()
    if not plan.to_file:
        _refuse_within(plan.out, speech, noise)

    report = MixReport()
    cuts: list[Cut] = []
    try:
        for utterance in _with_bar(find_speech(speech), progress):
            try:
                cuts += _mix_utterance(plan, utterance, report)
            except InputError as error:
                report.fail(utterance.path, str(error))
    except AudioError as error:
        if not cuts and not report.failed:
            raise
        report.fail(Path(speech), str(error))  # a folder within that may not be read; the others were mixed
    if cuts:
        report.manifest = plan.manifest
        write_cuts(cuts, plan.manifest)
    return report


@dataclass
class _Plan:
    draws: dict[str, Draw]
    snr_db: list[float]
    out: Path
    level: str
    seed: int
    stems: bool
    to_file: bool = False
    taken: set[Path] = field(default_factory=set)

    @property
    def manifest(self) -> Path:
        return self.out.with_suffix(".mix.jsonl.gz") if self.to_file else self.out / "mix.jsonl.gz"

    def path(self, utterance: Utterance, kind: str, snr_db: float) -> Path:
        """Where a mix goes. A lossy file keeps its whole name: a.mp3 and a.wav may both be there."""
        if self.to_file:
            return self.out
        name = utterance.relative if sample_format(utterance.path) else Path(f"{utterance.relative}.wav")
        return self.out / kind.replace("/", "_") / folder_name(snr_db) / name

    def target(self, utterance: Utterance, kind: str, snr_db: float) -> Target:
        """Raises AudioError where another mix of this call, or a stem of one, is there: a.wav and a.flac with stems."""
        target = target_for(self.path(utterance, kind, snr_db), utterance.path, self.stems)
        double = self.taken.intersection(target.paths)
        if double:
            raise AudioError(f"{double.pop()} holds the mix of another input: rename one of the two")
        self.taken.update(target.paths)
        return target


def _mix_utterance(plan: _Plan, utterance: Utterance, report: MixReport) -> Iterator[Cut]:
    if not is_unicode(utterance.path):
        raise AudioError("its name is not UTF-8, which no manifest can hold: rename it")
    wave, sample_rate = utterance.read()
    spoken = active_level(wave, sample_rate)
    if spoken.activity == 0:
        raise AudioError("silent speech, which has no level: leave it out")
    level_db = spoken.active_db if plan.level == "p56" else spoken.rms_db
    for kind, drawn in _draw(plan, utterance, len(wave), sample_rate, report):
        inputs = [path for path in (utterance.path, drawn.path) if path]
        for snr_db in plan.snr_db:
            target = plan.target(utterance, kind, snr_db)
            mixed = mix_parts(wave, drawn.wave, snr_db, level_db, target)
            write_mix(target, mixed, sample_rate, inputs)
            report.written.append(target.path)
            custom = {
                "noise_kind": kind,
                "snr_db": None if snr_db == math.inf else snr_db,  # JSON has no infinity
                "level_method": plan.level,
                "clean": str((target.clean or utterance.path).absolute()),
                **_noise_facts(mixed, drawn, sample_rate, plan.level),
                **_level_facts(spoken, mixed.scale),
            }
            cut_id = f"{kind}/{folder_name(snr_db)}/{utterance.id}"
            yield mixed_cut(cut_id, target.path, len(wave), sample_rate, utterance.cut, custom)


def _noise_draws(noise: str | Path) -> dict[str, Draw]:
    if str(noise) in SYNTHETIC_NOISES:
        return {str(noise): partial(draw_synthetic, str(noise))}
    return {kind: RecordedNoise(items) for kind, items in find_noises(noise).items()}


def _draw(
    plan: _Plan, utterance: Utterance, num_samples: int, sample_rate: int, report: MixReport
) -> Iterator[tuple[str, DrawnNoise]]:
    """The noise of each kind for one utterance; what cannot be used goes to the report."""
    for kind, draw in plan.draws.items():
        rng = draw_generator("mix", plan.seed, utterance.id, kind)
        drawn, unusable = draw(num_samples, sample_rate, rng)
        for path, reason in unusable:
            report.fail(path, reason)
        if drawn is None:
            report.fail(utterance.path, f"not mixed, for no {kind} noise can be used: name other recordings")
        else:
            yield kind, drawn


def _noise_facts(mixed: Mixed, drawn: DrawnNoise, sample_rate: int, level: str) -> dict[str, Any]:
    facts = {
        "noise_class": drawn.noise_class,
        "noise_source": drawn.source,
        "offset_s": round(drawn.offset_s, 6),
        "snr_measured_db": None,
        "gain_db": None,
    }
    if mixed.noise.any():
        parts = torch.from_numpy(mixed.clean)[None], torch.from_numpy(mixed.noise)[None]
        facts["snr_measured_db"] = round(measure_snr(*parts, sample_rate, level=level).item(), 4)
        facts["gain_db"] = round(rms_db(mixed.noise) - rms_db(drawn.wave), 4)
    return facts


def _level_facts(spoken: ActiveLevel, scale: float) -> dict[str, float]:
    """Levels of the speech as it stands in the mix."""
    scale_db = 20 * math.log10(scale)
    return {
        "active_level_db": round(spoken.active_db + scale_db, 3),
        "rms_db": round(spoken.rms_db + scale_db, 3),
        "activity": round(spoken.activity, 4),
        "scale": scale,
    }


def _refuse_within(out: Path, speech: str | Path, noise: str | Path) -> None:
    """Else the mixes of this call would be inputs of the next."""
    for place in (speech, noise):
        if is_manifest(place) or is_one_file(place):
            continue
        root = search_root(place).resolve()
        if root in (out.resolve(), *out.resolve().parents):
            raise AudioError(f"{out}: lies within {root}, whose files are inputs: choose a folder outside of it")


def _with_bar(utterances: Iterator[Utterance], progress: bool) -> Iterator[Utterance]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(utterances, "mixing", console=console, transient=True, disable=not progress)
