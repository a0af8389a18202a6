# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions of few channels on an emulated Cortex-M4: byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer, supporting

from mcuplan.backends.dsp import KERNELS
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Quant
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense

INF = float("inf")
POINTWISE = "mplan_pointwise_s8_dsp"


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_pointwise(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any number of channels, rows that no four pixels fill, strides, in place: every byte."""
    program = BoardProgram(21)
    for channels in range(1, 33):
        for size, stride in (((1, 1), 1), ((2, 3), 1), ((3, 4), 1), ((5, 7), 2)):
            outputs = 2 * int(program.rng.integers(1, 9))
            act = (-40.0, 60.0) if channels % 5 == 0 else (-INF, INF)
            op = Conv2D((1, 1), (stride, stride), act=act)
            shape = (1, *size, channels)
            sig = layer(op, program.rng, shape, (outputs, 1, 1, channels))
            found = supporting(KERNELS, POINTWISE, sig)
            assert found, (channels, outputs)
            program.add(sig, found, inplace=stride == 1 and outputs == channels)
    sig = layer(Dense(), program.rng, (1, 3, 2, 18), (14, 18))
    found = supporting(KERNELS, POINTWISE, sig)
    assert found
    program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def _biased(rng: np.random.Generator, odd: int) -> Signature:
    """Two outputs, whose second accumulator is proved up to ``odd``."""
    sig = layer(Conv2D((1, 1)), rng, (1, 4, 4, 16), (2, 1, 1, 16), real=1e-5)
    grid = Quant.per_tensor(1.0, 0)
    most = 128 * int(np.abs(sig.constant(1)[1].astype(np.int64)).sum())
    bias = np.array([-(1 << 30), odd - most], np.int32)
    return replace(
        sig,
        inputs=(replace(sig.inputs[0], quant=grid), *sig.inputs[1:]),
        constants=(None, sig.constant(1), bias),
    )


def test_accumulators_up_to_their_limit(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """The sum of an odd channel is told from that of its even one below 2^23, and no further."""
    program = BoardProgram(22)
    sig = _biased(program.rng, (1 << 23) - 1)
    found = supporting(KERNELS, POINTWISE, sig)
    assert found
    program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)
    assert supporting(KERNELS, POINTWISE, _biased(program.rng, 1 << 23)) is None


@pytest.mark.parametrize(
    ("op", "channels", "outputs", "real"),
    [
        (Conv2D((1, 1)), 33, 4, 0.0),
        (Conv2D((1, 1)), 8, 5, 0.0),
        (Conv2D((1, 1)), 8, 4, 1.7),
        (Conv2D((1, 1), pads=(0, 0, 1, 1)), 8, 4, 0.0),
        (Conv2D((1, 1), groups=2), 8, 4, 0.0),
        (Conv2D((1, 2)), 8, 4, 0.0),
    ],
)
def test_what_is_refused(op: Conv2D, channels: int, outputs: int, real: float) -> None:
    """Many channels, odd outputs, sums that are shifted, padding, groups, windows."""
    weights = (outputs, *op.kernel, channels // op.groups)
    sig = layer(op, np.random.default_rng(1), (1, 4, 4, channels), weights, real=real)
    assert supporting(KERNELS, POINTWISE, sig) is None
