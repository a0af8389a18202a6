# SPDX-License-Identifier: Apache-2.0
"""Tiles of Winograd on an emulated Cortex-M4 against the integer meaning, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from board_program import BoardProgram, layer, narrowed

from mcuplan.backends.dsp import KERNELS
from mcuplan.ir.op import Kernel, Signature
from mcuplan.ops.conv2d import Conv2D

INF = float("inf")
WINOGRAD, NARROW = "mplan_winograd_s8_dsp", "mplan_winograd_w4_dsp"

# kernel, pads, (h, w, c), output channels
LINES = [
    ((3, 1), (1, 0, 1, 0), (17, 1, 16), 6),
    ((3, 1), (0, 0, 0, 0), (9, 1, 4), 2),
    ((3, 1), (2, 0, 2, 0), (1, 1, 4), 2),
    ((3, 1), (2, 1, 1, 2), (6, 3, 20), 4),
    ((3, 1), (2, 0, 0, 0), (40, 1, 64), 8),
    ((1, 3), (0, 1, 0, 1), (1, 17, 16), 6),
    ((1, 3), (0, 0, 0, 0), (3, 9, 8), 4),
    ((1, 3), (1, 2, 0, 1), (4, 2, 32), 2),
]
# pads, (h, w, c), output channels
TILES = [
    ((1, 1, 1, 1), (6, 8, 8), 8),
    ((1, 1, 1, 1), (1, 1, 4), 2),
    ((1, 1, 1, 1), (1, 12, 20), 4),
    ((1, 1, 1, 1), (9, 1, 32), 4),
    ((0, 0, 0, 0), (3, 3, 4), 2),
    ((0, 1, 1, 0), (7, 5, 28), 4),
    ((2, 2, 2, 2), (4, 9, 12), 4),
    ((0, 2, 0, 0), (5, 6, 40), 2),
    ((1, 1, 1, 1), (8, 16, 16), 16),
    ((1, 1, 1, 1), (9, 34, 8), 4),
    ((4, 3, 5, 4), (2, 3, 8), 6),
]


def _random_tiles(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    pads = tuple(int(v) for v in rng.integers(0, 3, 4))
    size = [int(v) for v in rng.integers(3, 12, 2)]
    return pads, (*size, 4 * int(rng.integers(1, 9))), 2 * int(rng.integers(1, 6))


def _tiled(sig: Signature) -> list[Kernel]:
    """Both sizes of tiles, where the sums of the layer allow them."""
    return [k for k in KERNELS if k.function == WINOGRAD and k.supports(sig)]


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_tiles(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Tiles cut off by borders, single rows and columns, the least weights: every byte."""
    program = BoardProgram(9)
    for pads, shape, outputs in TILES + [_random_tiles(program.rng) for _ in range(30)]:
        act = (-40.0, 60.0) if outputs % 4 else (-INF, INF)
        op = Conv2D((3, 3), (1, 1), (1, 1), pads, 1, act)  # type: ignore[arg-type]
        sig = layer(op, program.rng, (1, *shape), (outputs, 3, 3, shape[2]), least=-128)
        found = _tiled(sig)
        assert len(found) == 2
        for kernel in found:
            program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_tiles_of_narrow_weights(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights of 4 bits, -8 included, transformed for all output channels or some: every byte."""
    program = BoardProgram(12)
    for pads, shape, outputs in TILES + [_random_tiles(program.rng) for _ in range(12)]:
        act = (-40.0, 60.0) if outputs % 4 else (-INF, INF)
        op = Conv2D((3, 3), (1, 1), (1, 1), pads, 1, act)  # type: ignore[arg-type]
        sig = layer(op, program.rng, (1, *shape), (outputs, 3, 3, shape[2]))
        sig = narrowed(program.rng, sig, -8)
        found = [k for k in KERNELS if k.function == NARROW and k.runs(sig)]
        assert found
        for kernel in found:
            program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


def test_tiles_of_a_line(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Kernels of three taps along either axis: every byte."""
    program = BoardProgram(11)
    for kernel, pads, shape, outputs in LINES:
        for act in ((-40.0, 60.0), (-INF, INF)):
            op = Conv2D(kernel, (1, 1), (1, 1), pads, 1, act)
            weights = (outputs, *kernel, shape[2])
            sig = layer(op, program.rng, (1, *shape), weights, least=-128)
            (found,) = _tiled(sig)
            program.add(sig, found)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_tiles_take_the_ends_of_their_words(tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights that make the largest transforms, and sums that wrap, are exact."""
    program = BoardProgram(10)
    for channels, sizes in ((24, 2), (400, 1)):
        for least in (-128, 127):
            for real in (0.0, 1e-5):
                shape, weights = (1, 5, 6, channels), (4, 3, 3, channels)
                sig = layer(Conv2D((3, 3)), program.rng, shape, weights, real=real)
                sig.constant(1)[:] = np.where(program.rng.random(weights) < 0.01, 3, least)
                sig.constant(1)[1, 0] *= -1
                found = _tiled(sig)
                assert sizes == len(found)
                for kernel in found:
                    program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu)


def test_transformed_inputs_stay_in_their_halves() -> None:
    """Raised inputs of a tile, transformed, are int16, and the lifted ones not negative."""
    axis = np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    )
    of_squares = np.einsum("ia,jb->ijab", axis, axis).reshape(36, 36)
    for factors, lift in ((of_squares, 13056), (axis, 2048)):
        high, low = (255 * part(factors, 0).sum(axis=-1) for part in (np.maximum, np.minimum))
        assert -(1 << 15) <= low.min() < high.max() < 1 << 15
        assert 0 <= (low + lift).min() < (high + lift).max() < 1 << 15


@pytest.mark.parametrize(
    ("op", "shape", "outputs"),
    [
        (Conv2D((3, 3)), (4, 4, 6), 4),
        (Conv2D((3, 3)), (4, 4, 8), 3),
        (Conv2D((3, 3), (2, 1)), (5, 5, 4), 4),
        (Conv2D((3, 3), (1, 1), (1, 2)), (6, 6, 4), 4),
        (Conv2D((3, 2)), (5, 5, 4), 4),
        (Conv2D((1, 1)), (5, 5, 4), 4),
        (Conv2D((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), 2), (4, 4, 8), 4),
    ],
)
def test_what_has_no_tiles_is_refused(op: Conv2D, shape: tuple[int, ...], outputs: int) -> None:
    """Other windows, groups, and channels that fill no words go to other kernels."""
    weights = (outputs, *op.kernel, shape[2] // op.groups)
    assert [] == _tiled(layer(op, np.random.default_rng(1), (1, *shape), weights))


def test_sums_that_do_not_stay_in_int32_have_no_tiles() -> None:
    """4 or 576 times an accumulator is proved from the weights; shifted ones are refused."""
    rng = np.random.default_rng(1)
    for channels, fits in ((24, 2), (28, 1), (3640, 1), (3700, 0)):
        sig = layer(Conv2D((3, 3)), rng, (1, 3, 3, channels), (2, 3, 3, channels), real=1e-6)
        sig.constant(1)[:] = 127
        sig.constant(2)[:] = 0
        quant = replace(sig.inputs[0].q, zero_point=(0,))
        kinds = (replace(sig.inputs[0], quant=quant), *sig.inputs[1:])
        found = _tiled(replace(sig, inputs=kinds))
        assert len(found) == fits
    shifted = layer(Conv2D((3, 3)), rng, (1, 3, 3, 4), (2, 3, 3, 4), real=1.5)
    assert [] == _tiled(shifted)
