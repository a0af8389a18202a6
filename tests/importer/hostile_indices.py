# SPDX-License-Identifier: Apache-2.0
"""Indices, axes and tables that do not fit, each with the code of its error."""

from __future__ import annotations

from typing import Any

import numpy as np
from hostile_models import folded, one_node

INDICES: dict[str, tuple[Any, str]] = {
    "a table of all places": (
        one_node(
            "OneHot",
            ["x", "d", "v"],
            constants={"d": np.array(1 << 40), "v": np.array([0, 1], np.float32)},
        ),
        "model/too-large",
    ),
    "OneHot of constants": (
        folded("OneHot", np.array([1]), np.array(1 << 40), np.array([0, 1], np.float32)),
        "model/too-large",
    ),
    "indices beyond": (
        folded("GatherND", np.ones((2, 2), np.float32), np.array([[7]])),
        "model/damaged",
    ),
    "an axis twice": (
        one_node(
            "Slice",
            ["x", "s", "e", "a"],
            constants={"s": np.array([0, 0]), "e": np.array([1, 1]), "a": np.array([1, -1])},
        ),
        "model/damaged",
    ),
    "Flatten behind the last axis": (one_node("Flatten", ["x"], axis=3), "model/unsupported-op"),
    "tuples longer than the rank": (
        one_node("GatherND", ["x", "i"], constants={"i": np.zeros((1, 5), np.int64)}),
        "model/damaged",
    ),
    "updates that do not fit": (
        one_node(
            "ScatterElements",
            ["x", "i", "u"],
            constants={"i": np.zeros((1, 2), np.int64), "u": np.zeros((1, 3), np.float32)},
        ),
        "model/damaged",
    ),
}
