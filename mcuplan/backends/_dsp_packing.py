# SPDX-License-Identifier: Apache-2.0
"""Weights in the order in which the dsp kernels consume them."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array, DType
from mcuplan.quant.requantize import Requant

__all__ = [
    "channel_words",
    "depthwise3x3_words",
    "depthwise_words",
    "fits_one_shift",
    "padded_channels",
    "run_words",
    "shares_words",
]

_FOUR = 4
_PAIR_LIMIT = 1 << 23  # 256 * sum of a channel in the high byte stays in int32


def padded_channels(values: Array) -> Array:
    """Zeros at the end of axis 0 up to a multiple of four."""
    missing = -len(values) % _FOUR
    padded: Array = np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1))
    return padded


def run_words(runs: Array) -> Array:
    """Bytes on the last axis as the kernels widen a run: [..., words, 2].

    Four at a time as {0, 2}, {1, 3}; of a rest of one to three {0}, {0, 1} or {0, 1}, {2}.
    """
    count = runs.shape[-1]
    whole = count - count % _FOUR
    fours = runs[..., :whole].reshape(*runs.shape[:-1], -1, 2, 2)
    head = np.swapaxes(fours, -1, -2).reshape(*runs.shape[:-1], whole // 2, 2)
    rest = runs[..., whole:]
    rest = np.pad(rest, [(0, 0)] * (runs.ndim - 1) + [(0, -rest.shape[-1] % 2)])
    tail = rest.reshape(*runs.shape[:-1], rest.shape[-1] // 2, 2)
    words: Array = np.concatenate([head, tail], axis=-2)
    return words


def fits_one_shift(requant: Requant) -> bool:
    """Whether every accumulator stays in int32 when shifted for requantization."""
    reach = requant.accumulator_max.astype(object) << requant.pre_shift.astype(object)
    return bool((reach < 1 << 31).all())


def shares_words(weights: Array, requant: Requant) -> bool:
    """Whether two channels may share int16 words ``256 * odd + even``.

    The words must exist, and the odd channel's sum without bias, times 256, must stay in int32.
    """
    both = padded_channels(weights.astype(np.int64))
    words = 256 * both[1::2] + both[0::2]
    small = DType.INT8.reach * np.abs(both[1::2]).sum(axis=(1, 2)) < _PAIR_LIMIT
    return bool((words >= -(1 << 15)).all() and small.all()) and fits_one_shift(requant)


def channel_words(weights: Array, requant: Requant) -> Array:
    """int32 stream of bias, weights and multipliers, four output channels at a time.

    Args:
        weights: [channels, steps, 2], taps as the patch has them.
        requant: folded bias and factors.
    """
    taps = padded_channels(weights.astype(np.int64))
    bias = padded_channels(requant.bias.astype(np.int64))
    multiplier = padded_channels(requant.multiplier.astype(np.int64))
    fours = len(taps) // _FOUR
    halves = (256 * taps[1::2] + taps[0::2]) & 0xFFFF
    words = (halves[..., 0] | halves[..., 1] << 16).reshape(fours, 2, -1).transpose(0, 2, 1)
    low, high = bias[0::2].reshape(fours, 2), bias[1::2].reshape(fours, 2)
    blocks = [low, words.reshape(fours, -1), high, multiplier.reshape(fours, _FOUR)]
    stream = np.concatenate(blocks, axis=1) & 0xFFFFFFFF
    packed: Array = stream.astype(np.uint32).view(np.int32)
    return packed


def depthwise3x3_words(weights: Array, requant: Requant) -> Array:
    """int32 stream of seven words for each channel: five of weights, bias, multiplier.

    Args:
        weights: [channels, row, column].
        requant: folded bias and factors.
    """
    w = weights.astype(np.int64)
    nothing = np.zeros(len(w), np.int64)
    pairs = [(w[:, 0, x], w[:, 1, x]) for x in range(3)]
    pairs += [(w[:, 2, 0], w[:, 2, 1]), (w[:, 2, 2], nothing)]
    words = [low & 0xFFFF | (high & 0xFFFF) << 16 for low, high in pairs]
    words += [requant.bias.astype(np.int64), requant.multiplier.astype(np.int64)]
    packed: Array = (np.stack(words, axis=1) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return packed


def depthwise_words(weights: Array, requant: Requant, zero_point: int) -> Array:
    """int32 stream of bias, taps and multipliers, four channels at a time.

    Args:
        weights: [channels, rows, columns], channels a multiple of four.
        requant: folded bias and factors.
        zero_point: of the input; it leaves the bias, since the kernel subtracts it.
    """
    taps = weights.reshape(len(weights), -1).astype(np.int64)
    bias = (requant.bias.astype(np.int64) + zero_point * taps.sum(axis=1)).reshape(-1, _FOUR)
    places = np.arange(_FOUR)[None, :, None] * 8
    words = ((taps.reshape(-1, _FOUR, taps.shape[1]) & 0xFF) << places).sum(axis=1)
    multiplier = requant.multiplier.astype(np.int64).reshape(-1, _FOUR)
    stream = np.concatenate([bias, words, multiplier], axis=1) & 0xFFFFFFFF
    packed: Array = stream.astype(np.uint32).view(np.int32)
    return packed
