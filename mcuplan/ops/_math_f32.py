# SPDX-License-Identifier: Apache-2.0
"""Functions of float32 in the operations of the C headers, in the same order: every bit.

The twins of ``mplan_math_f32.h`` and ``mplan_gates_f32.h``; those of angles are in
``_trig_f32.py``, powers in ``_pow_f32.py``. Largest errors of all float32, in units of the last
place of the exact value, which double has: exp 0.94, expm1 1.79, log and log1p 0.84, tanh 1.33,
sigmoid 1.82, softplus 1.62, erf 1.35. sqrt, rint, floor and ceil are exactly rounded. Whatever is
no number is the one NaN 0x7FC00000.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from mcuplan.ir.types import Array

__all__ = [
    "bits_of",
    "cases",
    "ceil_f32",
    "erf_f32",
    "exp_f32",
    "exp_rest",
    "expm1_f32",
    "floor_f32",
    "leading",
    "log1p_f32",
    "log_f32",
    "of_bits",
    "poly",
    "quiet",
    "rint_f32",
    "scaled",
    "sigmoid_f32",
    "signed",
    "softplus_f32",
    "sqrt_f32",
    "tanh_f32",
]

_f = np.float32
_NAN = np.uint32(0x7FC00000).view(np.float32)
_INF = _f(np.inf)
_SIGN = np.uint32(0x80000000)
_WHOLE = _f(8388608.0)
_LOG2_HIGH, _LOG2_LOW = _f(0.693145752), _f(1.42860677e-06)


def quiet(function: Callable[..., Array]) -> Callable[..., Array]:
    """Arrays of float32 in and out, and no warning about what a branch not taken computes."""

    @wraps(function)
    def made(*arrays: Any) -> Array:
        with np.errstate(all="ignore"):
            result = function(*(np.asarray(x, np.float32) for x in arrays))
        return np.asarray(result, np.float32)

    return made


def bits_of(x: Array) -> Array:
    return np.asarray(x, np.float32).view(np.uint32)


def of_bits(bits: Array) -> Array:
    return np.asarray(bits, np.uint32).view(np.float32)


def signed(size: Array, x: Array) -> Array:
    return of_bits(bits_of(size) | (bits_of(x) & _SIGN))


def poly(z: Array, *coefficients: float) -> Array:
    """Horner's sum, from the highest power down."""
    total = np.full_like(z, coefficients[0])
    for c in coefficients[1:]:
        total = total * z + _f(c)
    return total


def cases(*pairs: tuple[Array, Any]) -> Array:
    """The value of the first condition that holds, else NaN."""
    result = np.full(pairs[0][0].shape, _NAN)
    for condition, value in reversed(pairs):
        result = np.where(condition, value, result)
    return result


def scaled(value: Array, k: Array) -> Array:
    """``value * 2**k``, rounded once."""
    half = k >> 1
    powers = (of_bits((part + 127).astype(np.uint32) << np.uint32(23)) for part in (half, k - half))
    for power in powers:
        value = value * power
    return value


@quiet
def rint_f32(x: Array) -> Array:
    """The nearest whole number, halves to even."""
    size = np.abs(x)
    return cases((size < _WHOLE, signed((size + _WHOLE) - _WHOLE, x)), (size >= _WHOLE, x))


@quiet
def floor_f32(x: Array) -> Array:
    """The largest whole number that is not above x."""
    near = rint_f32(x)
    return np.where(near > x, signed(np.abs(near - _f(1)), x), near)


@quiet
def ceil_f32(x: Array) -> Array:
    """The least whole number that is not below x."""
    near = rint_f32(x)
    return np.where(near < x, signed(np.abs(near + _f(1)), x), near)


@quiet
def sqrt_f32(x: Array) -> Array:
    """The square root, correctly rounded."""
    return cases((x >= 0, np.sqrt(x)))


def exp_rest(high: Array, low: Any) -> Array:
    """``exp(high - low) - 1`` within +-0.35."""
    r = high - low
    total = poly(r, 0.00139399897, 0.0083665764, 0.0416664109, 0.166665435, 0.5)
    made: Array = high + (((r * r) * total) - low)
    return made


def _exp_parts(x: Array) -> tuple[Array, Array]:
    """``exp(x) = 2**k * (1 + m)``: m and k."""
    near = x * _f(1.44269502)
    k = np.where(near < 0, near - _f(0.5), near + _f(0.5)).astype(np.int32)
    count = k.astype(np.float32)
    return exp_rest(x - count * _LOG2_HIGH, count * _LOG2_LOW), k


def _within(x: Array, low: float, high: float) -> Array:
    """X where it lies in the domain of a branch, elsewhere 1."""
    return np.where((x >= _f(low)) & (x <= _f(high)), x, _f(1))


@quiet
def exp_f32(x: Array) -> Array:
    """``exp(x)``."""
    m, k = _exp_parts(_within(x, -104, 89))
    power = scaled(_f(1) + m, k)
    return cases((x > _f(89), _INF), (x >= _f(-104), power), (x < _f(-104), _f(0)))


@quiet
def expm1_f32(x: Array) -> Array:
    """``exp(x) - 1``."""
    m, k = _exp_parts(_within(x, -18, 89))
    power = scaled(np.ones_like(m), np.minimum(k, 24))
    middle = np.where(k > 24, scaled(_f(1) + m, k), (power * m) + (power - _f(1)))
    return cases(
        (np.abs(x) < _f(2.98023224e-08), x),
        (x > _f(89), _INF),
        (x >= _f(-18), middle),
        (x < _f(-18), _f(-1)),
    )


def _log_parts(f: Array, k: Array, c: Any) -> Array:
    """``log(2**k * (1 + f)) + c``."""
    count = k.astype(np.float32)
    s = f / (_f(2) + f)
    z = s * s
    half = (_f(0.5) * f) * f
    total = poly(z, 0.242790431, 0.284987897, 0.400009722, 0.666666627)
    low = (s * (half + (z * total))) + ((count * _LOG2_LOW) + c)
    made: Array = ((low - half) + f) + (count * _LOG2_HIGH)
    return made


def _log_reduced(x: Array) -> tuple[Array, Array]:
    """F and k of a positive normal number, which is ``2**k * (1 + f)``."""
    above = bits_of(x) + np.uint32(0x3F800000 - 0x3F3504F3)
    k = (above >> np.uint32(23)).astype(np.int32) - 127
    return of_bits((above & np.uint32(0x007FFFFF)) + np.uint32(0x3F3504F3)) - _f(1), k


@quiet
def log_f32(x: Array) -> Array:
    """``log(x)``."""
    subnormal = bits_of(x) < 0x00800000
    f, k = _log_reduced(np.where(subnormal, x * _f(33554432), x))
    made = _log_parts(f, np.where(subnormal, k - 25, k), _f(0))
    return cases(((x > 0) & (x < _INF), made), (x > 0, x), (x == 0, -_INF))


@quiet
def log1p_f32(x: Array) -> Array:
    """``log(1 + x)``."""
    u = _f(1) + x
    lost = np.where(u > _f(2), _f(1) - (u - x), x - (u - _f(1)))
    f, k = _log_reduced(u)
    return cases(
        (np.abs(x) < _f(2.98023224e-08), x),
        ((x > _f(-0.292893)) & (x < _f(0.414213)), _log_parts(x, np.zeros_like(k), _f(0))),
        ((x > _f(-1)) & (x < _INF), _log_parts(f, k, lost / u)),
        (x > 0, x),
        (x >= _f(-1), -_INF),
    )


@quiet
def tanh_f32(x: Array) -> Array:
    """``tanh(x)``."""
    size, z = np.abs(x), x * x
    total = poly(z, -0.00571549917, 0.0206491034, -0.0537430048, 0.133314848, -0.333332837)
    far = _f(1) - (_f(2) / (exp_f32(_f(2) * size) + _f(1)))
    return cases(
        (size < _f(0.625), signed(size + (size * (z * total)), x)),
        (size < _f(9.25), signed(far, x)),
        (size >= _f(9.25), signed(np.ones_like(x), x)),
    )


@quiet
def sigmoid_f32(x: Array) -> Array:
    """``1 / (1 + exp(-x))``."""
    power = exp_f32(-np.abs(x))
    gate = np.where(x < 0, power, _f(1)) / (_f(1) + power)
    return cases((np.abs(x) >= 0, np.where(x < 0, power - (power * gate), gate)))


@quiet
def softplus_f32(x: Array) -> Array:
    """``log(1 + exp(x))``."""
    made = np.where(x > 0, x, _f(0)) + log1p_f32(exp_f32(-np.abs(x)))
    return cases((np.abs(x) >= 0, made))


_ERF = (8.41540386e-05, -0.000815161096, 0.00520152505, -0.0268593729)
_ERFC = (0.000203561765, -0.0031169916, 0.022516707, -0.104523346, -0.636519313, -1.12806225)


@quiet
def erf_f32(x: Array) -> Array:
    """The error function; ``1 - erf(x) = exp(a polynomial)`` for larger x."""
    size = np.abs(x)
    near = poly(x * x, *_ERF, 0.112836868, -0.376126319, 0.128379166)
    far = _f(1) - exp_f32(poly(size, *_ERFC, -0.000103891209))
    return cases(
        (size < _f(0.90625), signed(size + (size * near), x)),
        (size < _f(3.9375), signed(far, x)),
        (size >= _f(3.9375), signed(np.ones_like(x), x)),
    )


def leading(value: Array, bit: int) -> tuple[Array, Array]:
    """Positive integers shifted left until a bit is the first that is set, and how far."""
    places = np.zeros(value.shape, np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        small = (value >> np.uint64(bit + 1 - step)) == 0
        value = np.where(small, value << np.uint64(step), value)
        places += np.where(small, step, 0)
    return value, places
