# SPDX-License-Identifier: Apache-2.0
"""The mve kernels on an emulated Cortex-M55 against the integer meaning, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_program import M55, BoardProgram, layer, supporting

from mcuplan.backends.mve import KERNELS
from mcuplan.ops.conv2d import Conv2D

INF = float("inf")
CONV = "mplan_conv2d_s8_mve"

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
