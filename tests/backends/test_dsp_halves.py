# SPDX-License-Identifier: Apache-2.0
"""The dsp kernels for weights of 4 bits on an emulated Cortex-M4, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer
from test_dsp import CONVS, DEPTHWISES, POINTWISE

from mcuplan.backends.dsp import KERNELS
from mcuplan.ir.op import Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense

INF = float("inf")
DEPTHWISE = "mplan_depthwise3x3_w4_dsp"
CONV, ROWS, PATCH, DENSE = (
    f"mplan_{stem}_w4_dsp" for stem in ("conv2d", "conv2d_rows", "conv2d_patch", "dense")
)


def narrowed(rng: np.random.Generator, sig: Signature, least: int = -7) -> Signature:
    """The same layer with weights of 4 bits."""
    kind = replace(
        sig.inputs[1], dtype=DType.INT4, quant=replace(sig.inputs[1].q, dtype=DType.INT4)
    )
    values = rng.integers(least, 8, kind.shape).astype(np.int8)
    return replace(
        sig,
        inputs=(sig.inputs[0], kind, sig.inputs[2]),
        constants=(None, values, sig.constant(2) // 16),
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


def test_matrices(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Inputs by fours, any number of outputs, one pixel or several."""
    program = BoardProgram(2)
    for inputs, outputs in ((4, 1), (4, 4), (8, 5), (64, 12), (40, 10), (640, 7), (36, 6)):
        for pixels in ((1,), (1, 3), (1, 2, 3)):
            for real in (0.0, 1.7):
                size = (outputs, inputs)
                sig = layer(Dense(), program.rng, (*pixels, inputs), size, real=real)
                sig = narrowed(program.rng, sig)
                found = running(sig)
                assert DENSE in {each.function for each in found}
                for each in found:
                    program.add(sig, each)
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
        sig = narrowed(rng, layer(Dense(), rng, (1, inputs), (4, inputs)))
        weights = np.full((4, inputs), values, np.int8)
        sig = replace(sig, constants=(None, weights, np.zeros(4, np.int32)))
        assert runs == bool(running(sig)), (inputs, values)


def test_long_sums_of_the_first_two_channels_are_refused() -> None:
    """Beyond 2^27, whose 16-fold is no int32; channels in the upper byte may be short."""
    rng = np.random.default_rng(4)
    for inputs, runs in ((131068, True), (131072, False)):
        for row in (0, 1):
            sig = narrowed(rng, layer(Dense(), rng, (1, inputs), (4, inputs), real=1e-6))
            weights = np.zeros((4, inputs), np.int8)
            weights[row] = -8
            sig = replace(sig, constants=(None, weights, np.zeros(4, np.int32)))
            assert runs == bool(running(sig)), (inputs, row)
