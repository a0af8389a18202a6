# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the mve kernels consume them."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["LANES", "block_words", "padded", "window_words"]

LANES = 16  # bytes of a vector
_QUAD = 4


def padded(values: Array, multiple: int, axis: int = 0) -> Array:
    """Zeros at the end of an axis up to a multiple."""
    missing = [(0, 0)] * values.ndim
    missing[axis] = (0, -values.shape[axis] % multiple)
    result: Array = np.pad(values, missing)
    return result


def block_words(weights: Array, bias: Array, channels: int, *, interleaved: bool = True) -> Array:
    """int32 stream of bias and weights, a few output channels at a time.

    Args:
        weights: int8 [out_c, taps].
        bias: int32 [out_c], zero point folded in.
        channels: output channels that share a block.
        interleaved: 16 taps of each channel in turn, else all of a channel together.

    Returns:
        int32 [blocks, words]: biases, then weights.
    """
    taps = padded(padded(weights.astype(np.int8), LANES, 1), channels)
    blocks = taps.reshape(-1, channels, taps.shape[1] // LANES, LANES)
    if interleaved:
        blocks = blocks.transpose(0, 2, 1, 3)
    words = np.ascontiguousarray(blocks).view(np.int32).reshape(len(blocks), -1)
    biases = padded(bias.astype(np.int32), channels).reshape(-1, channels)
    packed: Array = np.concatenate([biases, words], axis=1)
    return packed


def window_words(weights: Array, bias: Array, multiplier: Array) -> Array:
    """int32 stream of biases, windows and multipliers, four channels at a time.

    Args:
        weights: int8 [channels, rows, columns].
        bias: int32 [channels], zero point folded in.
        multiplier: int32 [channels].

    Returns:
        Of each channel the columns, each up to a multiple of four rows, up to whole vectors.
    """
    columns = padded(weights.astype(np.int8).transpose(0, 2, 1), _QUAD, 2)
    blocks = block_words(columns.reshape(len(columns), -1), bias, _QUAD, interleaved=False)
    factors = padded(multiplier.astype(np.int32), _QUAD).reshape(-1, _QUAD)
    packed: Array = np.concatenate([blocks, factors], axis=1)
    return packed
