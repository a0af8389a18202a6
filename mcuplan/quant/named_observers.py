# SPDX-License-Identifier: Apache-2.0
"""Observers by the names that users give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from mcuplan.quant.histogram import Clipped, Entropy, Mse, Percentile
from mcuplan.quant.observers import MinMax, MovingAverage, Observer

__all__ = ["AUTO", "OBSERVERS", "observer_named"]

AUTO = "auto"
"""In place of a name: try those of ``OBSERVERS`` and keep the best."""

OBSERVERS: Mapping[str, Observer] = MappingProxyType(
    {
        "minmax": MinMax(),
        "moving-average": MovingAverage(),
        "percentile": Clipped(Percentile()),
        "mse": Clipped(Mse()),
        "entropy": Clipped(Entropy()),
    }
)
"""Fresh ones, in the order in which they are preferred."""


def observer_named(name: str) -> Observer:
    """The fresh observer of a name; ``percentile:99.9`` says how many percent lie in the range.

    Raises:
        ValueError: there is none.
    """
    kind, colon, percent = name.partition(":")
    if not colon and kind in OBSERVERS:
        return OBSERVERS[kind]
    try:
        share = float(percent)
    except ValueError:
        share = math.nan
    if kind != "percentile" or not 50.0 <= share <= 100.0:
        raise ValueError(f"{name[:40]!r}: one of {', '.join(OBSERVERS)}, percentile:99.9")
    return Clipped(Percentile(share))
