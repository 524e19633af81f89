"""Several trained models put to the same trials: accuracy over seeds, and paired differences to a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from drsn_audio.config import ConfigError, DataConfig, EvaluateConfig, ExperimentConfig, config_to_dict
from drsn_audio.datasets.keyword import Clip, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, file_sha256, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.keyword import Trials, run_trials
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.evaluation.run import check_settings, count_speakers, describe_noise
from drsn_audio.metrics.bootstrap import bootstrap_difference
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters

CLEAN, MEAN = "clean", "mean"  # columns beside the SNRs

Scores = Sequence[np.ndarray]  # how right each trial was, 0 to 1: one array [n] for each condition


@dataclass(frozen=True)
class Candidate:
    """A trained run: its folder, its config, its model and what the checkpoint says of it."""

    run: str
    config: ExperimentConfig
    model: AudioModel
    checkpoint: Mapping[str, Any]


def compare_keywords(
    candidates: Sequence[Candidate], reference: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """Accuracy of each model and its difference to the `reference` (default: the first) -> compare.json's content.

    Test manifests, noise and `evaluate` are those of the first candidate; the noise draws are the same for all.
    Candidates whose configs differ only by seed are one model: a trial counts as their average.

    Raises:
        ConfigError: other test data, a seed given twice, an unknown reference, or no noise.
        ManifestError, AudioError: a manifest or a file that cannot be used.
    """
    data, evaluate = candidates[0].config.data, candidates[0].config.evaluate
    check_settings(evaluate)
    check_same_test(candidates)
    groups = group_by_seed(candidates)
    reference = reference or next(iter(groups))
    if reference not in groups:
        raise ConfigError(f"reference {reference!r} is none of the models: use one of {', '.join(groups)}")
    settings = candidates[0].model.config
    store = AudioStore(settings.frontend.sample_rate)
    clips, pool = keyword_clips(read_cuts(data.test), settings.labels, data), NoisePool(data.noise_test, store)
    trials, scores = _ask_all(candidates, clips, pool, store, evaluate, progress)
    averaged = {name: average([scores[one.run] for one in group]) for name, group in groups.items()}
    models = []
    for name, group in groups.items():
        entry = {**_describe_model(name, group), "accuracy": intervals(trials, averaged[name], evaluate)}
        if name != reference:
            entry["difference"] = intervals(trials, averaged[name], evaluate, averaged[reference])
        models.append(entry | {"runs": [_describe_run(one, trials, scores[one.run]) for one in group]})
    return {
        "schema": 1,
        **provenance(),
        "seed": evaluate.seed,
        "level": data.level,
        "draws": evaluate.draws,
        "replicates": evaluate.replicates,
        "labels": list(settings.labels),
        "data": _describe_data(data, clips),
        "noise_kinds": pool.kinds,
        "reference": reference,
        "models": models,
    }


def check_same_test(candidates: Sequence[Candidate]) -> None:
    """Raises ConfigError where the trials of two candidates would differ, or where there is no noise to mix in."""
    first = _test_of(candidates[0])
    if not first["data.noise_test"]:
        raise ConfigError(f"{candidates[0].run}: data.noise_test is empty: name the noise to compare in")
    for one in candidates[1:]:
        other = [key for key, value in _test_of(one).items() if value != first[key]]
        if other:
            raise ConfigError(
                f"{one.run}: {', '.join(other)} not as in {candidates[0].run}: compare runs with one and the same test"
            )


def group_by_seed(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Candidates whose configs differ only by seed, by name: shrinkage or encoder; where two share it, by folder.

    Raises:
        ConfigError: the same config and seed given twice.
    """
    groups: list[list[Candidate]] = []
    for one in candidates:
        group = next((group for group in groups if _recipe(group[0]) == _recipe(one)), None)
        if group is None:
            groups.append([one])
            continue
        for other in group:
            if other.config.seed == one.config.seed:
                raise ConfigError(f"{one.run}: has the config and the seed of {other.run}: give one of them")
        group.append(one)
    for name_of in (_encoder, _folder):
        names = [name_of(group[0]) for group in groups]
        if len(set(names)) == len(names):
            return dict(zip(names, groups, strict=True))
    return {group[0].run: group for group in groups}


def average(scores: Sequence[Scores]) -> list[np.ndarray]:
    """Scores of several seeds -> their average, trial by trial."""
    return [np.mean(of_seeds, axis=0) for of_seeds in zip(*scores, strict=True)]


def intervals(
    trials: Sequence[Trials], scores: Scores, evaluate: EvaluateConfig, minus: Scores | None = None
) -> dict[str, dict[str, float | None]]:
    """Mean over the noise kinds with its 95 % interval: of `scores`, or of their differences to `minus`.

    Keys are the columns "clean", "20 dB", ..., and "mean", over the SNRs.
    """
    if minus is None:
        minus = [np.zeros_like(values, dtype=np.float64) for values in scores]
    found = {}
    subtracted = _columns(trials, minus)
    for column, parts in _columns(trials, scores).items():
        interval = bootstrap_difference(
            np.concatenate([values for _, values in parts]),
            np.concatenate([values for _, values in subtracted[column]]),
            np.concatenate([one.speakers for one, _ in parts]),
            None if column == CLEAN else np.concatenate([one.noise_sources for one, _ in parts]),
            groups=np.concatenate([np.full(len(values), one.noise_kind) for one, values in parts]),
            seed=evaluate.seed,
            replicates=evaluate.replicates,
        )
        mean, *bounds = interval
        low, high = (None if np.isnan(bound) else bound for bound in bounds)
        found[column] = {"mean": mean, "low": low, "high": high}
    return found


def _columns(trials: Sequence[Trials], scores: Scores) -> dict[str, list[tuple[Trials, np.ndarray]]]:
    """Column -> for each noise kind its trials and their scores [n].

    Clip and noise are the same at every SNR, so for the column "mean" a trial's score is its mean over the SNRs.
    """
    found: dict[str, list[tuple[Trials, np.ndarray]]] = {CLEAN: []}
    kinds: dict[str, list[tuple[Trials, np.ndarray]]] = {}
    for one, values in zip(trials, scores, strict=True):
        found.setdefault(CLEAN if one.snr_db is None else f"{one.snr_db:g} dB", []).append((one, values))
        if one.snr_db is not None:
            kinds.setdefault(one.noise_kind, []).append((one, values))
    found[MEAN] = [(parts[0][0], np.mean([values for _, values in parts], axis=0)) for parts in kinds.values()]
    return found


def _ask_all(
    candidates: Sequence[Candidate],
    clips: Sequence[Clip],
    pool: NoisePool,
    store: AudioStore,
    evaluate: EvaluateConfig,
    progress: Progress | None,
) -> tuple[list[Trials], dict[str, Scores]]:
    """The trials, as the last candidate answered them, and run -> scores in their order."""
    trials: list[Trials] = []
    scores: dict[str, Scores] = {}
    task = progress.add_task("models", total=len(candidates)) if progress else None
    for one in candidates:
        trials = run_trials(
            one.model,
            clips,
            pool,
            store,
            snr_db=evaluate.snr_db,
            draws=evaluate.draws,
            seed=evaluate.seed,
            batch_size=evaluate.batch_size,
            progress=progress,
        )
        scores[one.run] = [condition.correct for condition in trials]
        if progress and task is not None:
            progress.remove_task(progress.task_ids[-1])  # the finished evaluation's
            progress.advance(task)
            progress.console.out(f"{one.run}: evaluated", highlight=False)
    return trials, scores


def _test_of(one: Candidate) -> dict[str, Any]:
    """All that a trial depends on, but for `evaluate`, which is the first candidate's."""
    data, settings = config_to_dict(one.config.data), one.model.config
    return {
        **{f"data.{key}": data[key] for key in ("test", "noise_test", "level", "silence_share")},
        "model.labels": list(settings.labels),
        "model.clip_s": settings.clip_s,
        "model.frontend.sample_rate": settings.frontend.sample_rate,
    }


def _recipe(one: Candidate) -> dict[str, Any]:
    """The config without the seed, and without what leaves the trained weights alone."""
    config = config_to_dict(one.config)
    for key in ("run", "seed", "evaluate"):
        del config[key]
    for key in ("workers", "threads", "false_accept_rate"):
        del config["train"][key]
    return config


def _encoder(one: Candidate) -> str:
    return one.model.config.shrinkage or one.model.config.encoder


def _folder(one: Candidate) -> str:
    """ "runs/wide-0" of seed 0 -> "wide"."""
    return Path(one.run).name.removesuffix(f"-{one.config.seed}")


def _describe_model(name: str, group: Sequence[Candidate]) -> dict[str, Any]:
    model = group[0].model
    return {
        "name": name,
        "encoder": model.config.encoder,
        "shrinkage": model.config.shrinkage,
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model),
        "seeds": [one.config.seed for one in group],
    }


def _describe_run(one: Candidate, trials: Sequence[Trials], scores: Scores) -> dict[str, Any]:
    return {
        "run": one.run,
        "checkpoint": {key: one.checkpoint.get(key) for key in ("sha256", "step", "seed", "commit", "command")},
        "accuracy": {
            column: float(np.mean([values.mean() for _, values in parts]))
            for column, parts in _columns(trials, scores).items()
        },
    }


def _describe_data(data: DataConfig, clips: Sequence[Clip]) -> dict[str, Any]:
    return {
        "manifest": ", ".join(data.test),
        "sha256": "+".join(file_sha256(path) for path in data.test),
        "utterances": sum(clip.cut is not None for clip in clips),
        "speakers": count_speakers([clip.speaker for clip in clips]),
        "noise": [describe_noise(source) for source in data.noise_test],
    }
