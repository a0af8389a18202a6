# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the mve kernels consume them."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["LANES", "block_words", "padded"]

LANES = 16  # bytes of a vector


def padded(values: Array, multiple: int, axis: int = 0) -> Array:
    """Zeros at the end of an axis up to a multiple."""
    missing = [(0, 0)] * values.ndim
    missing[axis] = (0, -values.shape[axis] % multiple)
    result: Array = np.pad(values, missing)
    return result


def block_words(weights: Array, bias: Array, channels: int) -> Array:
    """int32 stream of bias and weights, a few output channels at a time.

    Args:
        weights: int8 [out_c, taps].
        bias: int32 [out_c], zero point folded in.
        channels: output channels that share a block.

    Returns:
        For each block the biases, then 16 taps of each channel in turn.
    """
    taps = padded(padded(weights.astype(np.int8), LANES, 1), channels)
    blocks = taps.reshape(-1, channels, taps.shape[1] // LANES, LANES).transpose(0, 2, 1, 3)
    words = np.ascontiguousarray(blocks).view(np.int32).reshape(len(blocks), -1)
    biases = padded(bias.astype(np.int32), channels).reshape(-1, channels)
    packed: Array = np.concatenate([biases, words], axis=1)
    return packed
