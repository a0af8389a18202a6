# SPDX-License-Identifier: Apache-2.0
"""Normalizations in integers: one inverse square root and one factor for each group of values.

`docs/arithmetic.md` has the definition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Array

__all__ = ["Epsilon", "Factors", "factors_of", "finished", "inverse_root", "units"]

_FINE_BITS = 10  # of fraction of a result, in steps of the output
_SQUARE_BITS = 12  # of fraction of the square of a norm, times the number of values
_MOST_VALUES = (1 << 17) - 1  # normalized together: their squares are summed in 32 bits
_MOST_STEPS = 500_000  # of the output that a result may be away from its zero point: below 2^19


class Epsilon(StrEnum):
    """Where the small number stands that keeps a divisor from 0."""

    INSIDE = "inside"  # added to the mean of squares, below the root
    ADDED = "added"  # added to the norm
    LEAST = "least"  # the norm is no less


class _Norm(Protocol):
    """A normalization; `mcuplan.ops.normalize.Normalize` says what the members mean."""

    @property
    def gains(self) -> tuple[float, ...]: ...
    @property
    def offsets(self) -> tuple[float, ...]: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def divisor(self) -> float: ...
    @property
    def whole(self) -> bool: ...
    @property
    def groups(self) -> int: ...
    @property
    def centered(self) -> bool: ...
    @property
    def power(self) -> int: ...
    @property
    def rule(self) -> Epsilon: ...


@dataclass(frozen=True, slots=True)
class Factors:
    """Constants of the kernels, as their params struct names them."""

    gains: Array  # int32 [channels]
    offsets: Array  # int32 [channels]
    epsilon: int
    least: int
    norm_epsilon: int
    unit_bits: int
    zero_point: int  # of the input


def factors_of(sig: Signature) -> Factors:
    """Constants of a node, worked out once."""
    return sig.once(_factors_of)


def _factors_of(sig: Signature) -> Factors:
    """Constants of a node.

    Raises:
        UnsupportedOp: too many values are normalized together.
        ScaleError: results could be too far from the output's zero point, or epsilon too far
            above the input's steps.
    """
    op: _Norm = sig.op  # type: ignore[assignment]
    source, output, shape = sig.inputs[0].q, sig.output.q, sig.inputs[0].shape
    n = (shape[-2] if op.whole else 1) * shape[-1] // op.groups
    if n > _MOST_VALUES:
        raise UnsupportedOp(f"normalizes {n:,} values, {_MOST_VALUES:,} at most in int8")
    share = op.divisor / n
    reach = math.ceil(math.log2(n) / op.power)  # bits of a value over n times the norm
    unit = math.sqrt(share) if op.power == 2 else share
    gains, offsets = np.array(op.gains) * unit / output.s, np.array(op.offsets) / output.s
    if not 2.0**reach * np.abs(gains).max() + np.abs(offsets).max() < _MOST_STEPS:
        raise ScaleError(
            f"output scale {output.s:.3g} is far too small for its layer",
            hint="calibrate with representative data",
        )
    unit_bits = 30 - reach
    epsilon, rule = op.epsilon / source.s, op.rule  # in steps of the input
    squares = op.power == 2
    inside = n * op.divisor * op.epsilon / source.s**2 if squares else 0.0
    norm = 0.0 if squares else op.divisor * epsilon
    least = max(1, n - 1 if op.centered else n) if squares else 1.0
    if squares and rule is Epsilon.ADDED:
        inside, norm = 0.0, math.sqrt(n * op.divisor) * epsilon
    if rule is Epsilon.LEAST:
        inside, norm = 0.0, 0.0
        least = max(least, n * op.divisor * epsilon**2 if squares else (op.divisor * epsilon) ** 2)
    if not (norm < 2.0**22 and max(inside, least) * 2.0**_SQUARE_BITS < 2.0**61):
        raise ScaleError(
            f"input scale {source.s:.3g} lies far below the epsilon of its layer",
            hint="calibrate with representative data",
        )
    return Factors(
        gains=np.floor(gains * 2.0 ** (32 + _FINE_BITS - unit_bits) + 0.5).astype(np.int64),
        offsets=np.floor((offsets + output.z + 0.5) * 2.0**_FINE_BITS + 0.5).astype(np.int64),
        epsilon=math.floor(inside * 2.0**_SQUARE_BITS + 0.5),
        least=math.floor(least * 2.0**_SQUARE_BITS + 0.5),
        norm_epsilon=math.floor(norm * 2.0 ** (_SQUARE_BITS // 2) + 0.5),
        unit_bits=unit_bits,
        zero_point=source.z,
    )


def inverse_root(value: Array) -> tuple[Array, Array]:
    """``root * 2**(-46 - half)`` is ``1 / sqrt(value)``, to 1.2e-6; as `mplan_inverse_root`.

    Args:
        value: from 1 to ``2**63 - 1``.

    Returns:
        ``root`` in [2^30, 2^31], and ``half``: the value is ``4**half`` times a mantissa of 31 or
        32 bits.
    """
    bits = np.frompyfunc(int.bit_length, 1, 1)(value.astype(object)).astype(np.int64)
    half = -((32 - bits) // 2)
    mantissa = _mantissa(value, half)
    bent = 3_527_624_445 - (mantissa * 1_759_398_445 >> 32)  # Q30, below 2^32
    root = 2_867_787_663 - (mantissa * bent >> 32)
    for _ in range(2):
        square = root * root >> 32
        root = root * (805_306_368 - (square * mantissa >> 32)) >> 29
    return root, half


def _mantissa(value: Array, half: Array) -> Array:
    """The value over ``4**half``, without a fraction."""
    made: Array = (value >> np.maximum(2 * half, 0)) << np.maximum(-2 * half, 0)
    return made


def _int32(values: Array) -> Array:
    """The lower 32 bits, signed."""
    wrapped: Array = (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32).astype(np.int64)
    return wrapped


def units(op: _Norm, f: Factors, q: Array) -> Array:
    """Values less their mean over their norm, in ``2**-unit_bits``.

    Args:
        op: the normalization.
        f: its constants.
        q: int64 [.., values], those of a group on the last axis.
    """
    n = q.shape[-1]
    own = q.sum(axis=-1, keepdims=True)
    total = own if op.centered else np.full_like(own, n * f.zero_point)
    if op.power == 1:
        away = np.abs(q - f.zero_point).sum(axis=-1, keepdims=True)
        square = np.square((away << _SQUARE_BITS // 2) + f.norm_epsilon)
    else:
        squares = n * np.square(q).sum(axis=-1, keepdims=True)
        spread = squares + (-own * own if op.centered else total * (total - 2 * own))
        square = (spread << _SQUARE_BITS) + f.epsilon
    square = np.maximum(square, f.least)
    if op.power == 2 and op.rule is Epsilon.ADDED:
        root, half = inverse_root(square)
        norm = (_mantissa(square, half) * root) >> (46 - half)
        square = np.maximum(np.square(norm + f.norm_epsilon), f.least)
    root, half = inverse_root(square)
    down = 40 + half - f.unit_bits
    return _int32(q * (n * root >> down) - (total * root >> down))


def finished(unit: Array, f: Factors) -> Array:
    """What `units` are, [.., channels], in steps of the output."""
    fine: Array = (unit * f.gains + (1 << 31) >> 32) + f.offsets
    return fine >> _FINE_BITS
