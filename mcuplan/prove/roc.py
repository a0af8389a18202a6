# SPDX-License-Identifier: Apache-2.0
"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np

from mcuplan.errors import DataError
from mcuplan.ir.types import Array

__all__ = ["auc"]


def auc(scores: Array, labels: Array) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative, ties half."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    if len(positive) + len(negative) != len(scores) or not len(positive) or not len(negative):
        raise DataError("AUC needs labels 0 and 1, and both of them")
    ranked = np.sort(negative)
    below = np.searchsorted(ranked, positive, "left") + np.searchsorted(ranked, positive, "right")
    return float(below.sum() / (2 * len(positive) * len(negative)))
