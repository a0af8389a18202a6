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
    taps = weights.shape[1]
    pairs = np.pad(weights, [(0, len(weights) % 2), (0, 0)]).reshape(-1, 2, taps)
    products = np.outer(DType.INT8.codes, (DType.INT8.low, DType.INT8.high))
    high, low = (_sums_before(pairs, ends) for ends in (products.max(1), products.min(1)))
    longest = np.ones((len(pairs), taps), np.uint8)  # run from each tap on
    for length in range(2, min(_LONGEST, taps) + 1):  # sums grow with every tap
        count = taps + 1 - length
        fits = high[..., length:] - high[..., :count] <= _HIGH
        fits &= low[..., length:] - low[..., :count] >= _LOW
        if not fits.any():
            break
        longest[:, :count] += fits.all(axis=1)
    begins, at = np.zeros(longest.shape, bool), np.zeros(len(pairs), np.int64)
    each = np.arange(len(pairs))
    while len(each):
        begins[each, at] = True
        at = at + longest[each, at]
        each, at = each[at < taps], at[at < taps]
    return begins


def _sums_before(pairs: Array, ends: Array) -> Array:
    """Sums of one end of each weight's products, up to each tap: [pairs, 2, taps + 1]."""
    taps = pairs.shape[2]
    kind = np.int32 if taps * np.abs(ends).max() < 1 << 31 else np.int64
    sums = np.zeros((*pairs.shape[:2], taps + 1), kind)
    places = pairs.astype(np.int16) - DType.INT8.low
    ends.astype(kind)[places].cumsum(axis=2, dtype=kind, out=sums[..., 1:])
    return sums


def weights_in_fours(weights: Array) -> Array:
    """int8 [outputs, inputs] as [fours, inputs, 4]; what fills up the last four is 0."""
    padded = np.pad(weights, [(0, -len(weights) % 4), (0, 0)])
    fours: Array = padded.reshape(-1, 4, weights.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(fours)
