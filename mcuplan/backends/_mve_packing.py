# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the mve kernels consume them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.quant.requantize import Requant

__all__ = [
    "LANES",
    "QUAD",
    "chunk_words",
    "conv_words",
    "dense_words",
    "lane_words",
    "pair_words",
    "three_words",
    "window_words",
]

LANES = 16  # bytes of a vector
QUAD = 4  # int32 of a vector


def conv_words(weights: Array, requant: Requant, lanes: int = LANES) -> Array:
    """int32 stream, four output channels at a time.

    Biases and so many taps in turn of the first two as a vector of inputs has lanes, the same of
    the other two, shifts where there are any, multipliers.

    Args:
        weights: int8 or int16 [out_c, taps].
        requant: folded bias and factors.
        lanes: inputs of a vector.
    """
    taps = _vectors(weights, QUAD, lanes).transpose(0, 2, 1, 3)
    bias = _words(requant.bias, QUAD)
    pairs = [(bias[:, k : k + 2], taps[:, :, k : k + 2]) for k in (0, 2)]
    shifts = [_words(requant.pre_shift, QUAD)] if requant.pre_shift.any() else []
    return _blocks(*pairs[0], *pairs[1], *shifts, _words(requant.multiplier, QUAD))


def three_words(weights: Array, requant: Requant) -> Array:
    """int32 stream, two output channels at a time.

    Biases, for each kernel row and 16 input channels three columns of 16 taps of either in
    turn, multipliers twice.

    Args:
        weights: int8 [out_c, kernel_h, 3, in_c], out_c even.
        requant: folded bias and factors.
    """
    padded = _padded(weights, LANES, 3)
    pairs = padded.reshape(-1, 2, *padded.shape[1:3], padded.shape[3] // LANES, LANES)
    taps = pairs.transpose(0, 2, 4, 3, 1, 5).astype(np.int8)
    multipliers = np.tile(_words(requant.multiplier, 2), 2)
    return _blocks(_words(requant.bias, 2), taps, multipliers)


def dense_words(weights: Array, requant: Requant) -> Array:
    """int32 stream, four outputs at a time: biases, 16 taps of each in turn, multipliers.

    Args:
        weights: int8 [outputs, inputs].
        requant: folded bias and factors.
    """
    taps = _vectors(weights, QUAD).transpose(0, 2, 1, 3)
    return _blocks(_words(requant.bias, QUAD), taps, _words(requant.multiplier, QUAD))


def chunk_words(
    weights: Array, requant: Requant, blocks: Sequence[int], ends: Sequence[int]
) -> Array:
    """int32 stream, block by block of outputs: biases, weights, multipliers.

    Weights stand by chunks of inputs, and for each two outputs by eights in turn.

    Args:
        weights: int8 or int16 [outputs, inputs].
        requant: folded bias and factors.
        blocks: outputs of each, even numbers, those that fill up the last included.
        ends: vectors of eight inputs before the end of each chunk.
    """
    outputs = sum(blocks)
    pairs = _vectors(_padded(weights, outputs), 2, 8).transpose(0, 2, 1, 3)
    bias, multipliers = (
        np.pad(values.astype(np.int32), (0, outputs - len(values)))
        for values in (requant.bias, requant.multiplier)
    )
    parts, first = [], 0
    for end in np.cumsum(blocks):
        some = pairs[first // 2 : end // 2]
        chunks = [some[:, a:b].ravel() for a, b in pairwise((0, *ends))]
        words = [np.ascontiguousarray(chunk).view(np.int32) for chunk in chunks]
        parts += [bias[first:end], *words, multipliers[first:end]]
        first = int(end)
    return np.concatenate(parts)


def window_words(weights: Array, requant: Requant) -> Array:
    """int32 stream, four channels at a time: biases, a window of each, multipliers.

    Args:
        weights: int8 [channels, rows, columns]; rows are filled up to whole words.
        requant: folded bias and factors.
    """
    columns = _padded(weights.transpose(0, 2, 1), QUAD, 2)
    taps = _vectors(columns.reshape(len(columns), -1), QUAD)
    return _blocks(_words(requant.bias, QUAD), taps, _words(requant.multiplier, QUAD))


def pair_words(weights: Array, requant: Requant) -> Array:
    """int32 stream, four channels (0, 2, 1, 3) at a time, for two output rows.

    Biases, then of each a window for the upper row, one for the lower, a byte further on, and
    the multiplier of the channel before, four times; the last multiplier.

    Args:
        weights: int8 [channels, rows, columns], at most 3 rows and 4 columns, channels % 4 == 0.
        requant: folded bias and factors.
    """
    channels, rows, columns = weights.shape
    windows = np.zeros((2, channels, QUAD, QUAD), np.int8)
    for row in range(2):
        windows[row, :, :columns, row : row + rows] = weights.transpose(0, 2, 1)
    order = [0, 2, 1, 3]
    upper, below = windows.reshape(2, -1, QUAD, LANES)[:, :, order]
    bias, factors = (_words(v, QUAD)[:, order] for v in (requant.bias, requant.multiplier))
    scale = [np.repeat(factors[:, k : k + 1], QUAD, axis=1) for k in range(QUAD)]
    parts = [bias, upper[:, 0], below[:, 0]]
    for k in range(1, QUAD):
        parts += [upper[:, k], below[:, k], scale[k - 1]]
    return _blocks(*parts, scale[-1])


def lane_words(weights: Array, requant: Requant) -> Array:
    """int32 stream, eight channels at a time: biases, taps, shifts if there are any, multipliers.

    Words of even channels stand before those of odd ones.

    Args:
        weights: int16 [channels, rows, columns].
        requant: folded bias and factors.
    """
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    eights = _padded(weights.astype(np.int16), 8).reshape(-1, 8, weights[0].size)
    bias, shifts, multipliers = (
        _words(values, 8)[:, order]
        for values in (requant.bias, requant.pre_shift, requant.multiplier)
    )
    some = [shifts] if shifts.any() else []
    return _blocks(bias, eights.transpose(0, 2, 1), *some, multipliers)


def _padded(values: Array, multiple: int, axis: int = 0) -> Array:
    """Zeros at the end of an axis up to a multiple."""
    missing = [(0, 0)] * values.ndim
    missing[axis] = (0, -values.shape[axis] % multiple)
    result: Array = np.pad(values, missing)
    return result


def _vectors(weights: Array, channels: int, lanes: int = LANES) -> Array:
    """[outputs, taps] as [blocks, channels, vectors, lanes], filled up with zeros."""
    taps = _padded(_padded(weights, lanes, 1), channels)
    return taps.reshape(-1, channels, taps.shape[1] // lanes, lanes)


def _words(values: Array, channels: int) -> Array:
    """[outputs] as int32 [blocks, channels]."""
    return _padded(values.astype(np.int32), channels).reshape(-1, channels)


def _blocks(*parts: Array) -> Array:
    """Block after block the parts of each."""
    words = [np.ascontiguousarray(p).view(np.int32).reshape(len(p), -1) for p in parts]
    packed: Array = np.concatenate(words, axis=1)
    return packed
