# SPDX-License-Identifier: Apache-2.0
"""Layers of sizes, strides, borders and cells that few models have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.recurrent import FUNCTIONS, Cell, Function, Kind, LastState, Recurrent, state_quant
from mcuplan.ops.state_parts import StatePart
from mcuplan.prove.layers import Shape

__all__ = ["ODD"]


def _conv(size: tuple[int, int, int], outputs: int, op: Conv2D) -> Shape:
    weights = (outputs, *op.kernel, size[2] // op.groups)
    return Shape(op, ((1, *size),), (weights, (outputs,)))


_BATCH, _STEPS, _SIZE, _HIDDEN = 3, 4, 3, 6
_LENGTHS = (2, 4, 3)  # of the sequences of a batch


def _cells() -> Iterator[Shape]:
    """Backwards, sequences of different lengths, peepholes, every function of a gate."""
    lstm, gru = _cell(Kind.LSTM, "sigmoid", "tanh", "tanh"), _cell(Kind.GRU, "sigmoid", "tanh")
    for cell in (lstm, gru, _cell(Kind.RNN, "tanh")):
        for reverse, lengths in ((True, ()), (False, _LENGTHS), (True, _LENGTHS)):
            yield from _orders(cell, reverse=reverse, lengths=lengths)
    yield from _orders(lstm, peepholes=True)
    yield from _orders(replace(lstm, input_forget=True))
    yield from _orders(replace(lstm, functions=(*lstm.functions[:2], Function("relu"))))
    yield from _orders(replace(lstm, functions=(*lstm.functions[:2], Function("sigmoid"))))
    yield from _orders(replace(gru, clip=0.5))
    for name, (alpha, beta) in FUNCTIONS.items():
        cell = Cell(Kind.RNN, _HIDDEN, (Function(name, alpha, beta),))
        yield from _orders(cell)
    for parts in (1, 2):
        state = (1, 1, _BATCH, parts, _HIDDEN)
        grids = (state_quant(parts, 4 * (parts - 1)),)
        for made in (DType.INT8, DType.INT16):
            yield Shape(StatePart(parts - 1), (state,), grids=grids, made=made)


def _cell(kind: Kind, *names: str) -> Cell:
    return Cell(kind, _HIDDEN, tuple(Function(name) for name in names))


def _orders(
    cell: Cell, *, reverse: bool = False, lengths: tuple[int, ...] = (), peepholes: bool = False
) -> Iterator[Shape]:
    """The last state, and every output beside it."""
    state = (1, 1, _BATCH, cell.parts, _HIDDEN)
    matrices = ((cell.rows, _SIZE), (cell.rows, _HIDDEN), (2, cell.rows))
    constants = (*matrices, (3, _HIDDEN)) if peepholes else matrices
    inputs = ((1, _STEPS, _BATCH, _SIZE), state)
    grids = (None, state_quant(cell.parts, cell.reach))
    for op in (
        LastState(cell, reverse, lengths),
        Recurrent(cell, reverse, lengths, final=True),
    ):
        yield Shape(op, inputs, constants, grids=grids)


ODD = (
    _conv((5, 5, 8), 6, Conv2D((1, 1), (2, 2))),  # rows with a pixel that waits for another
    _conv((7, 5, 4), 8, Conv2D((1, 1), (2, 1))),
    _conv((4, 6, 12), 7, Conv2D((1, 1), (1, 2))),
    _conv((3, 3, 8), 4, Conv2D((1, 1), pads=(1, 1, 1, 1))),  # 1x1, and yet a border
    _conv((3, 4, 8), 5, Conv2D((1, 1), pads=(0, 1, 0, 1))),
    _conv((4, 3, 8), 5, Conv2D((1, 1), pads=(1, 0, 1, 0))),
    _conv((4, 4, 8), 4, Conv2D((1, 1), pads=(0, 0, 0, 2))),
    _conv((4, 4, 8), 4, Conv2D((1, 1), pads=(0, 0, 2, 0))),
    _conv((5, 7, 3), 3, Conv2D((3, 3), pads=(1, 1, 1, 1))),  # no four outputs
    _conv((5, 5, 2), 2, Conv2D((3, 3), (2, 2), pads=(2, 2, 2, 2))),
    _conv((4, 5, 4), 5, Conv2D((2, 3), pads=(0, 3, 0, 3))),  # windows without any pixel
    _conv((6, 6, 4), 4, Conv2D((3, 3), pads=(2, 2, 2, 2), dilation=(2, 2))),
    _conv((6, 5, 4), 4, Conv2D((3, 2), pads=(3, 3, 3, 3), dilation=(1, 3))),
    _conv((9, 9, 8), 8, Conv2D((3, 3), (2, 2), groups=8)),  # depthwise without a border
    _conv((8, 9, 8), 8, Conv2D((3, 3), (2, 2), pads=(0, 0, 1, 1), groups=8)),
    _conv((9, 8, 12), 12, Conv2D((3, 3), (2, 2), pads=(1, 1, 0, 0), groups=12)),
    _conv((5, 3, 4), 4, Conv2D((3, 3), pads=(1, 1, 1, 1), groups=4)),
    Shape(Dense(), ((1, 1),), ((1, 1), (1,))),
    Shape(Dense(), ((1, 3),), ((2, 3), (2,))),
    Shape(Dense(), ((1, 7),), ((9, 7), (9,))),
    Shape(AvgPool2D((5, 5)), ((1, 5, 5, 3),)),
    Shape(AvgPool2D((2, 7)), ((1, 2, 7, 9),)),
    Shape(AvgPool2D((3, 300)), ((1, 3, 300, 4),)),  # more pixels than 16 bits of a sum hold
    Shape(AvgPool2D((9, 60)), ((1, 9, 60, 5),)),
    Shape(AvgPool2D((3, 3), (1, 1), pads=(2, 2, 2, 2)), ((1, 4, 5, 4),)),
    Shape(AvgPool2D((3, 2), (2, 1)), ((1, 7, 6, 2),)),
    *_cells(),
)
"""By operator, in no order that matters."""
