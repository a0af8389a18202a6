# SPDX-License-Identifier: Apache-2.0
"""What the weighted scalar kernels share."""

from __future__ import annotations

from functools import partial

from mcuplan.ir.op import ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ops.fields import clamp_fields, prepared

__all__ = ["BACKEND", "is_small", "kernel", "last_fields"]

BACKEND = "scalar"
_SMALL = 1 << 30
_MOST_WEIGHTS = 4 << 20

kernel = partial(Kernel, backend=BACKEND)


def last_fields(sig: Signature) -> dict[str, Field]:
    """Factors, zero point and limits; the bias is the kernel's own."""
    factors = ConstArray(DType.INT32, prepared(sig).multiplier, "tables")
    return {"multiplier": factors, **clamp_fields(sig)}


def is_small(sig: Signature) -> bool:
    """Whether factors and accumulators allow requantization by 16-bit halves.

    Weights beyond any flash are not looked at: their order takes long to find.
    """
    if sig.constant(1).size > _MOST_WEIGHTS:
        return False
    requant = prepared(sig)
    largest = max(requant.multiplier.max(initial=0), requant.accumulator_max.max(initial=0))
    return bool(largest < _SMALL) and not requant.pre_shift.any()
