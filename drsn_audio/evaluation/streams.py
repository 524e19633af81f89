"""Evaluate a recogniser on long test streams and describe what was found and how: the content of run.json.

{"schema": 1, "kind": "streams", "command", "commit", "date", "versions", "machine", "seed", "tolerance_s", "burst_s",
 "model": {"name", "labels", ...}, "detector": its config, or null,
 "data": {"manifest", "sha256", "streams", "hours", "speakers",
          "outside_vocabulary": of the words that are said, see `text.count_outside`},
 "conditions": [{"noise_kind": "clean" | kind | "mean" (over the kinds), "snr_db": null where clean,
                 "keywords", "misses", "accuracy", "low", "high": shares of 1, null where there is no interval,
                 "speakers", "noise_recordings"; and, but for the mean:
                 "hours", "false_alarms", "false_alarms_per_hour", "latency_median_s", "latency_p95_s"}],
 "keyword_free": [{"content": ... | "all", "noise_kind": null for all of them, "hours", "false_alarms", "per_hour",
                   "low", "high": exact Poisson, "claimed": the rate that may be claimed, null where under 3 / hours}],
 "words": [{"word", "spoken", "misses": under all conditions together, "false_alarms": where no keyword is said}],
 "points": [{"wanted_per_hour", "reason": null, or why there is none, "shift", "per_hour",
             "conditions": [{"noise_kind", "snr_db", "miss_rate", "low", "high"}]}],
 "det": {"shifts": [S], "false_alarms": [S], "hours",
         "conditions": [{"noise_kind", "snr_db", "keywords", "misses": [S]}]}, or null}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.progress import Progress

from drsn_audio.config import ConfigError
from drsn_audio.datasets.manifests import file_sha256
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.evaluation.shares import joined, share
from drsn_audio.evaluation.stream_events import Answers, hear, probabilities, read_streams, sweep
from drsn_audio.evaluation.stream_facts import (
    WORDS,
    describe_condition,
    describe_curve,
    describe_keyword_free,
    describe_means,
    describe_point,
    describe_words,
    group_conditions,
)
from drsn_audio.metrics import streaming as metrics
from drsn_audio.metrics.streaming import Matches, outside_keywords
from drsn_audio.models.model import AudioModel, count_parameters
from drsn_audio.processes import ALONE, Processes
from drsn_audio.streaming.detector import DetectorConfig

WANTED_PER_HOUR = (1.0, 10.0)


def evaluate_streams(
    model: AudioModel,
    detector: DetectorConfig,
    manifests: Sequence[str],
    *,
    name: str,
    temperature: float = 1.0,
    checkpoint: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """A causal model, its posteriors divided by a temperature, over manifests of streams -> run.json's content.

    `name` is what tables call the model; `checkpoint` is what its checkpoint says of it. Several `processes`, which all
    call this, share the streams.

    Raises:
        ManifestError, AudioError: a manifest or a file that cannot be used.
        InputError: a model of whole clips.
    """
    streams, labels = read_streams(manifests), list(model.config.labels)
    rate = model.config.frontend.sample_rate
    answer = probabilities(model, temperature)
    own = share(streams, processes.rank, processes.count)
    heard = joined(processes.gather(hear(answer, own, rate, progress)))
    frame_s = model.block / rate
    described = {
        "name": name,
        "shrinkage": model.config.shrinkage,
        "parameters": count_parameters(model),
        "labels": labels,
        "frame_s": frame_s,
        "checkpoint": {key: (checkpoint or {}).get(key) for key in ("sha256", "step", "seed", "commit", "command")},
    }
    answers = sweep(streams, heard, labels, frame_s, detector)
    return describe_streams(answers, described, manifests, detector=detector.to_dict(), seed=seed)


def describe_streams(
    answers: Answers,
    model: Mapping[str, Any],
    manifests: Sequence[str],
    *,
    detector: Mapping[str, Any] | None = None,
    seed: int = 0,
    replicates: int = 2000,
) -> dict[str, Any]:
    """What a recogniser answered to streams -> run.json's content.

    `model` is what it says of itself: name, labels, ... One that has no thresholds to shift answers at shift 0 alone.
    """
    streams, at = answers.streams, judge(answers)
    conditions = group_conditions(streams)
    free = [number for number, stream in enumerate(streams) if stream.content != WORDS]
    sampling = {"seed": seed, "replicates": replicates}
    noisy = [condition for condition in conditions if condition.snr_db is not None]
    found = [describe_condition(condition, streams, at[0.0], sampling) for condition in conditions]
    curve = describe_curve(conditions, free, streams, at) if free and len(at) > 1 else None
    return {
        "schema": 1,
        "kind": "streams",
        **provenance(),
        "seed": seed,
        "tolerance_s": metrics.TOLERANCE_S,
        "burst_s": metrics.BURST_S,
        "model": dict(model),
        "detector": detector,
        "data": {
            "manifest": ", ".join(map(str, manifests)),
            "sha256": "+".join(file_sha256(path) for path in manifests),
            "streams": len(streams),
            "hours": sum(stream.hours for stream in streams),
            "speakers": len({said.speaker for stream in streams for said in stream.spoken}),
            "outside_vocabulary": outside_keywords(answers.keywords, (said for one in streams for said in one.spoken)),
        },
        "conditions": found + describe_means(noisy, at[0.0], sampling),
        "keyword_free": describe_keyword_free(free, streams, at[0.0]),
        "words": describe_words(answers.keywords, streams, at[0.0]),
        "points": [describe_point(rate, conditions, at, curve, sampling) for rate in WANTED_PER_HOUR] if curve else [],
        "det": curve,
    }


def judge(answers: Answers) -> dict[float, list[Matches]]:
    """Events at each shift -> hits, misses and false alarms of each stream.

    Raises:
        ConfigError: nothing was answered at shift 0.
    """
    if 0.0 not in answers.events:
        raise ConfigError("no events at shift 0, the thresholds as they are: give these, too")
    return {
        shift: [
            metrics.match_events(events, stream.spoken, answers.keywords)
            for stream, events in zip(answers.streams, of_streams, strict=True)
        ]
        for shift, of_streams in answers.events.items()
    }
