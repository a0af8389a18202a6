# SPDX-License-Identifier: Apache-2.0
"""What single classes show that their mean hides: recall, F1, and AUC of two."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.prove.roc import auc
from mcuplan.record import ByClass, ClassRecall

__all__ = ["ClassTally"]


class ClassTally:
    """Decisions of the float model and of the integer program by class, block by block."""

    def __init__(self, classes: int) -> None:
        """Start without samples; ``classes`` is the number of scores."""
        self._seen = np.zeros(classes, np.int64)
        self._right, self._named = np.zeros((2, 2, classes), np.int64)
        self._scores: list[Array] = []  # of the second of two classes, above the first
        self._labels: list[Array] = []

    def update(
        self, labels: Array, values: tuple[Array, Array], named: tuple[Array, Array]
    ) -> None:
        """See labels [samples], scores [samples, classes] of both, and what classes they name."""
        classes = len(self._seen)
        self._seen += np.bincount(labels, minlength=classes)
        for k, each in enumerate(named):
            self._named[k] += np.bincount(each, minlength=classes)
            self._right[k] += np.bincount(labels[each == labels], minlength=classes)
        if classes == 2:
            self._scores.append(np.stack([scores[:, 1] - scores[:, 0] for scores in values]))
            self._labels.append(labels)

    def result(self) -> ByClass:
        """Of all classes that there are samples of."""
        classes = np.flatnonzero(self._seen)
        theirs, mine = self._right / np.maximum(self._seen, 1)
        recalls = tuple(
            ClassRecall(int(c), int(self._seen[c]), float(theirs[c]), float(mine[c]))
            for c in classes
        )
        worst = min(recalls, key=lambda each: each.integer).index
        return ByClass(*self._f1(), worst, recalls, *self._auc())

    def _f1(self) -> tuple[float, float]:
        """Mean, over classes with samples or decisions, of 2 right / (samples + decisions)."""
        known = (self._seen > 0) | (self._named > 0)
        found = 2 * self._right / np.maximum(self._seen + self._named, 1)
        theirs, mine = (found.sum(axis=1) / known.sum(axis=1)).tolist()
        return theirs, mine

    def _auc(self) -> tuple[float | None, float | None]:
        if len(self._seen) != 2 or not self._seen.all():
            return None, None
        scores, labels = np.concatenate(self._scores, axis=1), np.concatenate(self._labels)
        return auc(scores[0], labels), auc(scores[1], labels)
