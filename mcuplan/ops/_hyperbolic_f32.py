# SPDX-License-Identifier: Apache-2.0
"""tan, asin, acos, sinh, cosh and their inverses: twins of ``mplan_hyperbolic_f32.h``."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.ops._math_f32 import (
    bits_of,
    cases,
    exp_f32,
    expm1_f32,
    log1p_f32,
    log_f32,
    quiet,
    signed,
    sqrt_f32,
)
from mcuplan.ops._trig_f32 import atan_f32, quarter, sin_parts

__all__ = [
    "acos_f32",
    "acosh_f32",
    "asin_f32",
    "asinh_f32",
    "atanh_f32",
    "cosh_f32",
    "sinh_f32",
    "tan_f32",
]

_f = np.float32
_LOG2 = _f(0.693147182)


@quiet
def tan_f32(x: Array) -> Array:
    """``tan(x)``, x in radians."""
    finite = np.abs(x) < np.inf
    r, quadrant = quarter(np.where(finite, np.abs(x), _f(0)))
    made = sin_parts(r, quadrant) / sin_parts(r, quadrant + np.uint32(1))
    return cases((finite, np.where((bits_of(x) >> np.uint32(31)) != 0, -made, made)))


@quiet
def asin_f32(x: Array) -> Array:
    """The angle in radians whose sine is x."""
    size = np.abs(x)
    beside = sqrt_f32((_f(1) - size) * (_f(1) + size))
    return cases((size <= 1, signed(atan_f32(size / beside), x)))


@quiet
def acos_f32(x: Array) -> Array:
    """The angle in radians whose cosine is x."""
    return cases((np.abs(x) <= 1, _f(2) * atan_f32(sqrt_f32((_f(1) - x) / (_f(1) + x)))))


def _halves(size: Array) -> Any:
    """Half of the exponential of a large number, which may be infinite."""
    root = exp_f32(_f(0.5) * size)
    return (_f(0.5) * root) * root


@quiet
def sinh_f32(x: Array) -> Array:
    """``(exp(x) - exp(-x)) / 2``."""
    size = np.abs(x)
    grown = expm1_f32(size)
    near = _f(0.5) * (grown + (grown / (grown + _f(1))))
    return cases((size < 10, signed(near, x)), (size >= 10, signed(_halves(size), x)))


@quiet
def cosh_f32(x: Array) -> Array:
    """``(exp(x) + exp(-x)) / 2``."""
    size = np.abs(x)
    power = exp_f32(size)
    return cases((size < 10, _f(0.5) * (power + (_f(1) / power))), (size >= 10, _halves(size)))


@quiet
def asinh_f32(x: Array) -> Array:
    """The number whose sinh is x."""
    size = np.abs(x)
    square = size * size
    near = log1p_f32(size + (square / (_f(1) + sqrt_f32(square + _f(1)))))
    far = log_f32(size) + _LOG2
    return cases((size < 4096, signed(near, x)), (size >= 4096, signed(far, x)))


@quiet
def acosh_f32(x: Array) -> Array:
    """The number of at least 0 whose cosh is x."""
    above = x - _f(1)
    near = log1p_f32(above + sqrt_f32(above * (above + _f(2))))
    return cases((x >= 4096, log_f32(x) + _LOG2), (x >= 1, near))


@quiet
def atanh_f32(x: Array) -> Array:
    """The number whose tanh is x."""
    size = np.abs(x)
    ratio = (_f(2) * size) / (_f(1) - size)
    return cases((size <= 1, signed(_f(0.5) * log1p_f32(ratio), x)))
