# SPDX-License-Identifier: Apache-2.0
"""The scalar kernels on emulated M0+ and M3 cores against the integer meaning, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_program import M0PLUS, M3, Board, BoardProgram, layer, supporting, unweighted

from mcuplan.backends.scalar import KERNELS
from mcuplan.ir.op import ConstArray
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub

INF = float("inf")
ADD = "mplan_add_s8_scalar"
DENSE = "mplan_dense_s8_scalar"
DEPTHWISE = "mplan_depthwise3x3_s8_scalar"
CONV = "mplan_conv2d_s8_scalar"
WINOGRAD = "mplan_winograd_s8_scalar"
BOARDS = pytest.mark.parametrize(
    ("board", "level"),
    [(M0PLUS, "-O0"), (M0PLUS, "-O2"), (M0PLUS, "-Os"), (M3, "-O2"), (M3, "-Os")],
    ids=lambda value: getattr(value, "core", value),
)

# kernel, stride, dilation, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (5, 3, 16), 16),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1, 1), 1),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (3, 3, 7), 5),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (2, 7, 66), 6),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (6, 8, 5), 3),
    ((1, 1), (1, 1), (1, 1), (1, 1, 1, 1), (3, 3, 4), 4),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (6, 5, 8), 9),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), (8, 8, 3), 8),
    ((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), (5, 6, 2), 4),
    ((10, 4), (2, 2), (1, 1), (4, 1, 5, 1), (15, 10, 1), 12),
    ((3, 2), (1, 2), (2, 3), (2, 3, 1, 0), (7, 9, 5), 4),
    ((17, 1), (2, 1), (1, 1), (8, 0, 8, 0), (19, 1, 3), 4),
    ((4, 4), (1, 1), (1, 1), (1, 1, 2, 2), (4, 4, 4), 2),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (1, 1, 16), 3),
]
# pads, (h, w, c), output channels
WINOGRADS = [
    ((1, 1, 1, 1), (8, 8, 16), 4),
    ((1, 1, 1, 1), (4, 16, 32), 2),
    ((1, 1, 1, 1), (6, 5, 8), 6),
    ((0, 0, 0, 0), (9, 11, 24), 2),
    ((2, 0, 1, 2), (3, 9, 40), 2),
    ((1, 1, 1, 1), (1, 1, 8), 2),
    ((1, 1, 1, 1), (5, 12, 3), 4),
    ((0, 0, 0, 0), (3, 3, 1), 2),
    ((1, 1, 1, 1), (5, 5, 33), 2),
]
# strides, pads, (h, w, c)
DEPTHWISES = [
    ((1, 1), (1, 1, 1, 1), (5, 5, 3)),
    ((1, 1), (1, 1, 1, 1), (1, 1, 2)),
    ((1, 1), (0, 0, 0, 0), (3, 7, 4)),
    ((1, 1), (1, 0, 0, 1), (3, 2, 5)),
    ((2, 2), (0, 0, 1, 1), (8, 6, 4)),
    ((2, 2), (1, 1, 1, 1), (7, 8, 6)),
    ((1, 2), (2, 2, 2, 2), (4, 5, 1)),
    ((3, 4), (4, 5, 4, 5), (2, 9, 7)),
    ((1, 1), (0, 2, 0, 3), (4, 1, 9)),
]


@BOARDS
def test_convolution(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, dilation and number of channels gives every byte."""
    program = BoardProgram(1, board)
    for kernel, stride, dilation, pads, shape, outputs in CONVS:
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, dilation, pads, 1, act)
        for spread in (1, 16):  # small weights make long runs
            sig = layer(op, program.rng, (1, *shape), (outputs, *kernel, shape[2]), least=-128)
            sig.constant(1)[...] //= spread
            found = supporting(KERNELS, CONV, sig)
            assert found
            stays = kernel == stride == (1, 1) and not any(pads) and outputs == shape[2]
            program.add(sig, found, inplace=stays)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@BOARDS
def test_winograd(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Tiles that reach beyond any side, all at once and row by row, give every byte."""
    program = BoardProgram(6, board)
    for pads, shape, outputs in WINOGRADS:
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D((3, 3), pads=pads, act=act)
        sig = layer(op, program.rng, (1, *shape), (outputs, 3, 3, shape[2]), least=-128)
        found = supporting(KERNELS, WINOGRAD, sig)
        assert found
        packed = found.calls(sig)[0].fields["packed"]
        assert isinstance(packed, ConstArray)
        assert packed.dtype is DType.INT32  # bytes would not lie on words with -Os
        program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@BOARDS
def test_depthwise(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any strides and padding, windows without a row or column inside too, give every byte."""
    program = BoardProgram(2, board)
    for stride, pads, shape in DEPTHWISES:
        act = (-30.0, 90.0) if shape[2] % 2 == 0 else (-INF, INF)
        op = Conv2D((3, 3), stride, (1, 1), pads, shape[2], act)
        sig = layer(op, program.rng, (1, *shape), (shape[2], 3, 3, 1), least=-128)
        found = supporting(KERNELS, DEPTHWISE, sig)
        assert found, pads
        program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@BOARDS
def test_dense(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of inputs and outputs, one pixel or rows of pixels, gives every byte."""
    program = BoardProgram(3, board)
    shapes = [((1, n), m) for n, m in [(1, 1), (3, 4), (4, 5), (67, 3), (128, 12), (35, 7)]]
    for shape, outputs in [*shapes, ((1, 3, 9), 6), ((1, 2, 3, 5), 4)]:
        act = (-40.0, 60.0) if outputs % 2 else (-INF, INF)
        sig = layer(Dense(act), program.rng, shape, (outputs, shape[-1]), least=-128)
        for function in (DENSE, CONV) if len(shape) > 2 else (DENSE,):
            found = supporting(KERNELS, function, sig)
            assert found
            program.add(sig, found)
    one = layer(Conv2D((1, 1)), program.rng, (1, 1, 1, 18), (7, 1, 1, 18))
    found = supporting(KERNELS, DENSE, one)
    assert found
    program.add(one, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@BOARDS
def test_sums(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Sums and differences of odd sizes give every byte, also in place."""
    program = BoardProgram(5, board)
    for shape in [(1, 3, 5, 7), (1, 1, 1, 1), (1, 4, 2, 8), (1, 9)]:
        for op in (Add(), Sub(), Add((0.0, 1.0))):
            sig = unweighted(op, program.rng, shape, shape)
            found = supporting(KERNELS, ADD, sig)
            assert found
            program.add(sig, found, inplace=True)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)
