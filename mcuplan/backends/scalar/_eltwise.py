# SPDX-License-Identifier: Apache-2.0
"""Sums of two tensors."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends._sums import row_sums
from mcuplan.backends.scalar._shared import kernel
from mcuplan.ir.op import Call, Field, Signature
from mcuplan.ir.work import Work
from mcuplan.ops.eltwise import Add, Sub, common_factors
from mcuplan.ops.fields import INT16_TYPES, clamp_fields, same_shapes

__all__ = ["KERNELS"]

_LARGEST, _LEAST_SHIFT = (1 << 31) - (1 << 19), 17  # of factors for int16, and of their shift


def _add_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One element of a row after the other."""
    return {"call": len(calls), "row": sig.output.rows, "output": sig.output.elements}


def _halves_do(sig: Signature) -> bool:
    """Whether int16 operands of one shape and zero point 0 are joined by halves of factors."""
    if not same_shapes(sig) or any(kind.q.z for kind in sig.inputs):
        return False
    factors, shift = common_factors(sig)
    return max(factors) < _LARGEST and shift >= _LEAST_SHIFT


def _wide_sums(sig: Signature) -> tuple[Call, ...]:
    (a, b), shift = common_factors(sig)
    elements = sig.output.elements // sig.output.rows
    fields: dict[str, Field] = {
        "multiplier": a,
        "multiplier2": -b if isinstance(sig.op, Sub) else b,
        "row_elements": elements,
        "shift": shift,
    }
    return (Call(fields | clamp_fields(sig), inputs=(0, 1)),)


KERNELS = (
    *(
        kernel(
            op, function="mplan_add_s8_scalar", lower=row_sums, supports=same_shapes, work=_add_work
        )
        for op in (Add, Sub)
    ),
    *(
        kernel(
            op,
            function="mplan_add_s16_scalar",
            lower=_wide_sums,
            supports=_halves_do,
            types=INT16_TYPES,
            work=_add_work,
        )
        for op in (Add, Sub)
    ),
)
