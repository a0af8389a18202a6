# SPDX-License-Identifier: Apache-2.0
"""The mve kernels of int16 on an emulated Cortex-M55 against the integer meaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from board_program import M55, BoardProgram, supporting, wide_layer

from mcuplan.backends.mve import KERNELS
from mcuplan.ir.geometry import Shape
from mcuplan.ir.op import Op, Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Mul, Sub
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.unary import Lookup, UnaryFn

INF = float("inf")
WEIGHTS = ((8, ""), (16, "_w16"))
# kernel, stride, dilation along rows, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), 1, (0, 0, 0, 0), (3, 4, 8), 5),
    ((1, 1), (1, 1), 1, (0, 0, 0, 0), (3, 5, 16), 8),
    ((1, 1), (2, 2), 1, (0, 0, 0, 0), (5, 7, 24), 4),
    ((1, 1), (1, 1), 1, (0, 0, 0, 0), (2, 3, 7), 3),
    ((1, 1), (1, 1), 1, (1, 1, 1, 1), (2, 3, 8), 12),
    ((3, 3), (1, 1), 1, (1, 1, 1, 1), (5, 6, 3), 6),
    ((3, 3), (1, 1), 1, (1, 1, 1, 1), (4, 17, 16), 16),
    ((3, 3), (2, 2), 2, (0, 1, 2, 1), (8, 7, 5), 7),
    ((10, 4), (2, 2), 1, (4, 1, 5, 1), (15, 10, 1), 12),
    ((5, 2), (1, 3), 1, (2, 1, 2, 1), (4, 8, 18), 2),
    ((4, 4), (1, 1), 1, (3, 3, 3, 3), (2, 2, 1), 1),
    ((2, 3), (1, 2), 1, (0, 0, 1, 2), (3, 41, 33), 9),
]
# kernel, stride, pads, (h, w, c)
DEPTHWISES = [
    ((3, 3), (1, 1), (1, 1, 1, 1), (5, 5, 16)),
    ((3, 3), (2, 2), (0, 0, 1, 1), (8, 6, 20)),
    ((5, 2), (2, 1), (4, 0, 2, 1), (4, 7, 6)),
    ((1, 3), (1, 2), (0, 3, 0, 5), (3, 2, 2)),
    ((2, 2), (3, 4), (0, 0, 0, 0), (9, 11, 9)),
    ((4, 3), (1, 1), (3, 5, 3, 2), (1, 1, 1)),
    ((16, 1), (1, 1), (9, 0, 6, 0), (7, 2, 8)),
]
ROWS = [((1, 3, 4, 12), 6), ((1, 6, 5), 4), ((1, 2, 3, 16), 11)]
MATRICES = [(1, 1), (7, 5), (30, 9), (64, 12), (56, 3), (60, 8), (129, 2), (450, 7), (20, 270)]


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_convolutions(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights of 8 and of 16 bits, any window, number of pixels and channels, give every byte."""
    program = BoardProgram(11, M55)
    for bits, suffix in WEIGHTS:
        for kernel, stride, dilation, pads, shape, outputs in CONVS:
            act = (-9000.0, 20000.0) if outputs % 3 == 0 else (-INF, INF)
            op = Conv2D(kernel, stride, (dilation, 1), pads, 1, act)
            weights = (outputs, *kernel, shape[2])
            sig = wide_layer(op, program.rng, (1, *shape), weights, bits)
            found = supporting(KERNELS, f"mplan_conv2d_s16{suffix}_mve", sig)
            assert found, kernel
            program.add(sig, found)
        for rows, outputs in ROWS:
            sig = wide_layer(Dense(), program.rng, rows, (outputs, rows[-1]), bits)
            found = supporting(KERNELS, f"mplan_conv2d_s16{suffix}_mve", sig)
            assert found, rows
            program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_matrices(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of inputs and outputs, one pixel or rows of pixels, gives every byte."""
    program = BoardProgram(15, M55)
    for bits, suffix in WEIGHTS:
        for act, pixels, (inputs, outputs) in [
            *(((-INF, INF), (1,), size) for size in MATRICES),
            ((-9000.0, 20000.0), (1, 2, 3), (9, 6)),
        ]:
            size, op = (outputs, inputs), Dense(act)
            sig = wide_layer(op, program.rng, (*pixels, inputs), size, bits)
            found = supporting(KERNELS, f"mplan_dense_s16{suffix}_mve", sig)
            assert found, size
            program.add(sig, found)
        one = wide_layer(Conv2D((1, 1)), program.rng, (1, 1, 1, 18), (7, 1, 1, 18), bits)
        found = supporting(KERNELS, f"mplan_dense_s16{suffix}_mve", one)
        assert found
        program.add(one, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_depthwise(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, padding and number of channels gives every byte."""
    program = BoardProgram(12, M55)
    for bits, _ in WEIGHTS:
        for kernel, stride, pads, shape in DEPTHWISES:
            op = Conv2D(kernel, stride, (1, 1), pads, shape[2], (-9000.0, 20000.0))
            weights = (shape[2], *kernel, 1)
            sig = wide_layer(op, program.rng, (1, *shape), weights, bits)
            found = supporting(KERNELS, "mplan_depthwise_s16_mve", sig)
            assert found, kernel
            program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def wide(op: Op, shape: Shape, scales: tuple[float, ...]) -> Signature:
    """An operator on activations alone, the scale of the output last, without zero points."""
    kinds = [
        TensorType(shape, DType.INT16, Quant.per_tensor(scale, 0, DType.INT16)) for scale in scales
    ]
    return Signature(op, tuple(kinds[:-1]), tuple(kinds[-1:]), (None,) * (len(scales) - 1))


def test_sums_and_products(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of elements and factors up to the largest give every byte, also in place."""
    program = BoardProgram(13, M55)
    for shape in [(1, 3, 5, 7), (1, 1, 1, 1), (1, 4, 2, 8), (1, 35), (1, 12)]:
        for op, scales in [
            (Add(), (0.03, 0.02, 0.04)),
            (Add((0.0, 300.0)), (1.0, 1.0, 1.0)),
            (Add(), (1.2, 0.8, 1.0)),
            (Sub(), (1.0, 1.0, 1.0)),
            (Sub((-200.0, INF)), (0.001, 0.5, 0.51)),
            (Mul(), (0.01, 0.02, 3.0)),
            (Mul((-9000.0, 9000.0)), (0.2499, 1.0, 1.0)),
        ]:
            sig = wide(op, shape, scales)
            found = supporting(KERNELS, "mplan_binary_s16_mve", sig)
            assert found, scales
            program.add(sig, found, inplace=True)
            for value in (-32768, 32767):
                program.add(sig, found, value=value)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_what_halves_cannot_hold_is_refused() -> None:
    """Factors of more than two together, and zero points."""
    sig = wide(Add(), (1, 8), (1.2, 0.8001, 1.0))
    assert not supporting(KERNELS, "mplan_binary_s16_mve", sig)
    sig = wide(Add(), (1, 8), (0.1, 0.1, 1.0))
    moved = replace(sig.inputs[0], quant=Quant.per_tensor(0.1, 5, DType.INT16))
    moved_sig = replace(sig, inputs=(moved, sig.inputs[1]))
    assert supporting(KERNELS, "mplan_binary_s16_mve", sig)
    assert not supporting(KERNELS, "mplan_binary_s16_mve", moved_sig)


def test_pools(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Averages and extremes of windows inside the input and over its border give every byte."""
    program = BoardProgram(16, M55)
    for channels in (1, 4, 6, 16, 19):
        for op in (
            AvgPool2D((2, 2), (2, 2)),
            AvgPool2D((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
            AvgPool2D((11, 9), (1, 1)),
            MaxPool2D((2, 3), (1, 2), (3, 2), (2, 1, 2, 3)),
            MinPool2D((3, 2), (2, 1)),
        ):
            for scale, zero in ((0.1, 0), (0.1, -300), (0.13, 7)):
                source = TensorType(
                    (1, 11, 9, channels), DType.INT16, Quant.per_tensor(0.1, zero, DType.INT16)
                )
                if scale != 0.1 and not isinstance(op, AvgPool2D):
                    continue
                output = replace(
                    op.infer([TensorType(source.shape)])[0],
                    dtype=DType.INT16,
                    quant=Quant.per_tensor(scale, zero, DType.INT16),
                )
                sig = Signature(op, (source,), (output,), (None,))
                found = supporting(KERNELS, "mplan_pool3d_s16_mve", sig)
                assert found
                program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_functions(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Tables of any step, at both ends of their range, give every byte, also in place."""
    program = BoardProgram(17, M55)
    shifts = set()
    for chain, scale, made in [
        (UnaryFn("tanh"), 0.0002, 1 / 32768),
        (UnaryFn("swish", (1.0,)), 0.001, 0.001),
        (UnaryFn("exp"), 0.0001, 0.001),
    ]:
        for shape in [(1, 3, 5, 7), (1, 1, 1, 1), (1, 48)]:
            sig = wide(Lookup((chain,)), shape, (scale, made))
            found = supporting(KERNELS, "mplan_lookup_s16_mve", sig)
            assert found
            shifts.add(found.lower(sig)[0].fields["shift"])
            for value in (None, -32768, 32767):
                program.add(sig, found, inplace=True, value=value)
    assert len(shifts) > 1
    clip = wide(Lookup((UnaryFn("clip", (0.0, 1.0)),)), (1, 8), (0.001, 0.001))
    assert not supporting(KERNELS, "mplan_lookup_s16_mve", clip)
    assert [] == program.run(tmp_path, arm_gcc, qemu)
