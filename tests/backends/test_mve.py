# SPDX-License-Identifier: Apache-2.0
"""The mve kernels on an emulated Cortex-M55 against the integer meaning, byte for byte."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from board_program import M55, BoardProgram, layer, narrowed, supporting, unweighted

from mcuplan.backends.mve import KERNELS
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Mul, Sub
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.unary import Lookup, UnaryFn

INF = float("inf")
CONV = "mplan_conv2d_s8_mve"
THREE = "mplan_conv3_s8_mve"
DEPTHWISE = "mplan_depthwise_s8_mve"
PAIR = "mplan_depthwise3_s8_mve"
DENSE = "mplan_dense_s8_mve"
NARROW = "mplan_dense_w4_mve"
ADD = "mplan_add_s8_mve"
MUL = "mplan_mul_s8_mve"
LOOKUP = "mplan_lookup_s8_mve"
AVERAGE = "mplan_avg_pool2d_s8_mve"
MAXIMUM = "mplan_max_pool2d_s8_mve"

# kernel, stride, dilation, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (5, 3, 16), 16),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1, 1), 1),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (3, 3, 7), 5),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (3, 4, 19), 19),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (2, 7, 66), 35),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (7, 7, 12), 8),
    ((1, 1), (1, 1), (1, 1), (1, 1, 1, 1), (3, 3, 4), 18),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (6, 5, 16), 9),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), (8, 8, 3), 8),
    ((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), (5, 6, 2), 33),
    ((10, 4), (2, 2), (1, 1), (4, 1, 5, 1), (15, 10, 1), 12),
    ((1, 7), (1, 1), (1, 1), (0, 0, 0, 0), (3, 9, 5), 6),
    ((3, 2), (1, 2), (2, 3), (2, 3, 1, 0), (7, 9, 5), 4),
    ((5, 1), (2, 1), (1, 1), (2, 0, 2, 0), (11, 1, 32), 7),
    ((4, 4), (1, 1), (1, 1), (1, 1, 2, 2), (4, 4, 4), 2),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (1, 1, 16), 3),
]
# rows of the kernel, stride and dilation along them, pads, (h, w, c), output channels
THREES = [
    (3, 1, 1, (1, 1, 1, 1), (5, 8, 16), 6),
    (3, 2, 1, (0, 1, 1, 1), (6, 11, 31), 2),
    (3, 1, 2, (2, 0, 2, 0), (4, 6, 47), 4),
    (1, 1, 1, (0, 2, 0, 2), (2, 8, 48), 10),
    (6, 1, 1, (2, 2, 3, 1), (3, 7, 46), 8),
    (3, 1, 1, (0, 1, 0, 1), (3, 16, 15), 14),
    (15, 1, 1, (8, 1, 6, 1), (4, 4, 16), 2),
]
# kernel, stride, dilation, pads, (h, w, c)
DEPTHWISES = [
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (5, 5, 16)),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (2, 2, 3)),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), (8, 6, 20)),
    ((3, 3), (1, 1), (1, 1), (0, 1, 1, 0), (4, 45, 7)),
    ((3, 3), (2, 1), (1, 1), (1, 1, 0, 0), (6, 40, 33)),
    ((5, 5), (1, 1), (1, 1), (2, 2, 2, 2), (6, 20, 24)),
    ((5, 5), (2, 2), (1, 1), (2, 2, 2, 2), (7, 19, 18)),
    ((7, 7), (1, 1), (1, 1), (3, 3, 3, 3), (3, 3, 8)),
    ((7, 7), (2, 2), (1, 1), (2, 2, 3, 3), (9, 14, 17)),
    ((3, 3), (1, 1), (3, 1), (3, 1, 3, 1), (7, 4, 5)),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (2, 3, 4)),
    ((2, 9), (1, 3), (1, 1), (1, 8, 0, 4), (4, 7, 12)),
    ((16, 1), (1, 1), (1, 1), (9, 0, 6, 0), (7, 1, 9)),
    ((1, 14), (1, 1), (1, 1), (0, 0, 0, 0), (1, 20, 31)),
]
# kernel, pads, (h, w, c)
PAIRS = [
    ((3, 3), (1, 1, 1, 1), (4, 6, 16)),
    ((3, 3), (1, 1, 1, 1), (5, 5, 20)),
    ((3, 3), (0, 1, 1, 0), (4, 45, 8)),
    ((2, 4), (0, 3, 1, 2), (5, 3, 36)),
    ((3, 1), (2, 0, 2, 0), (7, 1, 32)),
    ((3, 3), (2, 2, 2, 2), (1, 1, 4)),
    ((1, 2), (0, 0, 0, 0), (3, 6, 12)),
    ((3, 3), (1, 1, 1, 1), (4, 6, 20)),
    ((2, 3), (0, 1, 1, 1), (6, 8, 36)),
]


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_convolution(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, dilation and number of channels gives every byte."""
    program = BoardProgram(1, M55)
    for kernel, stride, dilation, pads, shape, outputs in CONVS:
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, dilation, pads, 1, act)
        for real in (0.0, 1.7):
            sig = layer(op, program.rng, (1, *shape), (outputs, *kernel, shape[2]), real=real)
            found = supporting(KERNELS, CONV, sig)
            assert found
            stays = kernel == stride == (1, 1) and not any(pads) and outputs == shape[2]
            program.add(sig, found, inplace=stays)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_convolution_of_windows_three_wide(
    level: str, tmp_path: Path, arm_gcc: str, qemu: str
) -> None:
    """Any rows of a kernel, borders on all sides and number of inputs give every byte."""
    program = BoardProgram(6, M55)
    for rows, stride, dilation, pads, shape, outputs in THREES:
        act = (-40.0, 60.0) if outputs % 4 else (-INF, INF)
        op = Conv2D((rows, 3), (stride, 1), (dilation, 1), pads, 1, act)
        sig = layer(op, program.rng, (1, *shape), (outputs, rows, 3, shape[2]), least=-128)
        found = supporting(KERNELS, THREE, sig)
        assert found, shape
        program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_depthwise(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window of up to four vectors, stride and number of channels gives every byte."""
    program = BoardProgram(2, M55)
    for kernel, stride, dilation, pads, shape in DEPTHWISES:
        act = (-30.0, 90.0) if shape[2] % 2 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, dilation, pads, shape[2], act)
        sig = layer(op, program.rng, (1, *shape), (shape[2], *kernel, 1), least=-128)
        found = supporting(KERNELS, DEPTHWISE, sig)
        assert found, kernel
        program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_depthwise_of_two_rows(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Even and odd numbers of rows and pixels, borders on all sides, give every byte."""
    program = BoardProgram(7, M55)
    for kernel, pads, shape in PAIRS:
        act = (-30.0, 90.0) if shape[2] % 8 == 0 else (-INF, INF)
        op = Conv2D(kernel, (1, 1), (1, 1), pads, shape[2], act)
        sig = layer(op, program.rng, (1, *shape), (shape[2], *kernel, 1), least=-128)
        found = supporting(KERNELS, PAIR, sig)
        assert found, kernel
        program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_dense(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of inputs and outputs, one pixel or rows of pixels, gives every byte."""
    program = BoardProgram(3, M55)
    sizes = [(1, 1), (3, 4), (16, 5), (34, 8), (67, 3), (128, 12), (35, 7)]
    for shape, outputs in [*(((1, n), m) for n, m in sizes), ((1, 3, 9), 6), ((1, 2, 3, 17), 4)]:
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
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_elements(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Sums, differences, products and tables of odd sizes give every byte, also in place."""
    program = BoardProgram(4, M55)
    swish = Lookup((UnaryFn("swish", (1.0,)),))
    for shape in [(1, 3, 5, 7), (1, 1, 1, 1), (1, 4, 2, 8), (1, 35)]:
        for op, function in [(Add(), ADD), (Sub((0.0, 1.0)), ADD), (Mul(), MUL), (swish, LOOKUP)]:
            shapes = [shape] if function == LOOKUP else [shape, shape]
            sig = unweighted(op, program.rng, *shapes)
            found = supporting(KERNELS, function, sig)
            assert found
            program.add(sig, found, inplace=True)
    for shapes in [((1, 3, 5, 7), (1, 1, 1, 7)), ((1, 1, 1, 6), (1, 4, 3, 6))]:
        sig = unweighted(Mul(), program.rng, *shapes)
        found = supporting(KERNELS, MUL, sig)
        assert found
        program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_pools(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Averages and maxima of windows inside the input and over its border give every byte."""
    program = BoardProgram(5, M55)
    for channels in (1, 4, 6, 16, 19):
        for pool, function in ((AvgPool2D, AVERAGE), (MaxPool2D, MAXIMUM)):
            for op in (
                pool((2, 2), (2, 2)),
                pool((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
                pool((17, 18), (1, 1)),
            ):
                sig = unweighted(op, program.rng, (1, 17, 18, channels))
                found = supporting(KERNELS, function, sig)
                assert found
                program.add(sig, found)
    dilated = unweighted(MaxPool2D((2, 3), (1, 2), (3, 2), (2, 1, 2, 3)), program.rng, (1, 7, 8, 9))
    found = supporting(KERNELS, MAXIMUM, dilated)
    assert found
    program.add(dilated, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_narrow_matrices(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights of 4 bits, -8 included, on scales of channels and of blocks, the last one shorter."""
    program = BoardProgram(9, M55)
    for size, outputs, block in (
        ((1, 32), 1, 32),
        ((1, 64), 12, 32),
        ((1, 160), 7, 64),
        ((1, 3, 96), 6, 32),
        ((1, 8), 3, 32),
        ((1, 45), 5, 32),
        ((1, 124), 4, 64),
        ((1, 2, 51), 2, 96),
    ):
        act = (-40.0, 60.0) if outputs % 2 else (-INF, INF)
        for each, real in product((None, block), (0.0, 1.7)):
            plain = layer(Dense(act), program.rng, size, (outputs, size[-1]), real=real)
            sig = narrowed(program.rng, plain, -8, each)
            found = supporting(KERNELS, NARROW, sig)
            assert found
            program.add(sig, found)
            program.add(sig, found, value=-128)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize(
    ("inputs", "block"), [(131072 - 32, None), (131072, 65536), (131072, None)]
)
def test_longest_narrow_block(
    inputs: int, block: int | None, tmp_path: Path, arm_gcc: str, qemu: str
) -> None:
    """16 times the sum of a block stays in int32 at its end, or the kernel does not take it."""
    program = BoardProgram(10, M55)
    plain = layer(Dense(), program.rng, (1, inputs), (1, inputs), real=1e-7)
    sig = narrowed(program.rng, plain, -8, block)
    sig.constant(1)[...] = -8
    found = supporting(KERNELS, NARROW, sig)
    if (block or inputs) < 131072:
        assert found
        program.add(sig, found, value=-128)
        assert [] == program.run(tmp_path, arm_gcc, qemu, "-O2")
    else:
        assert found is None
