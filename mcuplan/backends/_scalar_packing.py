# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the scalar kernels consume them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["PairedWeights", "paired_weights", "weights_in_fours"]

_LONGEST = 15  # taps of a run
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1  # of a run's sum


@dataclass(frozen=True, slots=True)
class PairedWeights:
    """Weights of two output channels at a time, cut into runs.

    ``stream`` is int8; ``runs`` counts, for each pair of channels, its runs.
    """

    stream: Array
    runs: tuple[int, ...]


def paired_weights(weights: Array) -> PairedWeights:
    """Runs of taps whose sums of products stay in int16, whatever the int8 inputs are.

    Args:
        weights: int8 [channels, taps]; an odd last channel gets a partner of zeros.
    """
    missing = len(weights) % 2
    taps = np.pad(weights.astype(np.int64), [(0, missing), (0, 0)])
    parts: list[Array] = []
    runs = []
    for pair in taps.reshape(-1, 2, taps.shape[1]):
        starts = _starts(pair)
        for start, end in zip(starts, [*starts[1:], pair.shape[1]], strict=True):
            head = 2 + 16 * (_LONGEST - (end - start))
            parts += [np.array([head]), pair[:, start:end].T.ravel()]
        parts.append(np.array([0]))
        runs.append(len(starts))
    stream = np.concatenate(parts).astype(np.uint8).view(np.int8)
    return PairedWeights(stream, tuple(runs))


def _starts(pair: Array) -> list[int]:
    """First taps of the runs of two channels, each run as long as it may be."""
    highest = np.maximum(127 * pair, -128 * pair)
    lowest = np.minimum(127 * pair, -128 * pair)
    starts, high, low = [0], np.zeros(2, np.int64), np.zeros(2, np.int64)
    for tap in range(pair.shape[1]):
        high, low = high + highest[:, tap], low + lowest[:, tap]
        if tap - starts[-1] == _LONGEST or high.max() > _HIGH or low.min() < _LOW:
            starts.append(tap)
            high, low = highest[:, tap], lowest[:, tap]
    return starts


def weights_in_fours(weights: Array) -> Array:
    """int8 [outputs, inputs] as [fours, inputs, 4]; what fills up the last four is 0."""
    padded = np.pad(weights, [(0, -len(weights) % 4), (0, 0)])
    fours: Array = padded.reshape(-1, 4, weights.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(fours)
