# SPDX-License-Identifier: Apache-2.0
"""Copies that walk the input by strides, as ``mplan_copy_s8`` runs them.

Transpose, Slice, Tile and Upsample differ only in how each output axis steps through the
input; here that is a list of loops per output axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import row_axis
from mcuplan.ir.op import Call, ConstArray, Kernel, Op, Signature
from mcuplan.ir.types import WHOLE, DType, TensorType, Types
from mcuplan.ir.work import block_parts
from mcuplan.ops._taken import found_call, take_kernels

__all__ = ["MOVED", "Loop", "axis_steps", "copy_call", "copy_kernels", "split_rows"]

MOVED = tuple(
    Types.all(dtype, frozenset({True, False}))
    for dtype in (DType.INT8, DType.FLOAT32, DType.INT16, *WHOLE[1:])
)
"""Element types of operators that only move elements: all of whole bytes."""

_LOOPS = 4


@dataclass(frozen=True, slots=True)
class Loop:
    """``count`` output positions, each ``rows`` input rows and ``step`` bytes further."""

    count: int
    rows: int
    step: int

    def scaled(self, factor: int) -> Loop:
        """Loop of ``factor`` times the step."""
        return replace(self, rows=self.rows * factor, step=self.step * factor)


def split_rows(shape: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """Rows that kernels address one by one, and the axes inside of a row."""
    axis = row_axis(tuple(shape))
    return (1, tuple(shape)) if axis is None else (shape[axis], tuple(shape[axis + 1 :]))


def axis_steps(kind: TensorType) -> tuple[Loop, ...]:
    """For each axis of a tensor the loop that walks along it; steps count elements."""
    shape = kind.shape
    loops = []
    for axis, count in enumerate(shape):
        if axis == row_axis(shape):
            loops.append(Loop(count, 1, 0))
        else:
            loops.append(Loop(count, 0, math.prod(shape[axis + 1 :])))
    return tuple(loops)


def copy_call(
    output: TensorType, axes: Sequence[Sequence[Loop]], start: tuple[int, int] = (0, 0)
) -> Call:
    """The call that copies along the loops of each output axis.

    Args:
        output: type of the output.
        axes: loops of each output axis, outermost first; their counts multiply to its size.
        start: input row and place in it of the first element.

    Raises:
        UnsupportedOp: more loops than the kernel has.
    """
    by_row, size = row_axis(output.shape), output.dtype.nbytes()
    bytewise = [[replace(loop, step=loop.step * size) for loop in loops] for loops in axes]
    row_loops = [] if by_row is None else bytewise[by_row]
    inner = [loop for axis, loops in enumerate(bytewise) if axis != by_row for loop in loops]
    inner = _merged([*inner, Loop(size, 0, 1)])
    run = 1
    if inner and inner[-1].rows == 0 and inner[-1].step == 1:
        run = inner.pop().count
    if len(inner) > _LOOPS:
        raise UnsupportedOp(
            f"a copy with {len(inner)} nested loops", hint=f"at most {_LOOPS} are supported"
        )
    inner = [Loop(1, 0, 0)] * (_LOOPS - len(inner)) + inner
    repeat, moving = _row_pattern(row_loops)
    table = np.array([[n.count, n.rows, n.step] for n in inner], np.int32)
    return Call(
        {
            "loops": ConstArray(DType.INT32, table, "tables"),
            "run": run,
            "start_row": start[0],
            "start_byte": start[1] * size,
            "y_repeat": repeat,
            "y_period": moving.count,
            "y_rows": moving.rows,
            "y_step": moving.step,
        }
    )


def _merged(loops: Sequence[Loop]) -> list[Loop]:
    """Loops without those of one round, neighbours joined where they are one walk."""
    joined: list[Loop] = []
    for loop in loops:
        if loop.count == 1:
            continue
        last = joined[-1] if joined else None
        if last and (last.rows, last.step) == (loop.count * loop.rows, loop.count * loop.step):
            joined[-1] = replace(loop, count=last.count * loop.count)
        else:
            joined.append(loop)
    return joined


def _row_pattern(loops: Sequence[Loop]) -> tuple[int, Loop]:
    """Rows that repeat one position, and the loop that moves: outer loops only repeat it."""
    found = _merged(loops)
    still = [loop.rows == 0 and loop.step == 0 for loop in found]
    repeat = found.pop().count if found and still[-1] else 1
    if not found:
        return repeat, Loop(1, 0, 0)
    if len(found) > 2 or (len(found) == 2 and not still[0]):
        raise UnsupportedOp("rows that are copied in two nested patterns")
    return repeat, found[-1]


def copy_kernels(
    op: type[Op], lower: Callable[[Signature], tuple[Call, ...]]
) -> tuple[Kernel, ...]:
    """The copying kernel for an operator whose one call ``lower`` makes, for each of its types.

    The kernel of tables where that has more loops than the copying one.
    """
    work = _copy_work(lower)

    def needs_table(sig: Signature) -> bool:
        try:
            lower(sig)
        except UnsupportedOp:
            return found_call(sig) is not None
        return False

    def found(sig: Signature) -> tuple[Call, ...]:
        call = found_call(sig)
        assert call is not None
        return (call,)

    copies = (
        Kernel(
            op,
            "mplan_copy_s8",
            lower,
            lambda sig: not sig.once(needs_table),
            types=types,
            cost_class="copy",
            work=work,
        )
        for types in op.types
    )
    return (*copies, *take_kernels(op, found, lambda sig: sig.once(needs_table)))


def _copy_work(
    lower: Callable[[Signature], tuple[Call, ...]],
) -> Callable[[Signature, Sequence[int]], Mapping[str, float]]:
    """What the copying kernel counts, from the loops of the call that ``lower`` makes."""

    def work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
        (call,) = lower(sig)
        loops, run = call.fields["loops"], call.fields["run"]
        assert isinstance(loops, ConstArray)
        assert isinstance(run, int)
        *outer, last = (int(row[0]) for row in loops.values)
        rows = sig.output.rows
        lines = rows * math.prod(outer)
        moves = lines * last
        by_rows = bool(loops.values[-1][1])
        return {
            "call": len(runs),
            "row": rows,
            "line": lines,
            "byte": moves if run == 1 else 0,
            "row_found": moves if by_rows else 0,
            **block_parts("block", moves if run > 1 else 0, run, aligned=_aligned(call)),
        }

    return work


def _aligned(call: Call) -> bool:
    """Whether all blocks begin at words."""
    loops = call.fields["loops"]
    assert isinstance(loops, ConstArray)
    places = (call.fields["run"], call.fields["start_byte"], call.fields["y_step"])
    steps = (int(row[2]) for row in loops.values)
    return not any(isinstance(place, int) and place % 4 for place in (*places, *steps))
