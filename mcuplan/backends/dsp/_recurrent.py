# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells: sums of four rows at a time."""

from __future__ import annotations

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, kernel
from mcuplan.ir.op import Call, ConstArray, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops.recurrent import LastState, Recurrent
from mcuplan.ops.recurrent_kernels import (
    Kind,
    factors_of,
    integer_fields,
    is_integer_cell,
    pointers,
    recurrent_work,
)
from mcuplan.units import align_up

__all__ = ["RECURRENT"]

_BYTES_OF_WORD = (0, 2, 1, 3)
_MOST_SHIFT = 16  # of a state to the left within a word


def _packed(matrix: Array) -> ConstArray:
    """Four rows by four inputs at a time, a word for each row."""
    rows, inputs = (align_up(n, FOUR) for n in matrix.shape)

    def make() -> Array:
        wide = np.zeros((rows, inputs), np.int8)
        wide[: matrix.shape[0], : matrix.shape[1]] = matrix
        blocks = wide.reshape(rows // FOUR, FOUR, inputs // FOUR, FOUR)[..., _BYTES_OF_WORD]
        stream = np.ascontiguousarray(blocks.transpose(0, 2, 1, 3))
        words: Array = stream.reshape(-1).view("<i4").astype(np.int32)
        return words

    return ConstArray(DType.INT32, Packed(rows * inputs // FOUR, make))


def _lower(sig: Signature) -> tuple[Call, ...]:
    fields = integer_fields(sig)
    fields |= {"weights": _packed(sig.constant(2)), "recurrent": _packed(sig.constant(3))}
    found = factors_of(sig)
    for name, rows in [("x_multiplier", found.x_multiplier), ("h_multiplier", found.h_multiplier)]:
        fields[name] = ConstArray(DType.INT32, np.pad(rows, (0, -len(rows) % FOUR)), "tables")
    return (Call(fields, pointers(sig)),)


def _scratch(sig: Signature) -> int:
    """Widened inputs and outputs, and what the functions are given."""
    op = sig.op
    assert isinstance(op, Recurrent)
    cell, size = op.cell, sig.inputs[0].channels
    values = align_up(size, FOUR) + align_up(cell.hidden, FOUR)
    gates = cell.rows + (cell.hidden if cell.linear_before_reset else 0)
    return 2 * values + 4 * (align_up(gates, FOUR) + FOUR)


def _supports(sig: Signature) -> bool:
    """Integer cells whose sums stay in int32 when shifted, and whose blocks begin at a four."""
    op = sig.op
    assert isinstance(op, Recurrent)
    cell = op.cell
    if not is_integer_cell(cell) or (cell.kind is Kind.GRU and cell.hidden % 2):
        return False
    factors = factors_of(sig)
    most = 128 * np.abs(sig.constant(2).astype(np.int64)).sum(axis=1) << factors.x_shift
    if factors.x_shift > 8 or factors.h_shift or factors.out_shift > _MOST_SHIFT:
        return False
    return bool(most.max(initial=0) < 1 << 31)


RECURRENT = tuple(
    kernel(
        op,
        function="mplan_recurrent_s8_dsp",
        lower=_lower,
        work=recurrent_work,
        supports=_supports,
        scratch_bytes=_scratch,
        types=types,
        cost_class="dense",
    )
    for op in (Recurrent, LastState)
    for types in op.types
    if types.outputs[0] is not DType.FLOAT32
)
