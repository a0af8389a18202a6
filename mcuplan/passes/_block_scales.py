# SPDX-License-Identifier: Apache-2.0
"""Integers of weights on scales of blocks: one scale of an output channel times small integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mcuplan.ir.block_factors import MOST, block_factors, in_blocks, short
from mcuplan.ir.graph import Stored
from mcuplan.ir.types import Array, DType, Quant

__all__ = ["as_blocks", "on_block_scales"]

_STEPS = DType.INT4.high  # on either side of 0
_LEAST_MOST = 8  # the factor of the block with the largest scale: one of these to 15
_LEAST_BLOCK = 4  # of fewer a byte for the factor and those of 4 bits are no less than bytes
_TINY = 1e-30  # scale of nothing

_Fit = Callable[[Array, Array], Array]
_Round = Callable[[Array, Array], Array]


def on_block_scales(
    weights: Array, block: int, least: Array, fitted: _Fit, rounded: _Round
) -> Stored:
    """Integers of little squared error, each of 4 bits times the factor of its block.

    Args:
        weights: real ones, output channels on axis 0.
        block: how many on the last axis share a factor.
        least: scale of a channel, at least.
        fitted: of weights [blocks, block] and their widest scales those of least error.
        rounded: weights in steps, and the factor of each, to whole numbers.
    """
    count, size = len(weights), weights.shape[-1]
    blocks = in_blocks(weights.astype(np.float64), block)
    parts = blocks.reshape(count, -1, block)
    rows = parts.reshape(-1, block)
    wanted = fitted(rows, np.abs(rows).max(axis=1, initial=0.0) / _STEPS).reshape(count, -1)
    best = np.ones(wanted.shape)
    least = np.maximum(least, _TINY)
    scale, error = short(least), np.full(count, np.inf)
    for most in range(_LEAST_MOST, MOST + 1):
        tried = short(np.maximum(wanted.max(axis=1, initial=0.0) / most, least))
        made, off = _factors(parts, wanted, tried)
        better = off < error
        best[better], scale[better], error[better] = made[better], tried[better], off[better]
    each = np.repeat(best.reshape(blocks.shape[:-1]), block, axis=-1)[..., :size]
    steps = scale.reshape(-1, *[1] * (weights.ndim - 1)) * each
    values = (rounded(weights / steps, each) * each).astype(np.int8)
    quant = Quant(tuple(scale.tolist()), (0,) * count, 0, DType.INT4_BLOCKS, factored=block)
    return as_blocks(Stored(values, quant))


def _factors(parts: Array, wanted: Array, scale: Array) -> tuple[Array, Array]:
    """The better of two factors for each block, and squared errors of channels.

    ``parts``: weights [channels, blocks, block]; ``wanted``: scales of blocks; ``scale``: of
    channels.
    """
    ratio = wanted / scale[:, None]
    made, least = np.ones(wanted.shape), np.full(wanted.shape, np.inf)
    for whole in (np.floor, np.ceil):
        factor = np.clip(whole(ratio), 1, MOST)
        step = (factor * scale[:, None])[..., None]
        narrow = np.clip(np.rint(parts / step), -_STEPS, _STEPS)
        error = ((narrow * step - parts) ** 2).sum(axis=2)
        made = np.where(error < least, factor, made)
        least = np.minimum(error, least)
    return made, least.sum(axis=1)


def as_blocks(stored: Stored) -> Stored:
    """Integers of blocks on the largest scales that there are.

    They are int4 where no block has a factor beside 1, int8 where one has none, and where factors
    take what 4 bits save or blocks behind the first would begin within a byte.
    """
    quant, block = stored.quant, stored.quant.factored
    if block is None:
        return stored
    factors = block_factors(stored.values, block)
    if factors is None:
        return replace(stored, quant=replace(quant, dtype=DType.INT8, factored=None))
    common = np.gcd.reduce(factors.reshape(len(factors), -1), axis=1).astype(np.int8)
    if len(quant.scale) != len(common):  # one scale for all outputs
        common = np.full(len(common), np.gcd.reduce(common))
    whole = common.reshape(-1, *[1] * (factors.ndim - 1))
    if (factors == whole).all():
        quant = replace(quant, dtype=DType.INT4, factored=None)
    elif block < _LEAST_BLOCK or (block % 2 and block < stored.values.shape[-1]):
        quant = replace(quant, dtype=DType.INT8, factored=None)
    else:
        quant = replace(quant, dtype=DType.INT4_BLOCKS)
    values = stored.values // common.reshape(-1, *[1] * (stored.values.ndim - 1))
    scale = tuple((np.array(quant.scale) * common[: len(quant.scale)]).tolist())
    return Stored(values, replace(quant, scale=scale))
