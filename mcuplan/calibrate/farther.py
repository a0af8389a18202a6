# SPDX-License-Identifier: Apache-2.0
"""Samples as they were given, and the same farther from what is usual.

What is fitted to samples serves those like them. A device meets others: a repair that costs on
inputs twice as far from the mean is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate.data import Data
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array

__all__ = ["with_farther"]

_TIMES = 2.0  # as far from the mean of each element
_TOGETHER = 64  # samples read at a time


def with_farther(data: Data, ports: Sequence[Port], samples: Sequence[int]) -> Data:
    """Some samples, in memory; behind them the same with real inputs moved from their mean.

    They stay between the least and the largest value of the input.
    """
    chosen = list(samples)
    found = {}
    for port in ports:
        own = np.asarray(data.inputs[port.name][chosen])
        moved = own if port.on_grid or port.whole else _moved(own, data.inputs[port.name])
        found[port.name] = np.concatenate([own, moved])
    return Data(MappingProxyType(found), 2 * len(chosen))


def _moved(own: Array, every: Array) -> Array:
    total, low, high = np.zeros(own.shape[1:]), np.inf, -np.inf
    for start in range(0, len(every), _TOGETHER):
        part = np.asarray(every[start : start + _TOGETHER], np.float64)
        total += part.sum(axis=0)
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    mean = total / len(every)
    return np.clip(mean + _TIMES * (own - mean), low, high).astype(own.dtype)
