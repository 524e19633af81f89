"""After training: a temperature and a reject threshold from the development clips, written into the checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drsn_audio.config import ConfigError, ExperimentConfig
from drsn_audio.datasets.keyword import Clip, keyword_clips
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.details import keyword_classes
from drsn_audio.evaluation.keyword import Trials, run_trials
from drsn_audio.files import write_whole
from drsn_audio.metrics.calibration import (
    choose_rejection,
    fit_temperature,
    mean_nll,
    reject,
    softmax,
    wilson_interval,
)
from drsn_audio.models.checkpoint import load_checkpoint

DEV_SNR_DB = (10.0, 0.0)  # with clean, what the best checkpoint is chosen by, and calibrated on


def calibrate(checkpoint: Path, config: ExperimentConfig) -> dict[str, Any]:
    """Calibrate a checkpoint on config.data.dev and noise_dev; its JSON is rewritten. Returns its new "calibration".

    The clips are those that chose the checkpoint, so the figures are a little better than those of others' speech.

    Raises:
        CheckpointError, ConfigError, ManifestError, AudioError: something that cannot be used.
    """
    model, info = load_checkpoint(checkpoint)
    store = AudioStore(model.config.frontend.sample_rate)
    clips = keyword_clips(read_cuts(config.data.dev), model.config.labels, config.data)
    noise = NoisePool(config.data.noise_dev, store)
    trials = run_trials(model, clips, noise, store, snr_db=DEV_SNR_DB, draws=1, seed=config.evaluate.seed)
    found = calibration(trials, clips, model.config.labels, config.train.false_accept_rate)
    described = json.loads(checkpoint.read_text())
    if described["sha256"] != info["sha256"]:
        raise ConfigError(f"{checkpoint}: was replaced meanwhile: wait until its training has ended")
    text = json.dumps(described | {"calibration": found}, indent=2) + "\n"
    write_whole(checkpoint, text.encode(), sync=True)
    return found


def calibration(
    trials: Sequence[Trials], clips: Sequence[Clip], labels: Sequence[str], false_accept_rate: float
) -> dict[str, Any]:
    """What goes into the JSON: trials of `clips` under several conditions -> temperature, threshold and their price.

    Without a clip that holds no keyword there is no threshold. The interval of `false_accepts` counts every clip
    once, however many conditions it was heard under.

    Raises:
        ConfigError: logits that are not finite.
    """
    logits, targets = (np.concatenate([getattr(one, name) for one in trials]) for name in ("logits", "targets"))
    if not np.isfinite(logits).all():
        raise ConfigError("the model answers with NaN, its training diverged: lower train.learning_rate, train again")
    keywords = keyword_classes(labels)
    temperature = fit_temperature(logits, targets)
    found: dict[str, Any] = {
        "temperature": temperature,
        "nll": mean_nll(logits, targets, temperature),
        "nll_before": mean_nll(logits, targets),
        "trials": len(targets),
        "conditions": len(trials),
        "clips_without_keyword": sum(clip.target not in keywords for clip in clips),
    }
    if not found["clips_without_keyword"] or not keywords:
        return found
    probabilities = softmax(logits, temperature)
    chosen = choose_rejection(probabilities, targets, keywords, false_accept_rate)
    before = reject(probabilities, targets, keywords, 0.0)
    low, high = wilson_interval(chosen.false_accepts, found["clips_without_keyword"])
    return found | {
        "reject_below": chosen.reject_below,
        "false_accept_rate": false_accept_rate,
        "false_accepts": chosen.false_accepts,
        "false_accepts_interval": [low, high],
        "false_accepts_before": before.false_accepts,
        "misses": None if math.isnan(chosen.misses) else chosen.misses,
        "misses_before": None if math.isnan(before.misses) else before.misses,
    }


def describe_calibration(found: dict[str, Any]) -> str:
    """The calibration of a checkpoint in a sentence or two."""
    text = f"calibrated on {found['trials']} development trials: temperature {found['temperature']:.2f}"
    if "reject_below" not in found:
        return f"{text}; no reject threshold, since no clip of theirs is without a keyword"
    low, high = found["false_accepts_interval"]
    text += (
        f"; keywords below probability {found['reject_below']:.2f} are answered with unknown. "
        f"False accepts {found['false_accepts']:.1%} (without the threshold {found['false_accepts_before']:.1%}; "
        f"wanted at most {found['false_accept_rate']:.1%}; "
        f"{found['clips_without_keyword']} clips without a keyword leave it between {low:.1%} and {high:.1%})"
    )
    if found["misses"] is None:
        return f"{text}; no clip holds a keyword, so what it misses is not known"
    text += f"; keywords missed {found['misses']:.1%} (without {found['misses_before']:.1%})"
    if found["misses"] > 0.5:
        text += ". Most keywords are missed at this rate: raise train.false_accept_rate, or train longer"
    return text
