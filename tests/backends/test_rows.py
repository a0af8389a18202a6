# SPDX-License-Identifier: Apache-2.0
"""Convolutions from rows with their padding on an emulated Cortex-M4: byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer, supporting

from mcuplan.backends.dsp import KERNELS
from mcuplan.ops.conv2d import Conv2D

INF = float("inf")
ROWS = "mplan_conv2d_rows_s8_dsp"
FOURS = "mplan_conv2d_fours_s8_dsp"

# kernel, stride, pads, (h, w, c), output channels
ROWED = [
    ((3, 3), (2, 2), (0, 0, 1, 1), (8, 8, 3), 8),
    ((3, 3), (2, 2), (1, 1, 1, 1), (10, 12, 3), 14),
    ((10, 4), (2, 2), (4, 1, 5, 1), (15, 10, 1), 12),
    ((3, 3), (1, 1), (1, 1, 1, 1), (6, 5, 8), 9),
    ((3, 3), (1, 1), (0, 0, 0, 0), (5, 6, 2), 4),
    ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1, 16), 4),
    ((3, 2), (1, 2), (2, 3, 1, 0), (7, 9, 5), 4),
    ((4, 4), (1, 1), (1, 1, 2, 2), (4, 4, 4), 6),
    ((5, 5), (1, 1), (2, 2, 2, 2), (7, 7, 1), 10),
    ((7, 7), (2, 2), (3, 3, 3, 3), (13, 12, 3), 5),
    ((5, 1), (2, 1), (2, 0, 2, 0), (11, 1, 3), 7),
    ((3, 1), (4, 1), (3, 0, 0, 0), (9, 1, 1), 6),
    ((16, 1), (1, 1), (9, 0, 6, 0), (7, 1, 4), 4),
    ((18, 1), (2, 1), (1, 0, 0, 0), (21, 2, 3), 5),
    ((2, 9), (1, 3), (1, 8, 0, 4), (4, 7, 12), 4),
    ((2, 2), (3, 4), (0, 0, 0, 0), (9, 14, 6), 8),
    ((1, 2), (1, 3), (1, 5, 1, 4), (2, 1, 1), 4),
    ((2, 1), (1, 1), (0, 0, 0, 0), (3, 5, 1), 4),
]
_Case = tuple[
    tuple[int, int], tuple[int, int], tuple[int, int, int, int], tuple[int, int, int], int
]


def _random_case(rng: np.random.Generator) -> _Case:
    height, width = (int(v) for v in rng.integers(1, 6, 2))
    down, along = (int(v) for v in rng.integers(1, 4, 2))
    top, left, bottom, right = (int(v) for v in rng.integers(0, 3, 4))
    size = (height + int(rng.integers(0, 7)), width + int(rng.integers(0, 9)))
    shape = (*size, int(rng.integers(1, 7)))
    kernel = (height, max(width, 2))
    return kernel, (down, along), (top, left, bottom, right), shape, int(rng.integers(4, 13))


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_rows(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Any window, stride and padding, lines of any length, shifts or none: every byte."""
    program = BoardProgram(14)
    drawn = by_fours = 0
    for case in ROWED + [_random_case(program.rng) for _ in range(40)]:
        kernel, stride, pads, shape, outputs = case
        act = (-40.0, 60.0) if outputs % 3 == 0 else (-INF, INF)
        op = Conv2D(kernel, stride, (1, 1), pads, 1, act)
        for real in (0.0, 1.7):
            weights = (outputs, *kernel, shape[2])
            sig = layer(op, program.rng, (1, *shape), weights, real=real)
            found = supporting(KERNELS, ROWS, sig)
            if found is not None:
                program.add(sig, found)
            drawn += found is not None
            assert found or case not in ROWED
            fours = supporting(KERNELS, FOURS, sig)
            if fours is not None:
                program.add(sig, fours)
            by_fours += fours is not None
    assert drawn > 100
    assert by_fours > 15
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize(
    ("op", "shape", "outputs"),
    [
        (Conv2D((1, 1)), (4, 4, 6), 8),
        (Conv2D((3, 3)), (4, 4, 6), 3),
        (Conv2D((3, 3), (1, 1), (1, 2)), (6, 6, 4), 4),
        (Conv2D((3, 3), (1, 1), (2, 1)), (6, 6, 4), 4),
        (Conv2D((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), 2), (4, 4, 8), 4),
        (Conv2D((2, 2), (1, 9), (1, 1), (0, 3, 0, 0)), (3, 1, 1), 4),
    ],
)
def test_what_has_no_rows_is_refused(op: Conv2D, shape: tuple[int, ...], outputs: int) -> None:
    """Single pixels, spaced windows, groups, few outputs, and windows beside the input."""
    weights = (outputs, *op.kernel, shape[2] // op.groups)
    sig = layer(op, np.random.default_rng(1), (1, *shape), weights)
    assert supporting(KERNELS, ROWS, sig) is None


def test_channels_that_come_again_must_share_words_with_others() -> None:
    """Of five channels 1 to 4 fill the last four: 1 and 2, then 3 and 4 share words."""
    for least, fits in (([1, 2], False), ([0, 2], True)):
        sig = layer(Conv2D((3, 3)), np.random.default_rng(1), (1, 4, 4, 3), (5, 3, 3, 3))
        sig.constant(1)[:] = 1
        sig.constant(1)[least, 0, 0, 0] = -128
        assert supporting(KERNELS, "mplan_conv2d_s8_dsp", sig) is not None
        assert (supporting(KERNELS, ROWS, sig) is not None) is fits
