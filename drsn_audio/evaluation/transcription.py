"""Evaluate a recogniser that writes and describe what was found and how: the content of run.json.

{"schema": 1, "kind": "transcription", "command", "commit", "date", "versions", "machine", "seed",
 "level": "p56" | "rms", "draws": noise draws an utterance,
 "model": {"name", "shrinkage", "pool", "parameters", "multiply_adds_per_s": of sound, "units", "labels": [K],
           "decoder": {"kind": "greedy" | ..., its settings}, "checkpoint": {...}},
 "data": {"manifest", "sha256", "utterances", "speakers", "words", "left_out": [{"fault", "utterances", "first"}],
          "outside_vocabulary": see `text.count_outside`; null where that is not known,
          "noise": [{"manifest", "sha256", "folds", "kinds", "recordings"}]},
 "conditions": [{"noise_kind": "clean" | kind | "mean" (over the kinds), "snr_db": null where clean,
                 "wer", "low", "high", "cer", "cer_low", "cer_high": shares of 1 that can exceed 1, null bounds where
                 there is no interval; "words", "substitutions", "deletions", "insertions", "characters",
                 "trials", "exact": trials without an error, "speakers", "noise_recordings",
                 "confused": {"substituted": [{"said", "written", "times", "of"}],
                              "deleted": [{"said", "times", "of"}], "inserted": [{"written", "times"}]}}],
 "noise_classes": [{"noise_kind", "noise_class", "snr_db", "wer", "words", "trials", "noise_recordings"}],
 "differences": [{"noise_kind", "snr_db", "difference", "low", "high"}]: its word error rates less those of another
                recogniser, paired; not there without one}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.corpora.cuts import Skipped
from drsn_audio.datasets.cut_list import chosen, cut_facts
from drsn_audio.datasets.manifests import AudioStore, ManifestError, check_level, file_sha256, read_cuts
from drsn_audio.datasets.noise_names import mixed_noise
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.datasets.utterances import unusable
from drsn_audio.decoding.units import Units
from drsn_audio.evaluation.journal import Journal
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.evaluation.run import check_settings, describe_noise, level_of
from drsn_audio.evaluation.transcription_facts import by_noise_class, summarise, word_differences
from drsn_audio.evaluation.transcripts import Transcripts, run_transcripts
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.processes import ALONE, Processes
from drsn_audio.text import count_outside, normalise_text

Decode = Callable[[np.ndarray], str]  # log-probabilities [T', K] of an utterance -> text
# Of test speech nothing may be left out that training leaves out for its length, only what takes too much memory.
LONGEST_S = 120.0


def evaluate_transcription(
    model: AudioModel,
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    *,
    name: str,
    units: Units,
    as_written: Callable[[str], str],
    data: DataConfig,
    evaluate: EvaluateConfig,
    decode: Decode | None = None,
    decoder: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    beside: Sequence[Transcripts] | None = None,
    progress: Progress | None = None,
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> dict[str, Any]:
    """Error rates of a CTC model on speech manifests, clean and mixed with noise -> run.json's content.

    Without `noise` the cuts are taken as they are: those that carry `noise_kind` and `snr_db` (as `drsn-audio mix`
    writes them) are grouped by them, others count as clean. `as_written`: a transcript -> the text that the model would
    write at best, which its own is compared with. `decode` makes text of log-probabilities, and `decoder` is what
    run.json says of it; None: greedy. `name` is what tables call the model; `checkpoint` is what its checkpoint says
    of it: which weights these are, and how they were trained. `beside`: what another recogniser wrote of the same
    trials, for the differences to it. Several `processes`, which all call this, share the trials. What is in the
    `journal` is not heard again.

    Raises:
        ManifestError, AudioError, ConfigError: a manifest, a file or a setting that cannot be used.
    """
    check_settings(evaluate)
    cuts, left_out = usable(read_cuts(manifests), data.max_duration_s)
    store = AudioStore(model.config.frontend.sample_rate)
    level = data.level if noise else level_of(cuts)
    check_level(level)

    def write(of: Sequence[Cut], pool: NoisePool | None) -> list[Transcripts]:
        return run_transcripts(
            model,
            of,
            pool,
            store,
            units=units,
            snr_db=evaluate.snr_db,
            draws=evaluate.draws,
            seed=evaluate.seed,
            level=level,
            decode=decode,
            progress=progress,
            processes=processes,
            journal=journal,
        )

    if noise:
        refuse_mixes(cuts)
        written = write(cuts, NoisePool(noise, store))
    else:
        written = [_as_mixed(write(group, None)[0], group, *key) for key, group in _by_condition(cuts).items()]
    written = [dataclasses.replace(one, references=[as_written(text) for text in one.references]) for one in written]
    described = {
        "name": name,
        "shrinkage": model.config.shrinkage,
        "pool": model.config.pool,
        "parameters": count_parameters(model),
        "multiply_adds_per_s": round(count_multiply_adds(model) / model.config.clip_s),
        "units": units.kind,
        "labels": list(units.labels),
        "decoder": {"kind": "greedy"} if decoder is None else dict(decoder),
        "checkpoint": {key: (checkpoint or {}).get(key) for key in ("sha256", "step", "seed", "commit", "command")},
    }
    draws = evaluate.draws if noise else 1
    facts = describe_transcription(
        described, manifests, noise, cuts, written, evaluate, level=level, draws=draws, left_out=left_out
    )
    facts["data"]["outside_vocabulary"] = count_outside(units.outside(one.text) for one in cut_facts(cuts))
    if beside is not None:
        resampling = {"seed": evaluate.seed, "replicates": evaluate.replicates}
        facts["differences"] = word_differences(written, beside, **resampling)
    return facts


def describe_transcription(
    model: Mapping[str, Any],
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    cuts: Sequence[Cut],
    transcripts: Sequence[Transcripts],
    evaluate: EvaluateConfig,
    *,
    level: str,
    draws: int,
    left_out: Sequence[Skipped] = (),
) -> dict[str, Any]:
    """What a recogniser wrote -> run.json's content. `model` is what it says of it: name, decoder, ..."""
    return {
        "schema": 1,
        "kind": "transcription",
        **provenance(),
        "seed": evaluate.seed,
        "level": level,
        "draws": draws,
        "model": dict(model),
        "data": {
            "manifest": ", ".join(map(str, manifests)),
            "sha256": "+".join(file_sha256(path) for path in manifests),
            "utterances": len(cuts),
            "speakers": len({cut.supervisions[0].speaker or cut.id for cut in cuts}),
            "words": sum(len(normalise_text(one.text).split()) for one in cut_facts(cuts)),
            "left_out": _count_faults(left_out),
            "outside_vocabulary": None,
            "noise": [describe_noise(source) for source in noise],
        },
        "conditions": summarise(transcripts, seed=evaluate.seed, replicates=evaluate.replicates),
        "noise_classes": by_noise_class(transcripts),
    }


def usable(cuts: Sequence[Cut], max_duration_s: float) -> tuple[Sequence[Cut], list[Skipped]]:
    """Cuts that can be scored, and what is left out: without transcript or audio, too short, or too long.

    Too long is what lasts for more than two minutes, or max_duration_s where that is more. What a model has no units
    for is scored: it counts as errors.

    Raises:
        ManifestError: nothing is left.
    """
    faults = [unusable(facts, max(max_duration_s, LONGEST_S)) for facts in cut_facts(cuts)]
    kept = [row for row, fault in enumerate(faults) if fault is None]
    left_out = [fault for fault in faults if fault is not None]
    if not kept:
        raise ManifestError(
            f"none of {len(cuts)} utterances can be scored, first {left_out[0].path}: {left_out[0].reason}"
        )
    return chosen(cuts, kept), left_out


def refuse_mixes(cuts: Sequence[Cut]) -> None:
    """Raises ConfigError where a cut is mixed with noise already."""
    mixed = next((facts.id for facts in cut_facts(cuts) if facts.custom.get("snr_db") is not None), None)
    if mixed:
        raise ConfigError(f"{mixed}: is mixed with noise already: evaluate such cuts without further noise")


def _by_condition(cuts: Sequence[Cut]) -> dict[tuple[str, float | None], list[Cut]]:
    groups: dict[tuple[str, float | None], list[Cut]] = {}
    for cut in cuts:
        mixed = cut.custom or {}
        snr_db = mixed.get("snr_db")
        if snr_db is not None and "noise_kind" not in mixed:
            raise ManifestError(f"{cut.id}: carries snr_db but no noise_kind: make such mixes with drsn-audio mix")
        groups.setdefault(("clean" if snr_db is None else mixed["noise_kind"], snr_db), []).append(cut)
    return groups


def _as_mixed(written: Transcripts, cuts: Sequence[Cut], noise_kind: str, snr_db: float | None) -> Transcripts:
    sources = {cut.id: mixed_noise(cut.custom or {}) for cut in cuts}
    return dataclasses.replace(
        written, noise_kind=noise_kind, snr_db=snr_db, noise_sources=[sources[name] for name in written.ids]
    )


def _count_faults(left_out: Sequence[Skipped]) -> list[dict[str, Any]]:
    kinds: dict[str, list[Skipped]] = {}
    for fault in left_out:
        kinds.setdefault(fault.kind, []).append(fault)
    return [{"fault": kind, "utterances": len(faults), "first": faults[0].path.name} for kind, faults in kinds.items()]
