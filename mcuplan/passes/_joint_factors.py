# SPDX-License-Identifier: Apache-2.0
"""Factors of channels with the least noise at the outputs, all tensors weighed together.

A tensor's step grows with its widest channel, and what a step of a channel counts falls by the
square of its factor. In logarithms of the factors the sum of both over all tensors is convex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["Wide", "joint_factors"]

_STEPS = 400
_FIRST, _LAST = 0.3, 0.005  # how far a logarithm to base 2 goes in a step
_SHARP = 24.0  # power of the norm that stands for the widest channel
_MOST = 24.0  # doublings, and halvings
_MEANS = 0.9, 0.99  # of what is kept of the means of slopes and of their squares
_PULL = 1e-4  # of logarithms towards 0: factors that are worth nothing are 1


@dataclass(frozen=True, slots=True)
class Wide:
    """A tensor on one grid: the group of each channel, how wide it is, what its noise counts."""

    group: Array
    width: Array
    noise: Array


def joint_factors(tensors: Sequence[Wide], low: Array, high: Array) -> Array:
    """A positive factor for each group.

    Args:
        tensors: whose steps follow from their widest channels.
        low: the least logarithm to base 2 of the factor of each group; of one that is held 0.
        high: the largest.

    Returns:
        Factors; all 1 where nothing would be gained.
    """
    useful = [t for t in tensors if t.width.max(initial=0.0) > 0 and t.noise.sum() > 0]
    low, high = np.maximum(low, -_MOST), np.minimum(high, _MOST)
    logs, mean, square = (np.zeros(len(low)) for _ in range(3))
    if not useful:
        return np.exp2(logs)
    best, least = logs, _noise(useful, logs)[0]
    for step in range(1, _STEPS + 1):
        _, slope = _noise(useful, logs)
        slope = slope + _PULL * logs
        mean = _MEANS[0] * mean + (1 - _MEANS[0]) * slope
        square = _MEANS[1] * square + (1 - _MEANS[1]) * slope**2
        size = _FIRST * (_LAST / _FIRST) ** (step / _STEPS)
        level = np.sqrt(square / (1 - _MEANS[1] ** step)) + 1e-12
        logs = np.clip(logs - size * mean / (1 - _MEANS[0] ** step) / level, low, high)
        found = _noise(useful, logs)[0]
        if found < least:
            best, least = logs, found
    return np.exp2(best)


def _noise(tensors: Sequence[Wide], logs: Array) -> tuple[float, Array]:
    """The logarithm of the noise of all tensors together, and its slopes."""
    levels, slopes = [], []
    for tensor in tensors:
        own = logs[tensor.group]
        with np.errstate(divide="ignore"):
            reach = _SHARP * (np.log2(tensor.width) + own)
            heard = np.log2(tensor.noise) - 2 * own
        widest, widest_share = _summed(reach)
        loudest, loudest_share = _summed(heard)
        levels.append(2 * widest / _SHARP + loudest)
        slopes.append(2 * (widest_share - loudest_share))
    total, shares = _summed(np.array(levels))
    made = np.zeros(len(logs))
    for tensor, share, slope in zip(tensors, shares, slopes, strict=True):
        np.add.at(made, tensor.group, share * slope)
    return total, made


def _summed(logs: Array) -> tuple[float, Array]:
    """The logarithm of the sum, and the share of each."""
    top = logs.max()
    parts = np.exp2(logs - top)
    whole = float(parts.sum())
    return float(top) + float(np.log2(whole)), parts / whole
