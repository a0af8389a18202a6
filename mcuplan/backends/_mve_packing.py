# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the mve kernels consume them."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["LANES", "QUAD", "conv_words", "dense_words", "padded", "window_words"]

LANES = 16  # bytes of a vector
QUAD = 4  # int32 of a vector


def padded(values: Array, multiple: int, axis: int = 0) -> Array:
    """Zeros at the end of an axis up to a multiple."""
    missing = [(0, 0)] * values.ndim
    missing[axis] = (0, -values.shape[axis] % multiple)
    result: Array = np.pad(values, missing)
    return result


def conv_words(weights: Array, bias: Array) -> Array:
    """int32 stream, two output channels at a time: biases, then 16 taps of each in turn.

    Args:
        weights: int8 [out_c, taps].
        bias: int32 [out_c], zero point folded in.
    """
    taps = _vectors(weights, 2).transpose(0, 2, 1, 3)
    return _blocks(_words(bias, 2), taps)


def dense_words(weights: Array, bias: Array, multiplier: Array) -> Array:
    """int32 stream, four outputs at a time: biases, 16 taps of each in turn, multipliers.

    Args:
        weights: int8 [outputs, inputs].
        bias: int32 [outputs], zero point folded in.
        multiplier: int32 [outputs].
    """
    taps = _vectors(weights, QUAD).transpose(0, 2, 1, 3)
    return _blocks(_words(bias, QUAD), taps, _words(multiplier, QUAD))


def window_words(weights: Array, bias: Array, multiplier: Array) -> Array:
    """int32 stream, four channels at a time: biases, a window of each, multipliers.

    Args:
        weights: int8 [channels, rows, columns]; rows are filled up to whole words.
        bias: int32 [channels], zero point folded in.
        multiplier: int32 [channels].
    """
    columns = padded(weights.transpose(0, 2, 1), QUAD, 2)
    taps = _vectors(columns.reshape(len(columns), -1), QUAD)
    return _blocks(_words(bias, QUAD), taps, _words(multiplier, QUAD))


def _vectors(weights: Array, channels: int) -> Array:
    """[outputs, taps] as int8 [blocks, channels, vectors, LANES], filled up with zeros."""
    taps = padded(padded(weights.astype(np.int8), LANES, 1), channels)
    return taps.reshape(-1, channels, taps.shape[1] // LANES, LANES)


def _words(values: Array, channels: int) -> Array:
    """[outputs] as int32 [blocks, channels]."""
    return padded(values.astype(np.int32), channels).reshape(-1, channels)


def _blocks(*parts: Array) -> Array:
    """Block after block the parts of each."""
    words = [np.ascontiguousarray(p).view(np.int32).reshape(len(p), -1) for p in parts]
    packed: Array = np.concatenate(words, axis=1)
    return packed
