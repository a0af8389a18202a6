# SPDX-License-Identifier: Apache-2.0
"""Tiles along lines on an emulated Cortex-M4 against the integer meaning, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer, narrowed

from mcuplan.backends.dsp import KERNELS
from mcuplan.ir.op import Kernel, Signature
from mcuplan.ops.conv2d import Conv2D

INF = float("inf")

# pads, (h, w, c), output channels
TILES = [
    ((1, 1, 1, 1), (6, 8, 8), 8),
    ((1, 1, 1, 1), (1, 1, 8), 4),
    ((1, 1, 1, 1), (1, 12, 24), 4),
    ((1, 1, 1, 1), (9, 1, 32), 12),
    ((0, 0, 0, 0), (3, 3, 8), 4),
    ((0, 1, 1, 0), (7, 5, 40), 4),
    ((2, 2, 2, 2), (4, 9, 16), 16),
    ((0, 2, 0, 0), (5, 6, 64), 8),
    ((1, 1, 1, 1), (8, 16, 16), 16),
    ((1, 1, 1, 1), (3, 34, 8), 20),
    ((4, 3, 5, 4), (2, 3, 8), 32),
]


def _random_tiles(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    pads = tuple(int(v) for v in rng.integers(0, 3, 4))
    size = [int(v) for v in rng.integers(3, 14, 2)]
    return pads, (*size, 8 * int(rng.integers(1, 6))), 4 * int(rng.integers(1, 6))


def _tiled(sig: Signature) -> list[Kernel]:
    """One and two tiles at a time, of all output channels, a half and a quarter of them."""
    return [k for k in KERNELS if "_winograd_line_" in k.function and k.runs(sig)]


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_tiles(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Tiles cut off by borders, single rows and columns, the least weights: every byte."""
    program = BoardProgram(9)
    for pads, shape, outputs in TILES + [_random_tiles(program.rng) for _ in range(20)]:
        act = (-40.0, 60.0) if outputs % 8 else (-INF, INF)
        op = Conv2D((3, 3), (1, 1), (1, 1), pads, 1, act)  # type: ignore[arg-type]
        sig = layer(op, program.rng, (1, *shape), (outputs, 3, 3, shape[2]), least=-128)
        for each in (sig, narrowed(program.rng, sig, -8)):
            found = _tiled(each)
            assert len(found) == 2 * (1 + (outputs % 8 == 0) + (outputs % 16 == 0))
            for kernel in found:
                program.add(each, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_tiles_take_the_ends_of_their_words(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights that make the largest transforms, and sums that wrap, are exact."""
    program = BoardProgram(10)
    for least in (-128, 127):
        for real in (0.0, 1e-5):
            shape, weights = (1, 5, 6, 400), (4, 3, 3, 400)
            sig = layer(Conv2D((3, 3)), program.rng, shape, weights, real=real)
            sig.constant(1)[:] = np.where(program.rng.random(weights) < 0.01, 3, least)
            sig.constant(1)[1, 0] *= -1
            for kernel in _tiled(sig):
                program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


@pytest.mark.parametrize(
    ("op", "shape", "outputs"),
    [
        (Conv2D((3, 3)), (4, 4, 12), 4),
        (Conv2D((3, 3)), (4, 4, 8), 6),
        (Conv2D((3, 3), (2, 1)), (5, 5, 8), 4),
        (Conv2D((3, 3), (1, 1), (1, 2)), (6, 6, 8), 4),
        (Conv2D((1, 3)), (5, 5, 8), 4),
        (Conv2D((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), 2), (4, 4, 16), 4),
    ],
)
def test_what_has_no_tiles_is_refused(op: Conv2D, shape: tuple[int, ...], outputs: int) -> None:
    """Other windows, groups, and channels that fill no words go to other kernels."""
    weights = (outputs, *op.kernel, shape[2] // op.groups)
    assert [] == _tiled(layer(op, np.random.default_rng(1), (1, *shape), weights))
