# SPDX-License-Identifier: Apache-2.0
"""Scores of outputs against labels: top-1, mean absolute error, AUC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.errors import DataError
from mcuplan.ir.types import Array

__all__ = ["Labelled", "agreement", "auc", "lost", "score"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What outputs are held against. ``labels`` are per sample, or per group."""

    labels: Array
    groups: Array | None
    inputs: Array  # real values of the first input [samples, ...]


def agreement(one: Array, other: Array) -> float:
    """Share of samples of two outputs [samples, classes] whose largest entries agree.

    A tie for first agrees with each of the tied.
    """
    first = one == one.max(axis=1, keepdims=True)
    second = other == other.max(axis=1, keepdims=True)
    return float((first & second).any(axis=1).mean())


def score(outputs: Array, held: Labelled) -> tuple[str, float]:
    """Name and value of the metric that the labels ask for.

    Integer labels: top-1 (of the mean outputs per group where there are groups). Float
    labels of the outputs' shape: mean absolute error. Groups, binary labels and outputs
    shaped like the input: area under the ROC curve of the reconstruction error.

    Raises:
        DataError: the labels fit none of these.
    """
    flat = outputs.reshape(len(outputs), -1).astype(np.float64)
    labels = held.labels
    if held.groups is not None and flat.shape[1] == held.inputs[0].size > 1:
        errors = np.square(flat - held.inputs.reshape(len(flat), -1)).mean(axis=1)
        return "auc", auc(_per_group(errors[:, None], held.groups)[:, 0], labels)
    if held.groups is not None:
        flat = _per_group(flat, held.groups)
    if labels.dtype.kind in "iu" and labels.shape == (len(flat),):
        if labels.min() < 0 or labels.max() >= flat.shape[1]:
            raise DataError(f"labels reach {labels.max()}, the output has {flat.shape[1]} classes")
        best = flat == flat.max(axis=1, keepdims=True)
        return "top-1", float(best[np.arange(len(flat)), labels].mean())
    if labels.dtype.kind == "f" and labels.size == flat.size:
        return "mean absolute error", float(np.abs(flat - labels.reshape(flat.shape)).mean())
    raise DataError(
        f"labels {labels.dtype} {list(labels.shape)} do not fit {len(flat)} samples or the output",
        hint="integer class labels, or float labels of the output's shape",
    )


def auc(scores: Array, labels: Array) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative, ties half."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    if len(positive) + len(negative) != len(scores) or not len(positive) or not len(negative):
        raise DataError("AUC needs labels 0 and 1, and both of them")
    above = (positive[:, None] > negative[None, :]).mean()
    ties = (positive[:, None] == negative[None, :]).mean()
    return float(above + ties / 2)


def _per_group(values: Array, groups: Array) -> Array:
    """Mean of the samples of each group, in order of the group's number."""
    count = int(groups.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, groups, values)
    sizes = np.bincount(groups, minlength=count).reshape(-1, 1)
    means: Array = sums / np.maximum(sizes, 1)
    return means


def lost(metric: str, before: float, after: float) -> float:
    """How much worse a score became; errors grow, accuracies fall."""
    return after - before if metric == "mean absolute error" else before - after
