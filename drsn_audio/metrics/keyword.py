"""Accuracy, confusions, recall and precision of keyword answers."""

from __future__ import annotations

import numpy as np


def accuracy(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Share of right answers; class indices, int [n]."""
    _check(targets, predictions)
    return float(np.mean(targets == predictions))


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """How often each class was answered to each: int [K, K], truth in rows, answers in columns.

    Raises:
        ValueError: other shapes of the two, no trials, or an index that is no class.
    """
    _check(targets, predictions)
    for name, indices in (("target", targets), ("prediction", predictions)):
        wrong = indices[(indices < 0) | (indices >= num_classes)]
        if wrong.size:
            raise ValueError(f"{name} {wrong[0]} is no class of 0..{num_classes - 1}: check the labels")
    flat = np.bincount(targets * num_classes + predictions, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def recall(confusion: np.ndarray) -> np.ndarray:
    """Confusions [K, K] -> share of each class's trials that were found, [K]; NaN without trials."""
    return _share(np.diag(confusion), confusion.sum(axis=1))


def precision(confusion: np.ndarray) -> np.ndarray:
    """Confusions [K, K] -> share of each answer that was right, [K]; NaN for one that was never given."""
    return _share(np.diag(confusion), confusion.sum(axis=0))


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Mean recall over the classes that have trials: as if all were equally frequent.

    Raises:
        ValueError: no trials at all.
    """
    if not confusion.any():
        raise ValueError("the confusion matrix holds no trials: evaluate at least one")
    return float(np.nanmean(recall(confusion)))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _check(targets: np.ndarray, predictions: np.ndarray) -> None:
    if targets.shape != predictions.shape or targets.ndim != 1 or targets.size == 0:
        raise ValueError(
            f"targets of shape {targets.shape}, predictions of shape {predictions.shape}: "
            "give class indices [n] of both, and one trial at least"
        )
    for name, indices in (("targets", targets), ("predictions", predictions)):
        if indices.dtype.kind not in "iu":
            raise ValueError(f"{name} are {indices.dtype}: give class indices, whole numbers")
