# SPDX-License-Identifier: Apache-2.0
"""How a product walks through two operands whose axes are named by labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import Shape, row_axis

__all__ = ["LOOPS", "NOWHERE", "SUMMED", "Labels", "Walk", "walks"]

SUMMED = -1  # label of the axis that is summed over
NOWHERE = -2  # of an axis of 1 that the result does not have
LOOPS = 4

Labels = tuple[tuple[int, ...], tuple[int, ...]]
"""For each axis of both operands which one of the result it is, or SUMMED or NOWHERE."""

Walk = tuple[int, int, int, int, int]
"""Rounds, and from one to the next: rows and elements of one operand, of the other."""


def walks(labels: Labels, inputs: Sequence[Shape], output: Shape) -> tuple[Walk, ...]:
    """Four loops that fill an output row, outermost first; that of sums; that of rows.

    Raises:
        UnsupportedOp: it takes more.
    """
    found: list[Walk] = []
    for axis, count in enumerate(output):
        if axis == row_axis(output) or count == 1:
            continue
        walk = _walk(labels, inputs, axis, count)
        if found and found[-1][1:] == tuple(count * step for step in walk[1:]):
            found[-1] = (found[-1][0] * count, *walk[1:])
        else:
            found.append(walk)
    if not found or (any(found[-1][1:3]) and any(found[-1][3:])):
        found.append((1, 0, 0, 0, 0))  # one operand stays along the columns
    if len(found) > LOOPS:
        raise UnsupportedOp(f"a product of {list(inputs[0])} and {list(inputs[1])}")
    head = [(1, 0, 0, 0, 0)] * (LOOPS - len(found))
    by_row = row_axis(output)
    rows = (1, 0, 0, 0, 0) if by_row is None else _walk(labels, inputs, by_row, output[by_row])
    return (*head, *found, _walk(labels, inputs, SUMMED, inputs[0][labels[0].index(SUMMED)]), rows)


def _walk(labels: Labels, inputs: Sequence[Shape], label: int, count: int) -> Walk:
    (rows, step), (rows2, step2) = (
        _steps_along(shape, own, label) for own, shape in zip(labels, inputs, strict=True)
    )
    return count, rows, step, rows2, step2


def _steps_along(shape: Shape, labels: tuple[int, ...], label: int) -> tuple[int, int]:
    """Rows and elements to the next index of the axis of a label; 0 where it is repeated."""
    axis = labels.index(label) if label in labels else None
    if axis is None or shape[axis] == 1:
        return 0, 0
    return (1, 0) if axis == row_axis(shape) else (0, math.prod(shape[axis + 1 :]))
