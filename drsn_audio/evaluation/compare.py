"""Several trained models put to the same trials: means over seeds, and paired differences to a reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from drsn_audio.config import WITHOUT_EFFECT, ConfigError, DataConfig, EvaluateConfig, config_to_dict
from drsn_audio.datasets.manifests import AudioStore, file_sha256
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.evaluation.run import check_settings, describe_noise
from drsn_audio.evaluation.shared_trials import Candidate, KeywordTrials, Scores, SharedTrials, WordTrials
from drsn_audio.metrics.bootstrap import bootstrap_difference
from drsn_audio.models.model import count_multiply_adds, count_parameters

CLEAN, MEAN = "clean", "mean"  # columns beside the SNRs


def compare_models(
    candidates: Sequence[Candidate], reference: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """Accuracy, or of models that write their word error rate, and the difference to `reference` (default: the first).

    This is compare.json's content. Test manifests, noise and `evaluate` are those of the first candidate; the noise
    draws are the same for all. Candidates whose configs differ only by seed are one model: a trial counts as their
    average.

    Raises:
        ConfigError: other test data, a seed given twice, an unknown reference, or no noise.
        ManifestError, AudioError: a manifest or a file that cannot be used.
    """
    config = candidates[0].config
    evaluate = config.evaluate
    check_settings(evaluate)
    check_same_test(candidates)
    groups = group_by_seed(candidates)
    reference = reference or next(iter(groups))
    if reference not in groups:
        raise ConfigError(f"reference {reference!r} is none of the models: use one of {', '.join(groups)}")
    settings = candidates[0].model.config
    store = AudioStore(settings.frontend.sample_rate)
    pool = NoisePool(config.data.noise_test, store)
    test = (WordTrials if settings.head == "ctc" else KeywordTrials)(candidates[0], pool, store)
    scores = _ask_all(candidates, test, progress)
    averaged = {name: average([scores[one.run] for one in group]) for name, group in groups.items()}
    models = []
    for name, group in groups.items():
        entry = {**_describe_model(name, group), test.measure: intervals(test, averaged[name], evaluate)}
        if name != reference:
            entry["difference"] = intervals(test, averaged[name], evaluate, averaged[reference])
        models.append(entry | {"runs": [_describe_run(one, test, scores[one.run]) for one in group]})
    return {
        "schema": 1,
        "measure": test.measure,
        **provenance(),
        "seed": evaluate.seed,
        "level": config.data.level,
        "draws": evaluate.draws,
        "replicates": evaluate.replicates,
        "labels": list(settings.labels),
        "data": _describe_data(config.data, test),
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
    trials: SharedTrials, scores: Scores, evaluate: EvaluateConfig, minus: Scores | None = None
) -> dict[str, dict[str, float | None]]:
    """Mean over the noise kinds with its 95 % interval: of `scores`, or of their differences to `minus`.

    Keys are the columns "clean", "20 dB", ..., and "mean", over the SNRs.
    """
    if minus is None:
        minus = [np.zeros_like(values, dtype=np.float64) for values in scores]
    found = {}
    for column, places in _columns(trials).items():
        first = [trials.conditions[of_kind[0]] for of_kind in places]
        weights = [trials.weights[of_kind[0]] for of_kind in places]
        interval = bootstrap_difference(
            np.concatenate(_of_column(places, scores)),
            np.concatenate(_of_column(places, minus)),
            np.concatenate([one.speakers for one in first]),
            None if column == CLEAN else np.concatenate([one.noise_sources for one in first]),
            groups=np.concatenate([[one.noise_kind] * len(one.speakers) for one in first]),
            weights=np.concatenate(weights),
            seed=evaluate.seed,
            replicates=evaluate.replicates,
        )
        mean, *bounds = interval
        low, high = (None if np.isnan(bound) else bound for bound in bounds)
        found[column] = {"mean": mean, "low": low, "high": high}
    return found


def _columns(trials: SharedTrials) -> dict[str, list[list[int]]]:
    """Column -> for each noise kind the places of its conditions: one, or in the column "mean" those of all SNRs."""
    found: dict[str, list[list[int]]] = {CLEAN: []}
    kinds: dict[str, list[int]] = {}
    for place, one in enumerate(trials.conditions):
        found.setdefault(CLEAN if one.snr_db is None else f"{one.snr_db:g} dB", []).append([place])
        if one.snr_db is not None:
            kinds.setdefault(one.noise_kind, []).append(place)
    found[MEAN] = list(kinds.values())
    return found


def _of_column(places: Iterable[Sequence[int]], scores: Scores) -> list[np.ndarray]:
    """For each noise kind the scores of its trials [n]: speech and noise are the same at every SNR, so a trial's score
    in the column "mean" is its mean over the SNRs.
    """
    return [np.mean([scores[place] for place in of_kind], axis=0) for of_kind in places]


def _ask_all(candidates: Sequence[Candidate], trials: SharedTrials, progress: Progress | None) -> dict[str, Scores]:
    """Run -> scores."""
    scores: dict[str, Scores] = {}
    task = progress.add_task("models", total=len(candidates)) if progress else None
    for one in candidates:
        scores[one.run] = trials.ask(one, progress)
        if progress and task is not None:
            progress.remove_task(progress.task_ids[-1])  # the finished evaluation's
            progress.advance(task)
            progress.console.out(f"{one.run}: evaluated", highlight=False)
    return scores


def _test_of(one: Candidate) -> dict[str, Any]:
    """All that a trial depends on, but for `evaluate`, which is the first candidate's."""
    data, settings = config_to_dict(one.config.data), one.model.config
    return {
        **{f"data.{key}": data[key] for key in ("test", "noise_test", "level", "silence_share")},
        "model.head": settings.head,
        "model.units": settings.units,
        "model.labels": list(settings.labels),
        "model.clip_s": settings.clip_s,
        "model.frontend.sample_rate": settings.frontend.sample_rate,
    }


def _recipe(one: Candidate) -> dict[str, Any]:
    """The config without the seed, and without what leaves the trained weights alone."""
    config = config_to_dict(one.config)
    for key in ("seed", "evaluate", *WITHOUT_EFFECT[""]):
        del config[key]
    for key in ("false_accept_rate", *WITHOUT_EFFECT["train"]):
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


def _describe_run(one: Candidate, trials: SharedTrials, scores: Scores) -> dict[str, Any]:
    return {
        "run": one.run,
        "checkpoint": {key: one.checkpoint.get(key) for key in ("sha256", "step", "seed", "commit", "command")},
        trials.measure: {column: _mean(trials, places, scores) for column, places in _columns(trials).items()},
    }


def _mean(trials: SharedTrials, places: Sequence[Sequence[int]], scores: Scores) -> float:
    """Of a column: every kind of noise has the same weight."""
    weights = [trials.weights[of_kind[0]].sum() for of_kind in places]
    sums = [values.sum() for values in _of_column(places, scores)]
    return float(np.mean(np.divide(sums, weights)))


def _describe_data(data: DataConfig, trials: SharedTrials) -> dict[str, Any]:
    return {
        "manifest": ", ".join(data.test),
        "sha256": "+".join(file_sha256(path) for path in data.test),
        "utterances": trials.utterances,
        "speakers": trials.speakers,
        "noise": [describe_noise(source) for source in data.noise_test],
    }
