# SPDX-License-Identifier: Apache-2.0
"""Scores of outputs against labels, block by block: top-1, mean absolute error, AUC."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import DataError
from mcuplan.ir.types import Array
from mcuplan.prove.classes import ClassTally
from mcuplan.prove.roc import auc
from mcuplan.record import MEAN_ERROR, Accuracy

__all__ = ["AUC", "TOP_1", "Labelled", "Score", "decided", "lost", "tied"]

TOP_1, AUC = "top-1", "auc"


def is_vector(shape: tuple[int, ...]) -> bool:
    """Whether an output has at least two elements, all on one axis: perhaps one per class."""
    return math.prod(shape) > 1 and max(shape) == math.prod(shape)


@dataclass(frozen=True, slots=True)
class Labelled:
    """What outputs are held against. ``labels`` are per sample, or per group."""

    labels: Array
    groups: Array | None

    def metric(self, output: tuple[int, ...], source: tuple[int, ...]) -> str | None:
        """The metric that the labels ask for; None where an output is none of theirs.

        Groups, binary labels and an output of the input's size: area under the ROC curve of
        the reconstruction error. Integer labels: top-1, of an output with one score per class.
        Float labels of the output's size: mean absolute error.

        Args:
            output: shape of the output.
            source: shape of the first input.
        """
        size = math.prod(output)
        if self.groups is not None and size == math.prod(source) > 1:
            return AUC
        if self.labels.dtype.kind in "iu" and self.labels.ndim == 1:
            fits = is_vector(output) and 0 <= self.labels.min() <= self.labels.max() < size
            return TOP_1 if fits else None
        same = self.labels.size == len(self.labels) * size
        return MEAN_ERROR if self.labels.dtype.kind == "f" and same else None

    def misfit(self, outputs: list[tuple[int, ...]]) -> DataError:
        """The error for labels that fit no output."""
        shapes = ", ".join(map(str, map(list, outputs)))
        span = ""
        if self.labels.dtype.kind in "iu":
            span = f" from {self.labels.min()} to {self.labels.max()}"
        return DataError(
            f"labels {self.labels.dtype} {list(self.labels.shape)}{span} fit no output: {shapes}",
            hint="integer labels 0 to N - 1 for an output of N class scores, float labels of the "
            "output's shape, or no labels",
        )


def decided(scores: Array) -> Array:
    """The class of each sample of scores [samples, classes]: as firmware does, the first of equals.

    That a program of one integer is not taken for one that decides is told by its output, which is
    constant, and by how many samples are :func:`tied`.
    """
    return np.asarray(scores.argmax(axis=1))


def tied(scores: Array) -> Array:
    """Samples of scores [samples, classes] whose largest is there more than once."""
    return np.asarray((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1)


class Score:
    """One metric of the float model and of the integer program, over blocks of samples."""

    def __init__(self, metric: str, held: Labelled, width: int) -> None:
        """Start without samples; ``width`` is the output's number of elements."""
        self.metric, self._held = metric, held
        self._totals = [0.0, 0.0]
        self._count = 0
        groups = 0 if held.groups is None else int(held.groups.max()) + 1
        self._classes = ClassTally(width) if metric == TOP_1 else None
        self._sums = np.zeros((2, groups, 1 if metric == AUC else width))

    def update(self, start: int, theirs: Array, mine: Array, inputs: Array) -> None:
        """See outputs [samples, elements] of the runtime and our own, and real inputs."""
        stop = start + len(mine)
        if self.metric == AUC:
            flat = inputs.reshape(len(mine), -1)
            errors = (np.square(values - flat).mean(axis=1) for values in (theirs, mine))
            theirs, mine = (each[:, None] for each in errors)
        if self._held.groups is None:
            self._add(self._held.labels[start:stop], theirs, mine)
            return
        for total, values in zip(self._sums, (theirs, mine), strict=True):
            np.add.at(total, self._held.groups[start:stop], values)

    def _add(self, labels: Array, theirs: Array, mine: Array) -> None:
        """Count what is right, or sum what is wrong."""
        self._count += labels.size
        if self.metric == MEAN_ERROR:
            for k, values in enumerate((theirs, mine)):
                self._totals[k] += float(np.abs(values - labels.reshape(values.shape)).sum())
            return
        named = (decided(theirs), decided(mine))
        for k, each in enumerate(named):
            self._totals[k] += float((each == labels).sum())
        if self._classes is not None:
            self._classes.update(labels, (theirs, mine), named)

    def result(self) -> Accuracy:
        """The metric of the float model and of the integer program, and what classes show."""
        scores = self._scores()
        return Accuracy(self.metric, *scores, self._classes.result() if self._classes else None)

    def _scores(self) -> tuple[float, float]:
        if self._held.groups is not None:
            sizes = np.bincount(self._held.groups, minlength=self._sums.shape[1])
            theirs, mine = self._sums / np.maximum(sizes, 1)[None, :, None]
            if self.metric == AUC:
                return auc(theirs[:, 0], self._held.labels), auc(mine[:, 0], self._held.labels)
            self._totals, self._count = [0.0, 0.0], 0
            self._add(self._held.labels, theirs, mine)
        return self._totals[0] / self._count, self._totals[1] / self._count


def lost(metric: str, before: float, after: float) -> float:
    """How much worse a score became; errors grow, accuracies fall."""
    return after - before if metric == MEAN_ERROR else before - after
