"""Evaluate denoisers beside each other and describe what was found and how: the content of run.json.

{"schema": 1, "kind": "denoising", "command", "commit", "date", "versions", "machine", "seed",
 "level": "p56" | "rms", "draws": noise draws an utterance,
 "model": {"name", "shrinkage", "pool", "parameters", "multiply_adds_per_s": of sound, "checkpoint": {...}},
 "systems": [{"name", "settings": {...}, "real_time_factor": seconds of one thread's CPU for a second of sound}]: the
             noisy wave itself ("noisy"), the model, the others,
 "data": {"manifest", "sha256", "utterances", "speakers", "duration_s": of them together,
          "limits": {"per_speaker": null for all, "duration_s": [least, most]}, "utterances_in_manifest",
          "noise": [{"manifest", "sha256", "folds", "kinds", "recordings"}]},
 "si_sdr_range_db": [low, high]: to which each SI-SDR is limited,
 "left_out": {measure: trials in which a system had no value, which count for none},
 "conditions": [{"system", "noise_kind": kind | "mean" (over the kinds), "snr_db": number | "mean" (over the SNRs),
                 "trials", "speakers", "noise_recordings",
                 measure: {"mean", "low", "high", "trials"}, null bounds where there is no interval; null where a
                 measure has no value}]: measures are si_sdr_db, si_sdr_gain_db (over the noisy wave), stoi, pesq,
                 dnsmos_overall, dnsmos_signal, dnsmos_background,
 "differences": [{"measure", "system", "noise_kind", "snr_db", "difference", "low", "high", "trials"}]: the model less
                each other system, over all kinds and SNRs, paired,
 "edges": [{"system", "clean": {"si_sdr_db": {...}}: of clean speech that is put in,
            "silence": {"peak"}: the largest sample that is made of digital silence; null if not a number,
            "noise": [{"noise_kind": kind | "mean", "attenuation_db": {...}}]: of noise alone, its start included,
                     with intervals over recordings}]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lhotse.cut import Cut
from rich.progress import Progress

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.datasets.manifests import AudioStore, ManifestError, check_level, file_sha256, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.denoising import NOISY, Denoise, Scores, score_denoisers
from drsn_audio.evaluation.denoising_edges import score_edges
from drsn_audio.evaluation.denoising_facts import SI_SDR_RANGE_DB, differences, left_out, summarise
from drsn_audio.evaluation.journal import Journal
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.evaluation.run import check_settings, describe_noise
from drsn_audio.evaluation.transcription import refuse_mixes
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.processes import ALONE, Processes

DURATION_S = (3.0, 12.0)  # of the utterances that are heard: long enough for STOI, short enough to hear many
EDGE_RECORDINGS = 40  # of each kind, heard as noise alone


def evaluate_denoisers(
    systems: Mapping[str, Denoise],
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    *,
    model: Mapping[str, Any],
    data: DataConfig,
    evaluate: EvaluateConfig,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    sample_rate: int = 16000,
    per_speaker: int | None = None,
    duration_s: tuple[float, float] = DURATION_S,
    measures: Sequence[str] = ("stoi", "pesq"),
    dnsmos_utterances: int = 0,
    progress: Progress | None = None,
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> dict[str, Any]:
    """`systems`, the model first, on every trial that the manifests and the noise make -> run.json's content.

    `model` is what run.json says of the model, see `describe_denoiser`; `settings` what it says of each system.
    Of each speaker `per_speaker` utterances of `duration_s` are heard, see `chosen`. Several `processes`, which all
    call this, share the trials. What is in the `journal` is not heard again.

    Raises:
        ManifestError, AudioError, ConfigError: a manifest, a file or a setting that cannot be used.
        ModuleNotFoundError: the library of a measure is not installed.
    """
    check_settings(evaluate)
    check_level(data.level)
    if not noise:
        raise ConfigError("no noise is given: denoisers are measured on mixtures, name noise manifests")
    every = read_cuts(manifests)
    refuse_mixes(every)
    cuts, store = chosen(every, per_speaker, duration_s), AudioStore(sample_rate)
    pool = NoisePool(noise, store)
    working: dict[str, Any] = {"progress": progress, "processes": processes, "journal": journal}
    scores = score_denoisers(
        systems,
        cuts,
        pool,
        store,
        snr_db=evaluate.snr_db,
        draws=evaluate.draws,
        seed=evaluate.seed,
        level=data.level,
        measures=measures,
        dnsmos_utterances=dnsmos_utterances,
        **working,
    )
    resampling: dict[str, Any] = {"seed": evaluate.seed, "replicates": evaluate.replicates}
    return {
        "schema": 1,
        "kind": "denoising",
        **provenance(),
        "seed": evaluate.seed,
        "level": data.level,
        "draws": evaluate.draws,
        "model": dict(model),
        "systems": _describe_systems(scores, settings or {}),
        "data": {
            "manifest": ", ".join(map(str, manifests)),
            "sha256": "+".join(file_sha256(path) for path in manifests),
            "utterances": len(cuts),
            "speakers": len({_speaker(cut) for cut in cuts}),
            "duration_s": round(sum(cut.duration for cut in cuts), 3),
            "limits": {"per_speaker": per_speaker, "duration_s": [_finite(bound) for bound in duration_s]},
            "utterances_in_manifest": len(every),
            "noise": [describe_noise(source) for source in noise],
        },
        "si_sdr_range_db": list(SI_SDR_RANGE_DB),
        "left_out": left_out(scores),
        "conditions": summarise(scores, **resampling),
        "differences": differences(scores, next(iter(systems)), **resampling),
        "edges": score_edges(systems, cuts, pool, store, recordings=EDGE_RECORDINGS, **working, **resampling),
    }


def describe_denoiser(model: AudioModel, name: str, checkpoint: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What run.json says of a model; `checkpoint` is what its checkpoint says of it."""
    return {
        "name": name,
        "shrinkage": model.config.shrinkage,
        "pool": model.config.pool,
        "parameters": count_parameters(model),
        "multiply_adds_per_s": round(count_multiply_adds(model) / model.config.clip_s),
        "checkpoint": {key: (checkpoint or {}).get(key) for key in ("sha256", "step", "seed", "commit", "command")},
    }


def chosen(cuts: Sequence[Cut], per_speaker: int | None, duration_s: tuple[float, float] = DURATION_S) -> list[Cut]:
    """Of each speaker the utterances of `duration_s`, by id; of more than `per_speaker` as many, evenly spaced.

    Raises:
        ConfigError: `per_speaker` is less than 1.
        ManifestError: no utterance is of that length.
    """
    if per_speaker is not None and per_speaker < 1:
        raise ConfigError(f"{per_speaker} utterances a speaker: give 1 or more")
    by_speaker: dict[str, list[Cut]] = {}
    for cut in sorted(cuts, key=lambda cut: cut.id):
        if duration_s[0] <= cut.duration <= duration_s[1]:
            by_speaker.setdefault(_speaker(cut), []).append(cut)
    if not by_speaker:
        least, most = duration_s
        raise ManifestError(f"none of {len(cuts)} utterances lasts {least:g} to {most:g} s: name other speech")
    kept = []
    for _, of in sorted(by_speaker.items()):
        count = min(per_speaker or len(of), len(of))
        kept += [of[index] for index in np.linspace(0, len(of) - 1, count).round().astype(int)]
    return kept


def _describe_systems(scores: Scores, settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "settings": dict(settings.get(name, {})),
            "real_time_factor": None if name == NOISY else taken_s / scores.sound_s,
        }
        for name, taken_s in scores.cpu_s.items()
    ]


def _speaker(cut: Cut) -> str:
    return cut.supervisions[0].speaker or cut.id


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
