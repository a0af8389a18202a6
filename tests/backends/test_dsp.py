# SPDX-License-Identifier: Apache-2.0
"""The dsp kernels on an emulated Cortex-M4 against the integer meaning, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer, supporting, unweighted

from mcuplan.backends.dsp import KERNELS
from mcuplan.ir.types import Quant
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.normalize import Epsilon, Normalize
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.softmax import Softmax

INF = float("inf")
CONV = "mplan_conv2d_s8_dsp"
PATCH = "mplan_conv2d_patch_s8_dsp"
DEPTHWISE = "mplan_depthwise3x3_s8_dsp"
DEPTHWISE_PLANES = "mplan_planes3x3_s8_dsp"
PLANES = "mplan_planes_s8_dsp"
COLUMNS = "mplan_columns_s8_dsp"
SMALL_COLUMNS = "mplan_columns3x3_s8_dsp"
ANY_DEPTHWISE = "mplan_depthwise_s8_dsp"
DENSE = "mplan_dense_s8_dsp"
AVERAGE = "mplan_avg_pool2d_s8_dsp"
MAXIMUM = "mplan_max_pool2d_s8_dsp"
MATMUL = "mplan_matmul_s8_dsp"

# kernel, stride, dilation, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (5, 3, 16), 16),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1, 1), 1),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (3, 3, 7), 5),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (2, 7, 66), 6),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (7, 7, 12), 8),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (6, 8, 5), 3),
    ((1, 1), (1, 1), (1, 1), (1, 1, 1, 1), (3, 3, 4), 4),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (6, 5, 8), 9),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), (8, 8, 3), 8),
    ((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), (5, 6, 2), 4),
    ((10, 4), (2, 2), (1, 1), (4, 1, 5, 1), (15, 10, 1), 12),
    ((3, 2), (1, 2), (2, 3), (2, 3, 1, 0), (7, 9, 5), 4),
    ((5, 1), (2, 1), (1, 1), (2, 0, 2, 0), (11, 1, 3), 4),
    ((4, 4), (1, 1), (1, 1), (1, 1, 2, 2), (4, 4, 4), 2),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (1, 1, 16), 4),
]
# input and output channels of 1x1 kernels: all that eights and fours leave
POINTWISE = [
    *((c, c // 8 * 4 + 1 + c % 3) for c in (2, 3, 4, 9, 11, 13, 14, 15)),
    *((8, 2), (16, 3), (24, 4), (32, 7), (40, 8), (72, 14)),
]
# stride, pads, (h, w, c)
DEPTHWISES = [
    (1, (1, 1, 1, 1), (5, 5, 3)),
    (1, (1, 1, 1, 1), (2, 2, 1)),
    (1, (1, 0, 1, 0), (4, 6, 4)),
    (1, (0, 0, 0, 0), (5, 4, 2)),
    (1, (0, 1, 1, 0), (5, 3, 6)),
    (1, (1, 0, 0, 1), (3, 2, 5)),
    (1, (1, 1, 1, 1), (41, 25, 6)),
    (1, (0, 3, 5, 2), (6, 7, 9)),
    (2, (0, 0, 1, 1), (8, 6, 4)),
    (2, (1, 1, 1, 1), (6, 7, 2)),
    (2, (1, 1, 1, 1), (7, 8, 6)),
    (2, (1, 1, 0, 0), (6, 6, 8)),
    (2, (0, 0, 0, 0), (7, 8, 2)),
    (2, (0, 0, 0, 0), (6, 7, 4)),
    (2, (0, 0, 1, 1), (2, 2, 2)),
    (2, (1, 0, 1, 1), (5, 4, 2)),
]


def _random_depthwise(rng: np.random.Generator) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    pads = tuple(int(v) for v in rng.integers(0, 2, 4))
    size = [int(v) for v in rng.integers(2, 10, 2)]
    return int(rng.integers(1, 3)), pads, (*size, 2 * int(rng.integers(1, 5)))


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_convolution(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, dilation and number of channels gives every byte."""
    program = BoardProgram(1)
    plain = ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))
    for case in [*CONVS, *((*plain, (3, 3, c), outputs) for c, outputs in POINTWISE)]:
        kernel, stride, dilation, pads, shape, outputs = case
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, dilation, pads, 1, act)
        weights = (outputs, *kernel, shape[2])
        for real in (0.0, 1.7):
            sig = layer(op, program.rng, (1, *shape), weights, real=real)
            if real:  # sums so small that not all outputs are at an end of the range
                sig = replace(sig, constants=(None, sig.constant(1) // 64, sig.constant(2) // 64))
            found = supporting(KERNELS, CONV, sig)
            assert found, case
            moves = kernel != (1, 1) or stride != (1, 1) or any(pads)
            program.add(sig, found, inplace=not moves and outputs == shape[2])
            small = supporting(KERNELS, PATCH, sig)
            assert (small is not None) == (dilation == (1, 1))
            if small:
                assert small.scratch_bytes(sig) < found.scratch_bytes(sig)
                program.add(sig, small)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_depthwise(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Stride 1 and 2 with and without padding on each side give every byte."""
    program = BoardProgram(2)
    cases = DEPTHWISES + [_random_depthwise(program.rng) for _ in range(40)]
    supported = planned = 0
    for stride, pads, shape in cases:
        if min(shape[0] + pads[0] + pads[2], shape[1] + pads[1] + pads[3]) < 3:
            continue
        act = (-30.0, 90.0) if shape[2] % 4 == 0 else (-INF, INF)
        op = Conv2D((3, 3), (stride, stride), (1, 1), pads, shape[2], act)  # type: ignore[arg-type]
        sig = layer(op, program.rng, (1, *shape), (shape[2], 3, 3, 1), least=-128)
        found = supporting(KERNELS, DEPTHWISE, sig)
        if found:
            program.add(sig, found)
            supported += 1
        planes = supporting(KERNELS, DEPTHWISE_PLANES, sig)
        if planes:
            program.add(sig, planes)
            planned += 1
    assert supported > len(DEPTHWISES)
    assert planned > 10
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_depthwise_of_any_window(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Windows up to 9 wide, larger than the input or not, give every byte."""
    program = BoardProgram(6)
    cases = [((7, 7), (1, 1), (3, 3, 3, 3), (3, 3, 8)), ((5, 5), (2, 2), (2, 2, 2, 2), (5, 6, 4))]
    cases += [((1, 1), (1, 1), (0, 0, 0, 0), (2, 3, 4)), ((2, 9), (1, 3), (1, 8, 0, 4), (4, 7, 12))]
    cases += [
        ((4, 8), (3, 2), (2, 3, 1, 4), (9, 11, 4)),
        ((16, 1), (1, 1), (9, 0, 6, 0), (7, 1, 4)),
    ]
    for kernel, stride, pads, shape in cases:
        for act in ((-30.0, 90.0), (-INF, INF)):
            op = Conv2D(kernel, stride, (1, 1), pads, shape[2], act)
            sig = layer(op, program.rng, (1, *shape), (shape[2], *kernel, 1), least=-128)
            found = supporting(KERNELS, ANY_DEPTHWISE, sig)
            assert found, kernel
            program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_depthwise_of_planes(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Windows of 3, 5 and 7, strides, any padding and odd sizes give every byte."""
    program = BoardProgram(12)
    found = 0
    for size in (3, 5, 7) * 24:
        rng, stride = program.rng, int(program.rng.integers(1, 3))
        pads = tuple(int(v) for v in rng.integers(0, size, 4))
        shape = (*(int(v) for v in rng.integers(1, 28, 2)), int(rng.integers(4, 10)))
        act = (-30.0, 90.0) if shape[2] % 4 == 0 else (-INF, INF)
        op = Conv2D((size, size), (stride, stride), (1, 1), pads, shape[2], act)  # type: ignore[arg-type]
        if min(shape[0] + pads[0] + pads[2], shape[1] + pads[1] + pads[3]) < size:
            continue
        sig = layer(op, rng, (1, *shape), (shape[2], size, size, 1), least=-128)
        kernel = supporting(KERNELS, PLANES if size > 3 else DEPTHWISE_PLANES, sig)
        if kernel:
            program.add(sig, kernel)
            found += 1
    assert found > 40
    assert [] == program.run(tmp_path, arm_gcc, qemu)


# kernel, stride, pads, (h, w, c): columns that are known, and any of stride 2
_COLUMNS = [
    *((7, 1, (3, 3, 3, 3), (h, 5, c)) for h, c in ((5, 8), (9, 5), (1, 6))),
    *((7, 1, (2, 3, 4, 3), (h, 3, c)) for h, c in ((3, 4), (8, 7))),
    *((5, 1, (2, 2, 1, 2), (h, 10, c)) for h, c in ((10, 4), (3, 7))),
    *((5, 2, (2, 2, 2, 2), (h, 5, c)) for h, c in ((5, 8), (6, 9))),
    *((5, 1, (2, 2, 2, 2), (h, w, c)) for h, w, c in ((5, 5, 4), (2, 5, 7), (7, 7, 8), (1, 7, 5))),
    *((k, 2, (2, 2, 2, 2), (9, w, 4)) for k in (5, 7) for w in (10, 15, 17)),
    *((3, 1, (1, 1, 1, 1), (h, w, h + 3)) for h in (1, 2, 3, 9) for w in (3, 5)),
    *((3, 1, (top, 1, 2 - top, 1), (4, w, 8)) for top in (0, 2) for w in (3, 5)),
]


def _random_columns(rng: np.random.Generator) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    size = int(rng.choice((5, 7)))
    pads = tuple(int(v) for v in rng.integers(0, size, 4))
    shape = (int(rng.integers(size, 20)), int(rng.integers(14, 30)), int(rng.integers(4, 10)))
    return size, 2, pads, shape


def test_depthwise_of_columns(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Maps of few columns, and stride 2 with any padding, give every byte."""
    program = BoardProgram(13)
    for size, stride, pads, shape in [
        *_COLUMNS,
        *(_random_columns(program.rng) for _ in range(16)),
    ]:
        act = (-30.0, 90.0) if shape[2] % 4 == 0 else (-INF, INF)
        op = Conv2D((size, size), (stride, stride), (1, 1), pads, shape[2], act)  # type: ignore[arg-type]
        sig = layer(op, program.rng, (1, *shape), (shape[2], size, size, 1), least=-128)
        kernel = supporting(KERNELS, COLUMNS if size > 3 else SMALL_COLUMNS, sig)
        assert kernel, (size, stride, pads, shape)
        program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


_PRODUCTS = [
    ((0, 1, -1), (0, -1, 2), ((1, 5, 7), (1, 7, 6))),
    ((0, 1, -1), (0, 2, -1), ((1, 4, 18), (1, 5, 18))),
    ((0, 1, 2, -1), (0, 3, 2, -1), ((1, 5, 2, 8), (1, 9, 2, 8))),
    ((0, 1, 2, -1), (0, -1, 2, 3), ((1, 3, 2, 9), (1, 9, 2, 8))),
    ((0, 1, 2, -1), (0, 1, -1, 3), ((1, 2, 3, 4), (1, 2, 4, 5))),
    ((0, 1, 2, -1), (0, 3, -2, -1), ((1, 4, 3, 16), (1, 6, 1, 16))),
    ((0, 1, -1), (0, -1, 2), ((1, 3, 33), (1, 33, 2))),
    ((0, 1, 2, -1), (0, 1, 3, -1), ((1, 3, 4, 20), (1, 3, 7, 20))),
]


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_products(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Matrices that lie either way, alone, in stacks and within rows, give every byte."""
    program = BoardProgram(7)
    for a, b, shapes in _PRODUCTS:
        rank = 1 + max(*a, *b)
        for act in ((-INF, INF), (-1.5, 2.0)):
            sig = unweighted(MatMul(a, b, rank, act), program.rng, *shapes)
            found = [k for k in KERNELS if k.function == MATMUL and k.supports(sig)]
            assert len(found) in (1, 2)  # each row alone, and all at once where one matrix serves
            for kernel in found:
                program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_dense(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of inputs and outputs, one pixel or rows of pixels, gives every byte."""
    program = BoardProgram(3)
    shapes = [
        ((1, n), m)
        for n, m in [(1, 1), (3, 4), (4, 5), (34, 8), (67, 3), (128, 12), (35, 7), (49, 23)]
    ]
    for shape, outputs in [*shapes, ((1, 3, 9), 14), ((1, 2, 3, 5), 4)]:
        for real in (0.0, 2.5):
            act = (-40.0, 60.0) if outputs % 2 else (-INF, INF)
            sig = layer(Dense(act), program.rng, shape, (outputs, shape[-1]), real=real)
            for function in (DENSE, CONV) if len(shape) > 2 else (DENSE,):
                found = supporting(KERNELS, function, sig)
                assert found
                program.add(sig, found)
    for shape in ((1, 1, 1, 18), (1, 4, 3, 18)):
        plain = layer(Conv2D((1, 1)), program.rng, shape, (7, 1, 1, 18))
        found = supporting(KERNELS, DENSE, plain)
        assert found
        assert found.scratch_bytes(plain) == 0
        program.add(plain, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_softmax(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of classes gives every byte, also in place."""
    program = BoardProgram(7)
    for shape in [(1, 10), (1, 1), (1, 3, 5, 7), (1, 4, 2), (1, 2, 64), (1, 3), (1, 333)]:
        sig = unweighted(Softmax(), program.rng, shape)
        if shape[-1] > 50:  # small shares
            sig = replace(sig, outputs=(replace(sig.output, quant=Quant.per_tensor(7e-5, 3)),))
        program.add(sig, supporting(KERNELS, "mplan_softmax_s8_dsp", sig), inplace=True)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_sums_and_pools(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Sums, differences, averages and maxima of odd sizes give every byte, also in place."""
    program = BoardProgram(5)
    for shape in [(1, 3, 5, 7), (1, 1, 1, 1), (1, 4, 2, 8), (1, 9)]:
        for op in (Add(), Sub(), Add((0.0, 1.0))):
            sig = unweighted(op, program.rng, shape, shape)
            found = supporting(KERNELS, "mplan_add_s8_dsp", sig)
            assert found
            program.add(sig, found, inplace=True)
    shifts = set()
    for count in range(4, 27):  # all parts of a round, outputs of any scale
        sig = unweighted(Add() if count % 3 else Sub(), program.rng, (1, count), (1, count))
        scale, zero = 0.05 * 2.0 ** -((count - 4) % 22), int(program.rng.integers(-128, 128))
        finer = replace(sig.output, quant=Quant.per_tensor(scale, zero))
        sig = replace(sig, outputs=(finer,))
        found = supporting(KERNELS, "mplan_add_s8_dsp", sig)
        assert found
        program.add(sig, found)
        shifts.add(found.lower(sig)[0].fields["shift"])
    assert {1, 2, 22} <= shifts
    for channels in (1, 4, 6, 16):
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
    assert [] == program.run(tmp_path, arm_gcc, qemu)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_averages(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Windows of any size, one element and more than 255, padding that counts, halves."""
    program = BoardProgram(15)
    sizes = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 2), (2, 3), (6, 4), (15, 17), (16, 16)]
    for size in sizes:
        for channels in (3, 4, 9, 16):
            pads = tuple(int(program.rng.integers(0, min(side, 4))) for side in (*size, *size))
            counted = pads if program.rng.random() < 0.5 else (0, 0, 0, 0)
            stride = tuple(int(v) for v in program.rng.integers(1, 4, 2))
            op = AvgPool2D(size, stride, (1, 1), pads, counted)  # type: ignore[arg-type]
            sig = unweighted(op, program.rng, (1, 17, 18, channels))
            found = supporting(KERNELS, AVERAGE, sig)
            assert found
            program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_normalizations(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Runs of every length, few channels of many pixels, means or none; every byte, in place."""
    program = BoardProgram(6)
    for shape, whole, groups in [
        *(((1, 3, channels), False, 1) for channels in (1, 7, 8, 16, 21, 64, 300)),
        *(((1, 2, 5, 24), True, groups) for groups in (1, 2, 4, 8, 24)),
        ((1, 4, 30), False, 3),
        ((1, 1, 9, 1), True, 1),
    ]:
        gains, offsets = program.rng.normal(0, 1, (2, shape[-1])).astype(np.float32)
        values = (shape[-2] if whole else 1) * shape[-1] // groups
        for fields in (
            {"epsilon": 1e-5},
            {"epsilon": 30.0},
            {"epsilon": 1e-5, "centered": False},
            {"epsilon": 2.0, "centered": False, "rule": Epsilon.LEAST},
        ):
            op = Normalize(
                gains=tuple(gains.tolist()),
                offsets=tuple(offsets.tolist()),
                divisor=values,
                whole=whole,
                groups=groups,
                **fields,
            )
            sig = unweighted(op, program.rng, shape)
            found = supporting(KERNELS, "mplan_normalize_s8_dsp", sig)
            assert found
            program.add(sig, found, inplace=True)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_convolutions_over_three_axes(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Spaced, dilated, grouped, mirrored borders: whole words of channels, and what is left."""
    program = BoardProgram(6)
    for example in Conv3D.examples():
        op = example.op
        for channels in (2, 4, 7, 18):
            groups = op.groups if channels % op.groups == 0 else 1
            one = replace(op, groups=groups, act=(-INF, INF))
            shape = (*example.inputs[0][:-1], channels)
            weights = (3 * groups, *op.kernel, channels // groups)
            sig = layer(one, program.rng, shape, weights, least=-128)
            found = supporting(KERNELS, "mplan_conv3d_s8_dsp", sig)
            joined = op.up[-1] == op.dilation[-1] == groups == 1
            width = op.kernel[-1] if joined else 1
            assert (found is None) == (channels // groups * width < 4)
            if found is not None:
                program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_words_that_do_not_exist_are_refused() -> None:
    """Channels that cannot share int16 words, or sums that leave int32, go to other kernels."""
    rng = np.random.default_rng(4)
    sig = layer(Dense(), rng, (1, 40), (4, 40), least=-128)
    weights = sig.constant(1)
    weights[1, 0], weights[0, 0] = -128, -1
    assert supporting(KERNELS, DENSE, sig) is None
    weights[1, 0], weights[0, 0] = -127, -128
    weights[3], weights[2] = np.abs(weights[3]), np.abs(weights[2])
    weights[1], weights[0] = 127, 127
    assert supporting(KERNELS, DENSE, replace(sig)) is not None  # of other weights: asked anew
    large = layer(Dense(), rng, (1, 600), (4, 600))
    large.constant(1)[1] = 127
    assert supporting(KERNELS, DENSE, large) is None
    split = layer(Dense(), rng, (1, 516), (4, 516))
    split.constant(1)[1], split.constant(1)[0] = 127, 0
    assert supporting(KERNELS, DENSE, replace(split)) is not None
    split.constant(1)[0] = 127  # products of weights with weights push the difference out
    assert supporting(KERNELS, DENSE, replace(split)) is None
