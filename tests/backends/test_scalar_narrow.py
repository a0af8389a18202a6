# SPDX-License-Identifier: Apache-2.0
"""The scalar kernels for weights of 4 bits on emulated M0+ and M3 cores, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_program import M0PLUS, M3, Board, BoardProgram, layer, narrowed, supporting
from test_scalar import CONVS

from mcuplan.backends.scalar import KERNELS
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense

INF = float("inf")
CONV, DENSE = "mplan_conv2d_w4_scalar", "mplan_dense_w4_scalar"
BOARDS = pytest.mark.parametrize(
    ("board", "level"),
    [(M0PLUS, "-O0"), (M0PLUS, "-O2"), (M3, "-O2"), (M3, "-Os")],
    ids=lambda value: getattr(value, "core", value),
)
# kernel, pads, (h, w, c), output channels, block
BLOCKS = [
    ((1, 1), (0, 0, 0, 0), (3, 3, 64), 5, 32),
    ((3, 3), (1, 1, 1, 1), (4, 5, 40), 3, 16),
    ((3, 2), (1, 0, 1, 1), (5, 4, 12), 4, 8),
    ((1, 1), (0, 0, 0, 0), (1, 5, 100), 6, 64),
    ((1, 1), (0, 0, 0, 0), (2, 2, 8), 2, 4),
]
# input, outputs, block
MATRICES = [
    ((1, 1), 1, 8),
    ((1, 3), 4, 8),
    ((1, 67), 9, 16),
    ((1, 128), 12, 32),
    ((1, 35), 7, 8),
    ((1, 3, 9), 6, 8),
    ((1, 2, 3, 50), 8, 32),
]


@BOARDS
def test_convolution(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, dilation and number of channels gives every byte, -8 included."""
    program = BoardProgram(1, board)
    for kernel, stride, dilation, pads, shape, outputs in CONVS:
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, dilation, pads, 1, act)
        for least in (-8, -7):
            plain = layer(op, program.rng, (1, *shape), (outputs, *kernel, shape[2]))
            sig = narrowed(program.rng, plain, least)
            found = supporting(KERNELS, CONV, sig)
            assert found
            stays = kernel == stride == (1, 1) and not any(pads) and outputs == shape[2]
            program.add(sig, found, inplace=stays)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@BOARDS
def test_blocks(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Blocks of one run or of several, the last one shorter, give every byte."""
    program = BoardProgram(2, board)
    for kernel, pads, shape, outputs, block in BLOCKS:
        for least in (-8, -7):
            op = Conv2D(kernel, pads=pads)
            plain = layer(op, program.rng, (1, *shape), (outputs, *kernel, shape[2]))
            sig = narrowed(program.rng, plain, least, block)
            found = supporting(KERNELS, CONV, sig)
            assert found
            program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@BOARDS
def test_dense(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of inputs and outputs and any blocks, one pixel or several, gives every byte."""
    program = BoardProgram(4, board)
    for size, outputs, block in MATRICES:
        act = (-40.0, 60.0) if outputs % 2 else (-INF, INF)
        real = 1.7 if outputs == 7 else 0.0
        plain = layer(Dense(act), program.rng, size, (outputs, size[-1]), real=real)
        for sig in (narrowed(program.rng, plain, -8), narrowed(program.rng, plain, -8, block)):
            found = supporting(KERNELS, DENSE, sig)
            assert found
            program.add(sig, found)
    one = narrowed(program.rng, layer(Conv2D((1, 1)), program.rng, (1, 1, 1, 18), (7, 1, 1, 18)))
    found = supporting(KERNELS, DENSE, one)
    assert found
    program.add(one, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("value", [-8, 7])
def test_sums_of_runs_at_their_ends(value: int, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """All weights and all inputs at one end: no run leaves its half of the word."""
    program = BoardProgram(3, M0PLUS)
    for block in (None, 32):
        plain = layer(Dense(), program.rng, (1, 2, 4, 96), (3, 96), real=1e-4)
        sig = narrowed(program.rng, plain, -8, block)
        sig.constant(1)[...] = value
        for function in (CONV, DENSE):
            found = supporting(KERNELS, function, sig)
            assert found
            for end in (-128, 127):
                program.add(sig, found, value=end)
    assert [] == program.run(tmp_path, arm_gcc, qemu, "-O2")
