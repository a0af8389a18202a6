# SPDX-License-Identifier: Apache-2.0
"""The dsp kernels for weights of 4 bits on an emulated Cortex-M4, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer, narrowed, supporting
from test_dsp import CONVS, DEPTHWISES, POINTWISE

from mcuplan.backends.dsp import KERNELS
from mcuplan.ir.op import Kernel, Signature
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense

INF = float("inf")
DEPTHWISE = "mplan_depthwise3x3_w4_dsp"
CONV, ROWS, PATCH, DENSE = (
    f"mplan_{stem}_w4_dsp" for stem in ("conv2d", "conv2d_rows", "conv2d_patch", "dense")
)


def running(sig: Signature) -> list[Kernel]:
    """All kernels for weights of 4 bits that run a layer, other than by minimal filtering."""
    found = [kernel for kernel in KERNELS if kernel.op is type(sig.op) and kernel.runs(sig)]
    return [kernel for kernel in found if "winograd" not in kernel.function]


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_convolutions(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride, dilation and number of channels gives every byte."""
    program = BoardProgram(1)
    plain = ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))
    ran = set()
    for case in [
        *CONVS,
        *((*plain, (3, 3, c), outputs) for c, outputs in POINTWISE),
        (*plain, (1, 1, 16), 6),
    ]:
        kernel, stride, dilation, pads, shape, outputs = case
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, dilation, pads, 1, act)
        for real in (0.0, 1.7):
            sig = layer(op, program.rng, (1, *shape), (outputs, *kernel, shape[2]), real=real)
            sig = narrowed(program.rng, sig)
            found = running(sig)
            assert CONV in {each.function for each in found}, case
            ran.update(each.function for each in found)
            for each in found:
                program.add(sig, each)
    assert {CONV, ROWS, PATCH, DENSE} == ran
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_depthwise(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Stride 1 and 2 with and without padding on each side give every byte, -8 included."""
    program = BoardProgram(4)
    count = 0
    for stride, pads, shape in DEPTHWISES:
        if min(shape[0] + pads[0] + pads[2], shape[1] + pads[1] + pads[3]) < 3:
            continue
        op = Conv2D((3, 3), (stride, stride), (1, 1), pads, shape[2], (-INF, 90.0))
        sig = narrowed(program.rng, layer(op, program.rng, (1, *shape), (shape[2], 3, 3, 1)), -8)
        for each in running(sig):
            program.add(sig, each)
            count += each.function == DEPTHWISE
    assert count >= 10
    assert [] == program.run(tmp_path, arm_gcc, qemu, "-O2")


# inputs, outputs, block
MATRICES = [
    (4, 1, 4),
    (4, 4, 4),
    (8, 5, 4),
    (64, 12, 32),
    (40, 10, 16),
    (640, 7, 32),
    (36, 6, 8),
    (1100, 3, 1024),
    (96, 4, 64),
]


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_matrices(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Inputs by fours, any number of outputs and blocks, one pixel or several, -8 included."""
    program = BoardProgram(2)
    for inputs, outputs, block in MATRICES:
        for pixels in ((1,), (1, 3), (1, 2, 3)):
            for real in (0.0, 1.7):
                size = (outputs, inputs)
                act = (-40.0, 60.0) if outputs % 2 else (-INF, INF)
                plain = layer(Dense(act), program.rng, (*pixels, inputs), size, real=real)
                for each in (None, block):
                    sig = narrowed(program.rng, plain, -8, each)
                    found = supporting(KERNELS, DENSE, sig)
                    assert found
                    program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("value", [-8, 7])
def test_sums_of_blocks_at_their_ends(value: int, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """All weights and all inputs at one end: 4096 times a sum of the longest block is an int32."""
    program = BoardProgram(5)
    for inputs, block in ((504, None), (1008, None), (64, 32), (1008, 504)):
        plain = layer(Dense(), program.rng, (1, inputs), (5, inputs), real=1e-5)
        sig = narrowed(program.rng, plain, -8, block)
        sig.constant(1)[...] = value * (15 if block else 1)
        found = supporting(KERNELS, DENSE, sig)
        assert found
        for end in (-128, 127):
            program.add(sig, found, value=end)
    assert [] == program.run(tmp_path, arm_gcc, qemu, "-O2")


def test_what_words_cannot_hold_is_refused() -> None:
    """Four channels of -8 are no int16; long sums times 4096 are no int32."""
    rng = np.random.default_rng(3)
    for inputs, values, runs in (
        (64, 7, True),
        (64, -7, True),
        (64, -8, False),
        (584, 7, True),
        (588, 7, False),
    ):
        sig = narrowed(rng, layer(Conv2D((1, 1)), rng, (1, 2, 2, inputs), (4, 1, 1, inputs)))
        weights = np.full((4, 1, 1, inputs), values, np.int8)
        sig = replace(sig, constants=(None, weights, np.zeros(4, np.int32)))
        assert runs == bool(running(sig)), (inputs, values)


def test_long_sums_of_the_first_two_channels_are_refused() -> None:
    """Beyond 2^27, whose 16-fold is no int32; channels in the upper byte may be short."""
    rng = np.random.default_rng(4)
    for inputs, runs in ((131068, True), (131072, False)):
        for row in (0, 1):
            size = (4, 1, 1, inputs)
            sig = narrowed(rng, layer(Conv2D((1, 1)), rng, (1, 2, 2, inputs), size, real=1e-6))
            weights = np.zeros(size, np.int8)
            weights[row] = -8
            sig = replace(sig, constants=(None, weights, np.zeros(4, np.int32)))
            assert runs == bool(running(sig)), (inputs, row)
