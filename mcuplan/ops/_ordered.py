# SPDX-License-Identifier: Apache-2.0
"""Values of any type as integers in the same order, as `mplan_integers.h` takes them."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import WHOLE, Array, DType
from mcuplan.ops._broadcast import integer_kind

__all__ = ["ORDERED", "ordered", "ordered_kind"]

ORDERED = (DType.FLOAT32, *WHOLE)
"""Types of values that are compared as integers, on no grid."""

_INFINITE = 0x7F800000
_REAL = 32


def ordered(values: Array) -> Array:
    """Integers that stand to each other as the values do; what is no number is above all."""
    if values.dtype.kind != "f":
        return values.view(np.uint8) if values.dtype.kind == "b" else values
    bits = values.astype(np.float32).view(np.int32).astype(np.int64)
    size = bits & 0x7FFFFFFF
    made: Array = np.where(size > _INFINITE, _INFINITE + 1, np.where(bits < 0, -size, size))
    return made


def ordered_kind(dtype: DType) -> int:
    """How `mplan_integers.h` names the type."""
    return integer_kind(DType.INT32) + _REAL if dtype.is_float else integer_kind(dtype)
