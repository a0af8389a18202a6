# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits on scales of blocks: integers of 8 bits that a factor of each block divides.

A block is so many weights along the last axis, the last one shorter. Each of its integers is its
factor, 1 to 15, times one of 4 bits: what a layer computes with weights of 8 bits and a scale for
each output channel is exactly what it computes with these.
"""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array, DType

__all__ = ["MOST", "block_factors", "factors_of_all", "in_blocks", "short"]

_MANTISSA = 20  # bits of a scale: float32 holds its products with factors
MOST = 15  # factor of a block: one of 4 bits times it is an int8


def in_blocks(values: Array, block: int) -> Array:
    """Values block by block, the last one filled up by zeros: [..., blocks, block]."""
    size = values.shape[-1]
    whole = [(0, 0)] * (values.ndim - 1) + [(0, -size % block)]
    made: Array = np.pad(values, whole).reshape(*values.shape[:-1], -(-size // block), block)
    return made


def block_factors(values: Array, block: int) -> Array | None:
    """The least factor of each block: uint8 [..., blocks]; None where a block has none."""
    parts = in_blocks(values.astype(np.int16), block)
    common = np.gcd.reduce(parts, axis=-1)
    least, most = parts.min(axis=-1), parts.max(axis=-1)
    found = np.zeros(common.shape, np.uint8)
    for factor in range(MOST, 0, -1):
        held = (least >= factor * DType.INT4.low) & (most <= factor * DType.INT4.high)
        found[held & (common % factor == 0)] = factor
    return found if found.all() else None


def factors_of_all(values: Array, block: int) -> Array | None:
    """The factor of each value: uint8, of the shape of the values; None where a block has none."""
    factors = block_factors(values, block)
    if factors is None:
        return None
    each: Array = np.repeat(factors, block, axis=-1)[..., : values.shape[-1]]
    return each


def short(scales: Array) -> Array:
    """Scales, none smaller, whose product with any factor is a float32."""
    mantissa, exponent = np.frexp(scales.astype(np.float64))
    made: Array = np.ldexp(np.ceil(mantissa * 2.0**_MANTISSA), exponent - _MANTISSA)
    return made
