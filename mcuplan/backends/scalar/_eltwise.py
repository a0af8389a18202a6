# SPDX-License-Identifier: Apache-2.0
"""Sums of two tensors."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends._sums import row_sums
from mcuplan.backends.scalar._shared import kernel
from mcuplan.ir.op import Signature
from mcuplan.ir.work import Work
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.fields import same_shapes

__all__ = ["KERNELS"]


def _add_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One element of a row after the other."""
    return {"call": len(calls), "row": sig.output.rows, "output": sig.output.elements}


KERNELS = (
    kernel(
        Add, function="mplan_add_s8_scalar", lower=row_sums, supports=same_shapes, work=_add_work
    ),
    kernel(
        Sub, function="mplan_add_s8_scalar", lower=row_sums, supports=same_shapes, work=_add_work
    ),
)
