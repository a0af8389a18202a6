# SPDX-License-Identifier: Apache-2.0
"""The scalar kernels of int16 on emulated M0+ and M3 cores against the integer meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from board_program import M0PLUS, M3, Board, BoardProgram, supporting, wide_layer

from mcuplan.backends.scalar import KERNELS
from mcuplan.ir.op import Op, Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.fields import prepared

INF = float("inf")
LIMITS = (-9000.0, 20000.0)
# kernel, stride, dilation, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (5, 3, 16), 16),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1, 1), 1),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (6, 8, 5), 3),
    ((1, 1), (1, 1), (1, 1), (1, 1, 1, 1), (3, 3, 4), 4),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (6, 5, 8), 9),
    ((3, 3), (2, 2), (1, 1), (0, 0, 1, 1), (8, 8, 3), 8),
    ((10, 4), (2, 2), (1, 1), (4, 1, 5, 1), (15, 10, 1), 12),
    ((3, 2), (1, 2), (2, 3), (2, 3, 1, 0), (7, 9, 5), 6),
    ((4, 4), (1, 1), (1, 1), (1, 1, 2, 2), (4, 4, 4), 2),
]
# strides, pads, (h, w, c)
DEPTHWISES = [
    ((1, 1), (1, 1, 1, 1), (5, 5, 3)),
    ((1, 1), (1, 1, 1, 1), (1, 1, 2)),
    ((1, 1), (1, 0, 0, 1), (3, 2, 5)),
    ((2, 2), (0, 0, 1, 1), (8, 6, 4)),
    ((3, 4), (4, 5, 4, 5), (2, 9, 7)),
    ((1, 1), (0, 2, 0, 3), (4, 1, 9)),
]
DENSES = [((1, 7), 5), ((1, 64), 12), ((1, 1), 1), ((1, 30), 9), ((1, 3, 4, 12), 6), ((1, 6, 5), 4)]


def _layers() -> list[tuple[Op, tuple[int, ...], tuple[int, ...], tuple[str, ...]]]:
    """Operators, shapes of inputs and weights, and which kernels take them."""
    found: list[tuple[Op, tuple[int, ...], tuple[int, ...], tuple[str, ...]]] = []
    for kernel, stride, dilation, pads, shape, outputs in CONVS:
        op = Conv2D(kernel, stride, dilation, pads, 1, LIMITS if outputs % 3 == 0 else (-INF, INF))
        one = kernel == shape[:2] == (1, 1)
        names = ("conv2d", "dense") if one else ("conv2d",)
        found.append((op, (1, *shape), (outputs, *kernel, shape[2]), names))
    for stride, pads, shape in DEPTHWISES:
        act = LIMITS if shape[2] % 2 == 0 else (-INF, INF)
        op = Conv2D((3, 3), stride, (1, 1), pads, shape[2], act)
        found.append((op, (1, *shape), (shape[2], 3, 3, 1), ("depthwise3x3",)))
    for size, outputs in DENSES:
        names = ("dense", "conv2d") if len(size) > 2 else ("dense",)
        found.append((Dense(), size, (outputs, size[-1]), names))
    return found


@pytest.mark.parametrize(
    ("board", "level"),
    [(M0PLUS, "-O0"), (M0PLUS, "-O2"), (M0PLUS, "-Os"), (M3, "-O2"), (M3, "-Os")],
    ids=lambda value: getattr(value, "core", value),
)
def test_layers(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights of 8 and of 16 bits, any window and number of channels, give every byte."""
    program = BoardProgram(8, board)
    for bits, suffix in ((8, ""), (16, "_w16")):
        for op, shape, weights, names in _layers():
            sig = wide_layer(op, program.rng, shape, weights, bits)
            for name in names:
                depthwise = name == "depthwise3x3"
                function = f"mplan_{name}_s16{'' if depthwise else suffix}_scalar"
                kernel = supporting(KERNELS, function, sig)
                assert kernel, (function, op)
                stays = name == "conv2d" and _stays(sig)
                program.add(sig, kernel, inplace=stays)
    for sig in _at_the_ends(program.rng):
        kernel = supporting(KERNELS, "mplan_dense_s16_w16_scalar", sig)
        assert kernel
        for value in (-32768, 32767):
            program.add(sig, kernel, value=value)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize(
    ("board", "level"),
    [(M0PLUS, "-O0"), (M0PLUS, "-O2"), (M3, "-O2")],
    ids=lambda value: getattr(value, "core", value),
)
def test_sums(board: Board, level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Sums and differences, of grids as near and as far from each other as the kernel takes."""
    program = BoardProgram(9, board)
    for shape in [(1, 3, 5, 7), (1, 1, 1, 1), (1, 90)]:
        for scales in [(1.0, 1.0, 1.0), (0.37, 1.9, 2.3), (1e-4, 0.9, 1.1), (90.0, 60.0, 1.0)]:
            kinds = [
                TensorType(shape, DType.INT16, Quant.per_tensor(scale, 0, DType.INT16))
                for scale in scales
            ]
            for op in (Add(), Sub(), Add((-9000.0, 20000.0))):
                sig = Signature(op, tuple(kinds[:2]), (kinds[2],), (None, None))
                kernel = supporting(KERNELS, "mplan_add_s16_scalar", sig)
                assert kernel
                program.add(sig, kernel, inplace=True)
                for value in (-32768, 32767):
                    program.add(sig, kernel, value=value)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def _stays(sig: Signature) -> bool:
    """Whether each pixel is written where it was read."""
    op = sig.op
    plain = not isinstance(op, Conv2D) or (op.kernel == op.stride == (1, 1) and not any(op.pads))
    return plain and sig.inputs[0].shape == sig.output.shape


def _at_the_ends(rng: np.random.Generator) -> list[Signature]:
    """Sums that all but fill 32 bits, by small and by large factors."""
    found = []
    for real in (0.9e-5, 0.49):  # of 32767 steps
        sig = wide_layer(Dense(), rng, (1, 2), (8, 2), 16)
        scales = (real,) * 8
        sig.constant(1)[...] = rng.choice([-32300, 32300], (8, 2)) if real < 0.1 else 1
        weights = sig.inputs[1]
        quant = type(weights.q)(scales, (0,) * 8, 0, weights.dtype)
        kinds = (sig.inputs[0], type(weights)(weights.shape, weights.dtype, quant), sig.inputs[2])
        found.append(type(sig)(sig.op, kinds, sig.outputs, sig.constants))
        assert real > 0.1 or 0.98 * 2**31 < prepared(found[-1]).accumulator_max.max() < 2**31
    return found
