"""Evaluate a keyword model and describe what was found and how: the content of run.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.progress import Progress

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, NoiseSource
from drsn_audio.datasets.cut_list import cut_facts
from drsn_audio.datasets.keyword import Clip, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, ManifestError, file_sha256, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.details import by_noise_class, keywords_alone, other_words, rejection, with_threshold
from drsn_audio.evaluation.journal import Journal
from drsn_audio.evaluation.keyword import Trials, run_mixed_trials, run_trials, said
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.metrics.bootstrap import bootstrap_mean
from drsn_audio.metrics.keyword import confusion_matrix
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.processes import ALONE, Processes
from drsn_audio.text import count_outside, normalise_text


def evaluate_keywords(
    model: AudioModel,
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    *,
    name: str,
    data: DataConfig,
    evaluate: EvaluateConfig,
    checkpoint: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    processes: Processes = ALONE,
    journal: Journal | None = None,
) -> dict[str, Any]:
    """Accuracy of a keyword model on speech manifests, clean and mixed with noise -> run.json's content.

    Without `noise` the cuts are taken as they are: those that carry `noise_kind` and `snr_db` (as `drsn-audio mix`
    writes them) are grouped by them, others count as clean. `name` is what tables call the model; `checkpoint` is
    what its checkpoint says of it: which weights these are, and how they were trained. Several `processes`, which all
    call this, share the trials. What is in the `journal` is not asked again.

    Raises:
        ManifestError, AudioError, ConfigError: a manifest, a file or a word that cannot be used.
    """
    check_settings(evaluate)
    labels = model.config.labels
    cuts, seed = read_cuts(manifests), evaluate.seed
    if noise:
        mixed = next((facts.id for facts in cut_facts(cuts) if facts.custom.get("snr_db") is not None), None)
        if mixed:
            raise ConfigError(f"{mixed}: is mixed with noise already: evaluate such cuts without further noise")
        clips = keyword_clips(cuts, labels, data)
        store = AudioStore(model.config.frontend.sample_rate)
        pool = NoisePool(noise, store)
        trials = run_trials(
            model,
            clips,
            pool,
            store,
            snr_db=evaluate.snr_db,
            draws=evaluate.draws,
            seed=seed,
            batch_size=evaluate.batch_size,
            progress=progress,
            processes=processes,
            journal=journal,
        )
        draws, level = evaluate.draws, data.level
    else:
        clips = keyword_clips(cuts, labels, data, to_mix=False)
        working = {"progress": progress, "processes": processes, "journal": journal}
        trials = run_mixed_trials(model, clips, batch_size=evaluate.batch_size, **working)  # type: ignore[arg-type]
        draws, level = 1, level_of(cuts)
    described = {
        "name": name,
        "shrinkage": model.config.shrinkage,
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model),
        "labels": list(labels),
        "checkpoint": {key: (checkpoint or {}).get(key) for key in ("sha256", "step", "seed", "commit", "command")},
    }
    facts = describe_run(described, manifests, noise, clips, trials, evaluate, level=level, draws=draws)
    calibration = (checkpoint or {}).get("calibration")
    facts["rejection"] = rejection(trials, labels, calibration)
    if answered := with_threshold(trials, labels, calibration):
        facts["reject_below"] = calibration["reject_below"]  # type: ignore[index]
        facts["with_threshold"] = summarise(answered, len(labels), seed=seed, replicates=evaluate.replicates)
    return facts


def describe_run(
    model: Mapping[str, Any],
    manifests: Sequence[str],
    noise: Sequence[NoiseSource],
    clips: Sequence[Clip],
    trials: Sequence[Trials],
    evaluate: EvaluateConfig,
    *,
    level: str,
    draws: int,
) -> dict[str, Any]:
    """What a recogniser answered -> run.json's content. `model` is what it says of it: name, shrinkage, labels, ..."""
    seed, replicates, labels = evaluate.seed, evaluate.replicates, model["labels"]
    alone = keywords_alone(trials, labels)
    return {
        "schema": 1,
        **provenance(),
        "seed": seed,
        "level": level,
        "draws": draws,
        "model": dict(model),
        "data": {
            "manifest": ", ".join(map(str, manifests)),
            "sha256": "+".join(file_sha256(path) for path in manifests),
            "utterances": sum(clip.cut is not None for clip in clips),
            "outside_vocabulary": count_outside(_outside(clip, labels) for clip in clips),
            "speakers": count_speakers([clip.speaker for clip in clips]),
            "noise": [describe_noise(source) for source in noise],
        },
        "conditions": summarise(trials, len(labels), seed=seed, replicates=replicates),
        "keywords_alone": summarise(alone, len(labels), seed=seed, replicates=replicates),
        "noise_classes": by_noise_class(trials),
        "other_words": other_words(trials, labels),
    }


def _outside(clip: Clip, labels: Sequence[str]) -> list[str]:
    """Return the word of a clip where it is none of the labels, "unknown" itself being one."""
    word = said(clip)
    unknown = clip.cut is not None and labels[clip.target] == UNKNOWN and word != normalise_text(UNKNOWN)
    return [word] if unknown else []


def check_settings(evaluate: EvaluateConfig) -> None:
    if not evaluate.snr_db or not np.isfinite(evaluate.snr_db).all():
        raise ConfigError(
            f"evaluate.snr_db={list(evaluate.snr_db)}: give finite numbers; clean speech is always included"
        )
    for key in ("draws", "batch_size", "replicates"):
        if getattr(evaluate, key) < 1:
            raise ConfigError(f"evaluate.{key}={getattr(evaluate, key)}: give 1 or more")


def summarise(trials: Sequence[Trials], num_classes: int, *, seed: int, replicates: int) -> list[dict[str, Any]]:
    """Trials -> run.json's conditions: each with its 95 % interval, then the mean over noise kinds at each SNR."""
    found = []
    for one in trials:
        noises = None if one.snr_db is None else one.noise_sources
        interval = bootstrap_mean(one.correct, one.speakers, noises, seed=seed, replicates=replicates)
        found.append(
            {
                "noise_kind": one.noise_kind,
                "snr_db": one.snr_db,
                **_bounds(*interval),
                "trials": len(one.targets),
                "speakers": count_speakers(one.speakers),
                "noise_recordings": 0 if noises is None else len(set(noises)),
                "confusion": confusion_matrix(one.targets, one.predictions, num_classes).tolist(),
            }
        )
    kinds = {one.noise_kind for one in trials if one.snr_db is not None}
    for snr_db in dict.fromkeys(one.snr_db for one in trials if one.snr_db is not None):
        group = [one for one in trials if one.snr_db == snr_db]
        if len(kinds) > 1 and len(group) == len(kinds):
            found.append(_mean(group, snr_db, seed, replicates))
    return found


def _mean(group: Sequence[Trials], snr_db: float | None, seed: int, replicates: int) -> dict[str, Any]:
    correct, speakers, noises = (
        np.concatenate([getattr(one, name) for one in group]) for name in ("correct", "speakers", "noise_sources")
    )
    kinds = np.repeat([one.noise_kind for one in group], [len(one.targets) for one in group])
    interval = bootstrap_mean(correct, speakers, noises, groups=kinds, seed=seed, replicates=replicates)
    return {
        "noise_kind": "mean",
        "snr_db": snr_db,
        **_bounds(*interval),
        "trials": len(correct),
        "speakers": count_speakers(speakers),
        "noise_recordings": len(set(noises)),
    }


def count_speakers(speakers: Iterable[str]) -> int:
    """Of clips in which somebody speaks; for the bootstrap every silence is a speaker of its own."""
    return len({speaker for speaker in speakers if not speaker.startswith(f"{SILENCE}-")})


def _bounds(mean: float, low: float, high: float) -> dict[str, float | None]:
    none_of_nan = (None if np.isnan(bound) else bound for bound in (low, high))
    return dict(zip(("accuracy", "low", "high"), (mean, *none_of_nan), strict=True))


def describe_noise(source: NoiseSource) -> dict[str, Any]:
    pool = NoisePool([source], AudioStore(16000))
    return {
        "manifest": source.manifest,
        "sha256": file_sha256(source.manifest),
        "folds": list(source.folds),
        "kinds": pool.kinds,
        "recordings": len(set().union(*(pool.sources(kind) for kind in pool.kinds))),
    }


def level_of(cuts: Sequence[Any]) -> str:
    """The one level method of cuts that are mixed already."""
    methods = {facts.custom.get("level_method", "p56") for facts in cut_facts(cuts)}
    if len(methods) > 1:
        raise ManifestError(
            f"cuts were mixed by different level methods ({', '.join(sorted(methods))}): no table mixes them"
        )
    return methods.pop()
