# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the scalar kernels consume them."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array, DType

__all__ = ["paired_weights", "run_begins", "weights_in_fours"]

_LONGEST = 15  # taps of a run
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1  # of a run's sum


def paired_weights(weights: Array, begins: Array) -> Array:
    """int8 stream of the weights of two output channels at a time, cut into runs.

    Args:
        weights: int8 [channels, taps]; an odd last channel gets a partner of zeros.
        begins: where runs begin.
    """
    at = np.flatnonzero(begins)
    bounds = np.append(at, begins.size)
    heads = 2 + 16 * (_LONGEST - np.diff(bounds))
    ends = np.arange(1, len(begins) + 1) * begins.shape[1]  # first, so that a 0 precedes a head
    places, values = np.append(ends, at), np.append(np.zeros_like(ends), heads)
    stream = np.insert(_pairs(weights).ravel(), 2 * places, values)
    return stream.astype(np.uint8).view(np.int8)


def _pairs(weights: Array) -> Array:
    """int8 [channels, taps] as int64 [pairs, taps, 2]."""
    padded = np.pad(weights.astype(np.int64), [(0, len(weights) % 2), (0, 0)])
    return padded.reshape(-1, 2, weights.shape[1]).transpose(0, 2, 1)


def run_begins(weights: Array) -> Array:
    """Where runs begin, each as long as it may be: bool [pairs, taps] of int8 [channels, taps].

    The sums of products of a run stay in int16, whatever the int8 inputs are.
    """
    pairs = _pairs(weights)
    count, taps = pairs.shape[:2]
    beyond = ((0, 0), (1, _LONGEST), (0, 0))  # sums of nothing; behind the end all are too large
    least, most = DType.INT8.low * pairs, DType.INT8.high * pairs
    high = np.pad(np.maximum(most, least).cumsum(axis=1), beyond)
    low = np.pad(np.minimum(most, least).cumsum(axis=1), beyond)
    high[:, taps + 1 :] = np.iinfo(np.int64).max // 2
    begins, at, each = np.zeros((count, taps), bool), np.zeros(count, np.int64), np.arange(count)
    while (open_ := at < taps).any():
        rows, first = each[open_, None], at[open_, None]
        begins[rows, first] = True
        ends = first + np.arange(1, _LONGEST + 1)  # sums grow with every tap
        fits = high[rows, ends] - high[rows, first] <= _HIGH
        fits &= low[rows, ends] - low[rows, first] >= _LOW
        at[open_] += fits.all(axis=2).sum(axis=1)
    return begins


def weights_in_fours(weights: Array) -> Array:
    """int8 [outputs, inputs] as [fours, inputs, 4]; what fills up the last four is 0."""
    padded = np.pad(weights, [(0, -len(weights) % 4), (0, 0)])
    fours: Array = padded.reshape(-1, 4, weights.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(fours)
