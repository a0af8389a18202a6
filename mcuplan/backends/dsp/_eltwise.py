# SPDX-License-Identifier: Apache-2.0
"""Sums of two tensors, and pools."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends._sums import row_sums
from mcuplan.backends.dsp._shared import clamped, kernel
from mcuplan.ir.op import Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.fields import same_shapes
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.pool_kernels import has_two_axes, max_pool_work, pool_work

__all__ = ["KERNELS"]


def _add_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four elements of a row at a time."""
    row = sig.output.row_bytes
    rows = sig.output.rows
    return {
        "call": len(runs),
        "row": rows,
        "word": rows * (row // 4),
        "odd_byte": rows * (row % 4),
        **clamped(sig),
    }


def _pool_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four channels of a window at a time."""
    return pool_work(sig, runs, 4)


def _max_pool_work(sig: Signature, runs: Sequence[int]) -> Work:
    """The same, of rows that are filled before."""
    return max_pool_work(sig, runs, 4)


KERNELS = (
    kernel(Add, function="mplan_add_s8_dsp", lower=row_sums, supports=same_shapes, work=_add_work),
    kernel(Sub, function="mplan_add_s8_dsp", lower=row_sums, supports=same_shapes, work=_add_work),
    kernel(
        AvgPool2D,
        function="mplan_avg_pool2d_s8_dsp",
        lower=portable_calls,
        supports=has_two_axes,
        cost_class="pool",
        work=_pool_work,
    ),
    kernel(
        MaxPool2D,
        function="mplan_max_pool2d_s8_dsp",
        lower=portable_calls,
        supports=has_two_axes,
        cost_class="pool",
        work=_max_pool_work,
    ),
)
