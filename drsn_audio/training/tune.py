"""After training: when a causal model is to answer, from development streams, written into the checkpoint.

The thresholds are chosen by what is missed and what is heard wrongly on these streams, so on others both are a little
worse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from drsn_audio.config import ConfigError
from drsn_audio.datasets.manifests import file_sha256
from drsn_audio.evaluation.stream_events import Answers, TrialStream, detect, hear, probabilities, read_streams
from drsn_audio.evaluation.stream_facts import WORDS
from drsn_audio.evaluation.streams import judge
from drsn_audio.files import write_whole
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.metrics.streaming import least_rate, poisson_interval
from drsn_audio.metrics.thresholds import choose_thresholds
from drsn_audio.models.checkpoint import load_checkpoint
from drsn_audio.streaming.detector import DetectorConfig
from drsn_audio.text import Vocabulary

THRESHOLDS = 1 / (1 + np.exp(-np.arange(-3, 9.01, 0.25)))  # even in log-odds: 0.05 to 0.9999
SMOOTHING_S = (0.16, 0.24, 0.4, 0.56)


def tune(
    checkpoint: Path,
    manifests: Sequence[str],
    per_hour: float = 1.0,
    smoothing_s: Sequence[float] = SMOOTHING_S,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Choose a checkpoint's smoothing and a threshold for each keyword; its JSON is rewritten.

    They miss the fewest keywords of the streams of words at no more than `per_hour` false alarms in those without.
    Returns its new "detector": {"config": DetectorConfig.to_dict(), "wanted_per_hour", "false_alarms", "hours",
    "misses", "keywords", "data"}.

    Raises:
        CheckpointError, ConfigError, ManifestError, AudioError, InputError: something that cannot be used.
    """
    model, info = load_checkpoint(checkpoint)
    streams = read_streams(manifests)
    labels, rate = list(model.config.labels), model.config.frontend.sample_rate
    temperature = (info.get("calibration") or {}).get("temperature", 1.0)
    heard = hear(probabilities(model, temperature), streams, rate, progress)
    frame_s, window_s = model.block / rate, model.config.clip_s
    found = choose(streams, heard, labels, frame_s, per_hour, smoothing_s, window_s)
    found["data"] = [{"manifest": str(path), "sha256": file_sha256(path)} for path in manifests]
    described = json.loads(checkpoint.read_text())
    if described["sha256"] != info["sha256"]:
        raise ConfigError(f"{checkpoint}: was replaced meanwhile: wait until its training has ended")
    write_whole(checkpoint, (json.dumps(described | {"detector": found}, indent=2) + "\n").encode(), sync=True)
    return found


def choose(
    streams: Sequence[TrialStream],
    heard: Sequence[np.ndarray],
    labels: Sequence[str],
    frame_s: float,
    per_hour: float,
    smoothing_s: Sequence[float] = SMOOTHING_S,
    window_s: float = 1.0,
) -> dict[str, Any]:
    """Probabilities [T, K] of each stream -> what `tune` returns, but for "data".

    Every threshold is tried for all keywords at once, and each keyword's misses and false alarms are counted. What is
    returned was counted with the chosen ones together.

    Raises:
        ConfigError: streams that hold no keywords, or too few hours without any for such a rate; or more false alarms
            than that even at the highest thresholds.
    """
    keywords = [label for label in labels if label not in (SILENCE, UNKNOWN)]
    hours = sum(stream.hours for stream in streams if stream.content != WORDS)
    known = Vocabulary(keywords)
    said = sum(known.find(word.word) is not None for stream in streams for word in stream.spoken)
    if not said:
        raise ConfigError(
            f"none of the keywords ({', '.join(keywords)}) is said in these streams: add streams of words"
        )
    if not hours or per_hour < least_rate(hours):
        raise ConfigError(
            f"{hours:.3g} h without keywords cannot show {per_hour:g} false alarms an hour: "
            f"listen to {least_rate(per_hour):.3g} h at least"
        )
    trials = []
    for smoothing in smoothing_s:
        config = DetectorConfig(dict.fromkeys(keywords, 0.5), smoothing_s=smoothing, window_s=window_s)
        try:
            trials.append(_choose_thresholds(streams, heard, labels, frame_s, config, per_hour, hours))
        except ValueError as error:
            refused = error
    if not trials:
        raise ConfigError(f"no thresholds for {per_hour:g} false alarms an hour ({refused}): train longer")
    misses, false_alarms, config = min(trials, key=lambda trial: trial[:2])
    return {
        "config": config.to_dict(),
        "wanted_per_hour": per_hour,
        "false_alarms": false_alarms,
        "hours": hours,
        "misses": misses,
        "keywords": said,
    }


def _choose_thresholds(
    streams: Sequence[TrialStream],
    heard: Sequence[np.ndarray],
    labels: Sequence[str],
    frame_s: float,
    config: DetectorConfig,
    per_hour: float,
    hours: float,
) -> tuple[int, int, DetectorConfig]:
    """A config's smoothing -> misses and false alarms with the thresholds that suit it, and these."""
    keywords = list(config.thresholds)

    def count(thresholds: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        events = detect(streams, heard, labels, frame_s, replace(config, thresholds=thresholds))
        return count_errors(Answers(streams, keywords, {0.0: events}))

    counts = [count(dict.fromkeys(keywords, float(threshold))) for threshold in THRESHOLDS]
    misses, false_alarms = (np.stack(each, axis=1) for each in zip(*counts, strict=True))
    chosen = choose_thresholds(THRESHOLDS, misses, false_alarms, per_hour, hours)
    thresholds = dict(zip(keywords, map(float, chosen.thresholds), strict=True))
    together = count(thresholds)
    return int(together[0].sum()), int(together[1].sum()), replace(config, thresholds=thresholds)


def count_errors(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Misses, and false alarms where no keyword is said, of each keyword, int [keywords]."""
    place = {keyword: number for number, keyword in enumerate(answers.keywords)}
    misses, false_alarms = np.zeros((2, len(place)), np.int64)
    for stream, matches in zip(answers.streams, judge(answers)[0.0], strict=True):
        for word in matches.misses:
            misses[place[word.word]] += 1
        if stream.content != WORDS:
            for event in matches.false_alarms:
                false_alarms[place[event.label]] += 1
    return misses, false_alarms


def describe_tuning(found: dict[str, Any]) -> str:
    """The detector of a checkpoint in a sentence or two."""
    rate = poisson_interval(found["false_alarms"], found["hours"])
    config = found["config"]
    thresholds = ", ".join(f"{word} {value:.3g}" for word, value in config["thresholds"].items())
    return (
        f"tuned for {found['wanted_per_hour']:g} false alarms an hour: {found['false_alarms']} in "
        f"{found['hours']:.2f} h without keywords ({rate.low:.2f} to {rate.high:.2f} an hour), "
        f"{found['misses']} of {found['keywords']} keywords missed; averages over {config['smoothing_s']:g} s, "
        f"thresholds {thresholds}"
    )
