# SPDX-License-Identifier: Apache-2.0
"""Sums of two tensors."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends.scalar._shared import kernel
from mcuplan.ir.op import Call, Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.fields import same_shapes, sums_fields

__all__ = ["KERNELS"]


def _add(sig: Signature) -> tuple[Call, ...]:
    """The portable kernel's factors, without its loops."""
    (call,) = portable_calls(sig)
    return (Call(sums_fields(sig, call.fields), inputs=(0, 1)),)


def _add_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One element of a row after the other."""
    return {"call": len(calls), "row": sig.output.rows, "output": sig.output.elements}


KERNELS = (
    kernel(Add, function="mplan_add_s8_scalar", lower=_add, supports=same_shapes, work=_add_work),
    kernel(Sub, function="mplan_add_s8_scalar", lower=_add, supports=same_shapes, work=_add_work),
)
