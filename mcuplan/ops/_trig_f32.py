# SPDX-License-Identifier: Apache-2.0
"""Sine, cosine and arc tangent of float32: the twins of ``mplan_trig_f32.h``, bit for bit.

Largest errors that every 61st float32 shows, in units of the last place of the exact value: sin
and cos 1.58, atan 0.85.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.ops._math_f32 import bits_of, cases, leading, of_bits, poly, quiet, signed

__all__ = ["atan_f32", "cos_f32", "quarter", "sin_f32", "sin_parts"]

_f = np.float32
_INF = _f(np.inf)
_SIGN = np.uint32(0x80000000)
_TWO_BY_PI = np.array(
    [0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB, 0, 0],
    np.uint64,
)


def _u(value: int) -> np.uint64:
    return np.uint64(value)


def quarter(x: Array) -> tuple[Array, Array]:
    """A finite x >= 0 without whole quarters of a turn, and how many they are, modulo 4."""
    large = x > _f(0.785398185)
    bits = bits_of(np.where(large, x, _f(1)))
    place = ((bits >> np.uint32(23)) - np.uint32(120)).astype(np.uint64)
    word, shift = (place >> _u(5)).astype(np.int64), place & _u(31)
    digits = ((bits & np.uint32(0x007FFFFF)) | np.uint32(0x00800000)).astype(np.uint64)
    part = [
        ((((_TWO_BY_PI[word + i] << _u(32)) | _TWO_BY_PI[word + i + 1]) << shift) >> _u(32))
        * digits
        for i in range(3)
    ]
    turn = (part[0] << _u(32)) + part[1] + (part[2] >> _u(32)) + _u(1 << 61)
    quadrant = (turn >> _u(62)).astype(np.uint32)
    turn = (turn & _u((1 << 62) - 1)) - _u(1 << 61)
    negative = (turn >> _u(63)) != 0
    turn, halvings = leading(np.where(negative, ~turn + _u(1), turn), 61)
    turn = ((turn >> _u(31)) * _u(0x6487ED51)) >> _u(30)
    rest = np.where(negative, _f(-1), _f(1)) * turn.astype(np.uint32).astype(np.float32)
    rest = rest * of_bits((96 - halvings).astype(np.uint32) << np.uint32(23))
    return np.where(large, rest, x), np.where(large, quadrant, np.uint32(0))


def sin_parts(r: Array, quadrant: Array) -> Array:
    """The sine of a rest and quarters of a turn more."""
    z = r * r
    odd = poly(z, 2.83739519e-06, -0.000198535054, 0.00833338033, -0.166666672)
    even = poly(z, 2.44306684e-05, -0.00138873013, 0.0416666456)
    cosine: Array = (_f(1) - (_f(0.5) * z)) + ((z * z) * even)
    result = np.where((quadrant & np.uint32(1)) == 0, r + (r * (z * odd)), cosine)
    made: Array = np.where((quadrant & np.uint32(2)) != 0, -result, result)
    return made


@quiet
def sin_f32(x: Array) -> Array:
    """``sin(x)``, x in radians."""
    finite = np.abs(x) < _INF
    made = sin_parts(*quarter(np.where(finite, np.abs(x), _f(0))))
    return cases((finite, np.where((bits_of(x) & _SIGN) != 0, -made, made)))


@quiet
def cos_f32(x: Array) -> Array:
    """``cos(x)``, x in radians."""
    finite = np.abs(x) < _INF
    r, quadrant = quarter(np.where(finite, np.abs(x), _f(0)))
    return cases((finite, sin_parts(r, quadrant + np.uint32(1))))


_ATAN = (0.0438528508, -0.0829611719, 0.110112742, -0.142792195, 0.199998036, -0.333333313)


@quiet
def atan_f32(x: Array) -> Array:
    """The angle in radians whose tangent is x."""
    size = np.abs(x)
    below = [size < _f(end) for end in (0.4375, 0.6875, 1.1875, 2.4375)]
    half = ((_f(2) * size) - _f(1)) / (_f(2) + size)
    one = (size - _f(1)) / (size + _f(1))
    more = (size - _f(1.5)) / (_f(1) + (_f(1.5) * size))

    def chosen(*values: Any) -> Array:
        made: Array = np.select(below, values[:4], values[4]).astype(np.float32)
        return made

    high = chosen(*map(_f, (0.0, 0.463647604, 0.785398185, 0.982793748, 1.57079637)))
    low = chosen(*map(_f, (0.0, 5.01215868e-09, -2.18556941e-08, -2.51314241e-08, -4.37113883e-08)))
    r = chosen(size, half, one, more, _f(-1) / size)
    z = r * r
    rest = (r * (z * poly(z, *_ATAN))) + low
    return cases((size >= 0, signed(high + (r + rest), x)))
