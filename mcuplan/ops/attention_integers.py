# SPDX-License-Identifier: Apache-2.0
"""Integers of attention: weights of scores, means of values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import AccumulatorOverflow, ScaleError
from mcuplan.ir.op import ConstArray, Field, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = ["MOST_NARROW", "Constants", "constants_of", "integer_fields", "means", "powers"]

_MOST_BELOW = (1 << 30) - 1  # a score may be below the largest; hidden keys are further
_EXPONENT_BITS = 16  # of fraction of a logarithm to base 2
_STEPS = 32  # of the table of exponentials
_REST = (1 << _EXPONENT_BITS) // _STEPS
_SHARE_BITS = 16  # of fraction of a mean of values
_SUM_BITS = 15  # of a sum of weights
_NARROW = 14  # bits of a weight, and its value, whose sum of as many keys fits 32 bits
MOST_NARROW = 512


@dataclass(frozen=True, slots=True)
class Constants:
    """Of the kernel, as its params struct names them."""

    table: Array  # uint32 [33]
    factor: int
    factor_shift: int
    coarse: int  # bits of fraction that logarithms of masked scores lack
    limit: int
    drop: int
    multiplier: int
    pre_shift: int


def constants_of(sig: Signature, scale: float, *, masked: bool = False) -> Constants:
    """Constants of a node; ``masked``: scores themselves become logarithms, not differences.

    Raises:
        AccumulatorOverflow: a score could leave 32 bits.
        ScaleError: the scales of queries and keys are far out of reach of each other.
    """
    q, k, v = (kind.q for kind in sig.inputs[:3])
    depth, keys = sig.inputs[0].shape[3], sig.inputs[1].shape[1]
    if depth * DType.INT8.steps * DType.INT8.reach * 2 > _MOST_BELOW:
        raise AccumulatorOverflow(f"a score of {depth:,} products could leave 32 bits")
    base2 = q.s * k.s * scale * math.log2(math.e)
    bits = min(24, 31 - (keys - 1).bit_length())
    most = math.floor(min((bits + 1) / base2, _MOST_BELOW)) if base2 > 0 else 0
    if not 0 < base2 < 2.0**14:
        raise ScaleError(
            f"a step of {base2:.3g} between scores", hint="calibrate with representative data"
        )
    largest = depth * DType.INT8.steps * DType.INT8.reach if masked else max(1, most)
    beyond = math.frexp(base2 * largest)[1] + _EXPONENT_BITS - 30
    coarse = min(_EXPONENT_BITS, max(0, beyond))
    factor, shift = requantize_factors(base2 * 2.0 ** (_EXPONENT_BITS - coarse), largest)
    drop = bits - _NARROW if keys <= MOST_NARROW else 0
    table = np.floor(2.0 ** (bits - np.arange(_STEPS + 1) / _STEPS) + 0.5).astype(np.int64)
    real = v.s / sig.output.q.s / (1 << _SHARE_BITS)
    multiplier, pre_shift = requantize_factors(real, DType.INT8.steps << _SHARE_BITS)
    return Constants(table, factor, shift, coarse, most, drop, multiplier, pre_shift)


def powers(table: Array, y: Array) -> Array:
    """``2^-y`` in fixed point: between steps of a table along a line."""
    whole, step, rest = y >> _EXPONENT_BITS, (y % (1 << _EXPONENT_BITS)) // _REST, y % _REST
    high, low = table[step], table[step + 1]
    result: Array = (high - (high - low) * rest // _REST) >> whole
    return result


def means(sig: Signature, made: Constants, weights: Array, values: Array) -> Array:
    """int8 means of values [n, M, H, E] by weights [n, N, H, M], products without last bits."""
    total = weights.sum(axis=-1, keepdims=True)
    sums = np.zeros((*weights.shape[:3], values.shape[3]), np.int64)
    for j in range(weights.shape[3]):
        sums += (weights[..., j, None] * values[:, None, j]) >> made.drop
    sums = (sums << made.drop) - total * sig.inputs[2].q.z
    bits = np.frompyfunc(int.bit_length, 1, 1)(total.astype(object)).astype(np.int64)
    short = total >> (bits - _SUM_BITS)
    reciprocal = ((1 << 31) + (short >> 1)) // short
    shares = ((sums >> (bits - _SUM_BITS)) * reciprocal) >> (31 - _SHARE_BITS)
    return requantize(shares, made.multiplier, made.pre_shift, sig.output.q.z)


def integer_fields(sig: Signature, made: Constants) -> dict[str, Field]:
    """Constants as the params struct has them."""
    return {
        "exponentials": ConstArray(DType.UINT32, made.table, "tables"),
        "factor": made.factor,
        "factor_shift": made.factor_shift,
        "limit": made.limit,
        "drop": made.drop,
        "multiplier": made.multiplier,
        "pre_shift": made.pre_shift,
        "in_zero_point": sig.inputs[0].q.z,
        "in3_zero_point": sig.inputs[2].q.z,
        "out_zero_point": sig.output.q.z,
    }
