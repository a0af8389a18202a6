# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the scalar kernels consume them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.types import Array, DType

__all__ = ["PairedWeights", "paired_weights", "weights_in_fours"]

_LONGEST = 15  # taps of a run
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1  # of a run's sum


@dataclass(frozen=True, slots=True)
class PairedWeights:
    """Weights of two output channels at a time, cut into runs.

    ``stream`` is int8; ``runs`` counts the runs of each pair of channels.
    """

    stream: Array
    runs: Array


def paired_weights(weights: Array) -> PairedWeights:
    """Runs of taps whose sums of products stay in int16, whatever the int8 inputs are.

    Args:
        weights: int8 [channels, taps]; an odd last channel gets a partner of zeros.
    """
    padded = np.pad(weights.astype(np.int64), [(0, len(weights) % 2), (0, 0)])
    pairs = padded.reshape(-1, 2, weights.shape[1]).transpose(0, 2, 1)
    begins = _begins(pairs)
    at = np.flatnonzero(begins)
    bounds = np.append(at, begins.size)
    heads = 2 + 16 * (_LONGEST - np.diff(bounds))
    ends = np.arange(1, len(pairs) + 1) * begins.shape[1]  # first, so that a 0 precedes a head
    places, values = np.append(ends, at), np.append(np.zeros_like(ends), heads)
    stream = np.insert(pairs.ravel(), 2 * places, values)
    return PairedWeights(stream.astype(np.uint8).view(np.int8), begins.sum(axis=1))


def _begins(pairs: Array) -> Array:
    """Where runs begin, each as long as it may be: bool [pairs, taps] of [pairs, taps, 2]."""
    least, most = DType.INT8.low * pairs, DType.INT8.high * pairs
    highest, lowest = np.maximum(most, least), np.minimum(most, least)
    begins = np.ones(pairs.shape[:2], bool)
    high, low, length = highest[:, 0], lowest[:, 0], np.ones(len(pairs), np.int64)
    for tap in range(1, pairs.shape[1]):
        high, low, length = high + highest[:, tap], low + lowest[:, tap], length + 1
        over = (high > _HIGH).any(axis=1) | (low < _LOW).any(axis=1) | (length > _LONGEST)
        begins[:, tap] = over
        high = np.where(over[:, None], highest[:, tap], high)
        low = np.where(over[:, None], lowest[:, tap], low)
        length = np.where(over, 1, length)
    return begins


def weights_in_fours(weights: Array) -> Array:
    """int8 [outputs, inputs] as [fours, inputs, 4]; what fills up the last four is 0."""
    padded = np.pad(weights, [(0, -len(weights) % 4), (0, 0)])
    fours: Array = padded.reshape(-1, 4, weights.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(fours)
