"""What a model card says beside accuracy: the words alone, noise classes, words that should be ignored, rejection."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drsn_audio.datasets.noise_names import class_of
from drsn_audio.evaluation.keyword import Trials
from drsn_audio.labels import SILENCE, UNKNOWN
from drsn_audio.metrics.calibration import named_keywords, reject, softmax


def keywords_alone(trials: Sequence[Trials], labels: Sequence[str]) -> list[Trials]:
    """Trials that hold a keyword, answered with the likeliest keyword: nobody has to reject anything.

    Conditions without such a trial are left out; classes keep their indices.
    """
    keywords = keyword_classes(labels)
    others = np.setdiff1d(np.arange(len(labels)), keywords)
    found = []
    for one in trials:
        kept = np.isin(one.targets, keywords)
        logits = one.logits[kept].copy()
        logits[:, others] = -np.inf
        fields = {name: getattr(one, name)[kept] for name in ("targets", "speakers", "noise_sources", "words")}
        if kept.any():
            found.append(dataclasses.replace(one, logits=logits, **fields))
    return found


def with_threshold(
    trials: Sequence[Trials], labels: Sequence[str], calibration: Mapping[str, Any] | None
) -> list[Trials]:
    """Return the trials answered as `Recognizer.classify` answers them, by the checkpoint's reject threshold.

    A keyword less probable than the threshold becomes "unknown", or "silence" where the model has only that. The list
    is empty where no threshold above 0 was chosen, or there is no label for a rejected keyword: then the answers are
    the most probable labels.
    """
    no_word = next((list(labels).index(label) for label in (UNKNOWN, SILENCE) if label in labels), None)
    if not calibration or not calibration.get("reject_below") or no_word is None:
        return []
    keywords, found = keyword_classes(labels), []
    for one in trials:
        probabilities = softmax(one.logits, calibration.get("temperature", 1.0))
        named = named_keywords(probabilities, keywords, calibration["reject_below"])
        rejected = (named < 0) & np.isin(one.predictions, keywords)
        logits = np.where(rejected[:, None] & (np.arange(len(labels)) != no_word), -np.inf, one.logits)
        found.append(dataclasses.replace(one, logits=logits))
    return found


def by_noise_class(trials: Sequence[Trials]) -> list[dict[str, Any]]:
    """Accuracy in each class of noise at each SNR, with its trials and recordings."""
    found = []
    for one in trials:
        if one.snr_db is None:
            continue
        classes = np.array([class_of(source) for source in one.noise_sources])
        for name in sorted(set(classes)):
            of_class = classes == name
            found.append(
                {
                    "noise_kind": one.noise_kind,
                    "noise_class": name,
                    "snr_db": one.snr_db,
                    "accuracy": float(one.correct[of_class].mean()),
                    "trials": int(of_class.sum()),
                    "noise_recordings": len(set(one.noise_sources[of_class])),
                }
            )
    return found


def other_words(trials: Sequence[Trials], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Of each word that is "unknown": how often it was taken for a keyword, noisy and clean trials together."""
    if UNKNOWN not in labels:
        return []
    words, accepted = [], []
    for one in trials:
        other = one.targets == list(labels).index(UNKNOWN)
        words.append(one.words[other])
        accepted.append(np.isin(one.predictions[other], keyword_classes(labels)))
    word, taken = np.concatenate(words), np.concatenate(accepted)
    return [
        {"word": str(name), "trials": int((word == name).sum()), "accepted": int(taken[word == name].sum())}
        for name in np.unique(word)
    ]


def rejection(
    trials: Sequence[Trials], labels: Sequence[str], calibration: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """False accepts and misses under each condition, without the checkpoint's reject threshold and with it.

    False accepts are shares of the trials that hold no keyword, misses of those that hold one; None without such
    trials. Without a threshold in the calibration the list is empty.
    """
    if not calibration or "reject_below" not in calibration:
        return []
    found = []
    for one in trials:
        probabilities = softmax(one.logits, calibration.get("temperature", 1.0))
        keyword_trials = int(np.isin(one.targets, keyword_classes(labels)).sum())
        entry: dict[str, Any] = {
            "noise_kind": one.noise_kind,
            "snr_db": one.snr_db,
            "keyword_trials": keyword_trials,
            "other_trials": len(one.targets) - keyword_trials,
        }
        for name, threshold in (("without", 0.0), ("with", calibration["reject_below"])):
            shares = reject(probabilities, one.targets, keyword_classes(labels), threshold)
            entry[name] = {
                key: None if np.isnan(share := getattr(shares, key)) else share for key in ("false_accepts", "misses")
            }
        found.append(entry)
    return found


def keyword_classes(labels: Sequence[str]) -> list[int]:
    """Classes that are a word to be acted on: all but "unknown" and "silence"."""
    return [index for index, label in enumerate(labels) if label not in (UNKNOWN, SILENCE)]
