# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells: sums of four rows at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, kernel
from mcuplan.ir.op import Call, ConstArray, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.recurrent import LastState, Recurrent
from mcuplan.ops.recurrent_kernels import (
    Kind,
    factors_of,
    integer_fields,
    pointers,
    unit_work,
)
from mcuplan.units import align_up

__all__ = ["RECURRENT"]

_FUNCTIONS = {
    Kind.LSTM: ["sigmoid", "tanh", "tanh"],
    Kind.GRU: ["sigmoid", "tanh"],
    Kind.RNN: ["tanh"],
}
_FIXED = (  # of those cells; multipliers stand with the words
    *("first_is_tanh", "second_is_tanh", "third_is_tanh", "first_limit", "second_limit"),
    *("input_forget", "h_pre_shift", "x_multiplier", "h_multiplier"),
)
_UNROLL = 8
_MOST_SHIFT = 16  # of a state to the left within a word


def _as_widened(matrix: Array) -> Array:
    """Columns of x in the order that the kernel widens its bytes in."""
    whole = matrix.shape[1] // FOUR * FOUR
    fours = matrix[:, :whole].reshape(len(matrix), -1, 2, 2).swapaxes(2, 3)
    return np.concatenate([fours.reshape(len(matrix), whole), matrix[:, whole:]], axis=1)


def _words(matrix: Array) -> Array:
    """[blocks of four rows, fours of inputs, pairs of rows, inputs]: 256 * odd + even."""
    rows, inputs = (align_up(n, FOUR) for n in matrix.shape)
    wide = np.zeros((rows, inputs), np.int32)
    wide[: matrix.shape[0], : matrix.shape[1]] = matrix
    halves: Array = 256 * wide[1::2] + wide[::2]
    return halves.reshape(rows // FOUR, 2, inputs // FOUR, FOUR).transpose(0, 2, 1, 3)


def _packed(matrix: Array, multiplier: Array) -> ConstArray:
    """Of four rows at a time words of two rows and inputs, then the multipliers."""

    def make() -> Array:
        words = _words(matrix)
        stream = words.astype("<i2").reshape(len(words), -1).view("<i4")
        factors = np.pad(multiplier, (0, -len(multiplier) % FOUR)).reshape(-1, FOUR)
        return np.concatenate([stream, factors.astype(np.int32)], axis=1).reshape(-1)

    rows, inputs = (align_up(n, FOUR) for n in matrix.shape)
    return ConstArray(DType.INT32, Packed(rows // FOUR * (inputs + FOUR), make))


def _lower(sig: Signature) -> tuple[Call, ...]:
    fields, found = integer_fields(sig), factors_of(sig)
    hidden = found.peepholes.shape[1]
    for name in _FIXED:
        fields.pop(name, None)
    fields["weights"] = _packed(_as_widened(sig.constant(2)), found.x_multiplier)
    fields["recurrent"] = _packed(sig.constant(3), found.h_multiplier)
    fields["bias"] = ConstArray(DType.INT32, np.pad(found.bias, (0, -hidden % FOUR)))
    return (Call(fields, pointers(sig)),)


def _scratch(sig: Signature) -> int:
    """Widened inputs and outputs, and what the functions are given."""
    op = sig.op
    assert isinstance(op, Recurrent)
    cell, size = op.cell, sig.inputs[0].channels
    values = align_up(size, FOUR) + align_up(cell.hidden, FOUR)
    gates = cell.rows + (cell.hidden if cell.linear_before_reset else 0)
    return 2 * values + 4 * (align_up(gates, FOUR) + FOUR)


def _fours(count: int) -> int:
    return align_up(count, FOUR) // FOUR


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four rows by four values at a time, eight of these in a turn; what is copied before."""
    op = sig.op
    assert isinstance(op, Recurrent)
    size, hidden = sig.inputs[0].channels, op.cell.hidden
    work = unit_work(sig, runs)
    times = work["step"]
    blocks, vectors = times * _fours(op.cell.rows), (_fours(size), _fours(hidden))
    factors = factors_of(sig)
    moved = hidden % FOUR > 0 or factors.h_right > 0
    return {
        **work,
        "block": 2 * blocks,
        "block_turn": blocks * sum(-(-n // _UNROLL) for n in vectors),
        "block_four": blocks * sum(vectors),
        "x_four": times * (size // FOUR) * (2 + factors.x_shift),  # a shift is half as long
        "x_one": times * (size % FOUR),
        "h_one": times * hidden * moved,
    }


def _supports(sig: Signature) -> bool:
    """Cells of the usual functions: words exist, blocks begin at a four, sums stay in int32."""
    op = sig.op
    assert isinstance(op, Recurrent)
    cell = op.cell
    usual = [f.name for f in cell.functions] == _FUNCTIONS[cell.kind]
    if not usual or cell.input_forget or np.isfinite(cell.clip):
        return False
    if cell.kind is Kind.GRU and cell.hidden % 2:
        return False
    factors = factors_of(sig)
    most = 128 * np.abs(sig.constant(2).astype(np.int64)).sum(axis=1) << factors.x_shift
    if factors.x_shift > 8 or factors.h_shift or factors.out_shift > _MOST_SHIFT:
        return False
    return sig.once(_words_exist) and bool(most.max(initial=0) < 1 << 31)


def _words_exist(sig: Signature) -> bool:
    """Whether no weight of -128 stands beside one below 0."""
    return all(bool((_words(sig.constant(i)) >= -(1 << 15)).all()) for i in (2, 3))


RECURRENT = tuple(
    kernel(
        op,
        function="mplan_recurrent_s8_dsp",
        lower=_lower,
        work=_work,
        supports=_supports,
        scratch_bytes=_scratch,
        types=types,
        cost_class="dense",
    )
    for op in (Recurrent, LastState)
    for types in op.types
    if types.outputs[0] is not DType.FLOAT32
)
