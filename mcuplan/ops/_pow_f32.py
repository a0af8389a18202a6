# SPDX-License-Identifier: Apache-2.0
"""Powers of float32: the twin of ``mplan_pow_f32.h``, bit for bit."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.ops._math_f32 import bits_of, cases, exp_rest, leading, quiet, scaled, signed

__all__ = ["pow_f32"]

_FACTORS = np.array(
    [177, 170, 163, 157, 151, 146, 141, 136, 132, 128, 120, 113, 107, 102, 97, 93], np.int64
)
_DIGITS = 55
_LOGS = np.floor(-np.log2(_FACTORS / 128) * 2.0**_DIGITS + 0.5).astype(np.int64)
_SUMS = (-250848954, 310071858, -387277979, 516360587, -774541001)
_FIRST = 3326628274470997504  # 2**61 / log(2)
_MOST = 152 << 32
_MANTISSA = np.uint32(0x007FFFFF)


def _log2(x: Array) -> tuple[Array, Array]:
    """log2 of positive numbers as integers, and the binary digits of their fractions."""
    subnormal = bits_of(x) < 0x00800000
    bits = bits_of(np.where(subnormal, x * np.float32(33554432), x))
    above = bits + np.uint32(0x3F800000 - 0x3F3504F3)
    whole = (above >> np.uint32(23)).astype(np.int64) - 127 - np.where(subnormal, 25, 0)
    part = ((above & _MANTISSA) >> np.uint32(19)).astype(np.int64)
    m = (above & _MANTISSA) + np.uint32(0x3F3504F3)
    fixed = ((m & _MANTISSA) | np.uint32(0x00800000)).astype(np.int64)
    fixed = np.where(m >= 0x3F800000, fixed << 1, fixed)
    r = fixed * _FACTORS[part] - (1 << 31)
    total = np.zeros_like(r)
    for each in _SUMS:
        total = ((total * r) >> 31) + each
    total = total * r + _FIRST
    near = r * (total >> 30) + ((r * (total & 0x3FFFFFFF)) >> 30)
    is_near = (whole == 0) & (_LOGS[part] == 0)
    far = (near >> 7) + _LOGS[part] + whole * (1 << _DIGITS)
    return np.where(is_near, near, far), np.where(is_near, 62, _DIGITS)


def _exp2(t: Array) -> Array:
    """``2 ** (t * 2**-32)``."""
    whole = (t + 0x80000000) >> 32
    rest = ((t - (whole << 32)) * 2977044472) >> 32
    r = rest.astype(np.int32).astype(np.float32) * np.float32(2.32830644e-10)
    return scaled(np.float32(1) + exp_rest(r, np.float32(0)), whole)


def _power(x: Array, y: Array) -> Array:
    """``x ** y`` for finite numbers, x above 0."""
    log2, digits = _log2(x)
    bits = bits_of(y) & np.uint32(0x7FFFFFFF)
    size, places = leading(np.abs(log2).astype(np.uint64), 62)
    digits_y = ((bits & _MANTISSA) | np.uint32(0x00800000)).astype(np.uint64)
    low = np.uint64(32)
    product = digits_y * (size >> low) + ((digits_y * (size & np.uint64(0xFFFFFFFF))) >> low)
    shift = digits + places + 86 - (bits >> np.uint32(23)).astype(np.int64)
    one, by = np.uint64(1), np.clip(shift, 14, 55).astype(np.uint64)
    t = np.minimum(((product >> (by - one)) + one) >> one, np.uint64(_MOST)).astype(np.int64)
    t = np.where(shift < 14, _MOST, np.where(shift < 56, t, 0))
    t = np.where((log2 == 0) | (bits < 0x00800000), 0, t)
    return _exp2(np.where((log2 < 0) != (y < 0), -t, t))


@quiet
def pow_f32(x: Array, y: Array) -> Array:
    """``x ** y`` as IEEE 754 defines it: ``1 ** y`` and ``x ** 0`` are 1."""
    x, y = np.broadcast_arrays(x, y)
    size, size_y = np.abs(x), np.abs(y)
    even = size_y >= 16777216
    steps = np.where((size_y >= 1) & ~even, size_y, np.float32(0)).astype(np.uint32)
    is_whole = even | ((size_y >= 1) & (steps.astype(np.float32) == size_y))
    finite = (size > 0) & (size < np.inf) & (size_y < np.inf)
    made = _power(*(np.where(finite, each, np.float32(1)) for each in (size, y)))
    end = np.where((size > 1) == (y > 0), np.float32(np.inf), np.float32(0))
    result = cases(
        ((x == 1) | (y == 0), np.float32(1)),
        (np.isnan(x) | np.isnan(y), np.float32(np.nan)),
        (~finite, np.where(size == 1, np.float32(1), end)),
        ((x > 0) | is_whole, made),
    )
    odd = is_whole & ((steps & np.uint32(1)) != 0) & ~np.isnan(x)
    return np.where(odd, signed(result, x), result)
