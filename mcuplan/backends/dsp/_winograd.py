# SPDX-License-Identifier: Apache-2.0
"""Convolutions of 3x3 and stride 1 by the minimal filtering of tiles, in exact integers.

Source: Winograd 1980, Arithmetic Complexity of Computations; Lavin and Gray 2016, section 4,
F(2x2, 3x3) and F(4x4, 3x3), with all factors scaled so that they are integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcuplan.backends.dsp._shared import clamped, kernel
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.fields import clamp_fields, prepared
from mcuplan.units import align_up

__all__ = ["TILES"]

_JOB_BYTES = 64
_WORK_BYTES = 168  # of a transform of lifted inputs
_LANES = 4  # tiles at a time
_UNROLL = 8  # steps of the loop
_MIDDLE = 128  # that inputs are raised by
_LIFT = 13056  # of transformed inputs in the low half of a word
_UNFIT = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")


@dataclass(frozen=True, slots=True)
class _Tile:
    """Tiles of n by n output pixels: transform of the weights, factor of the sums.

    ``lifted``: inputs are raised, and so are transformed ones in the low half of a word.
    """

    n: int
    weights: tuple[tuple[int, int, int], ...]
    factor: int
    lifted: bool = False

    @property
    def side(self) -> int:
        """Input pixels along a tile."""
        return self.n + 2

    @property
    def positions(self) -> int:
        """Products of a tile, for each two channels."""
        return self.side**2

    @property
    def part(self) -> str:
        """What names of work end in."""
        return "" if self.n == 2 else f"_of_{self.n}"


_TWO = _Tile(2, ((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2)), 4)
_FOUR = _Tile(
    4,
    ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 12)),
    576,
    lifted=True,
)


def _supports(tile: _Tile, sig: Signature) -> bool:
    op, (in_c, out_c) = sig.op, (sig.inputs[0].channels, sig.output.channels)
    assert isinstance(op, Conv2D)
    windows = op.kernel == (3, 3) and op.stride == op.dilation == (1, 1) and op.groups == 1
    fits = windows and in_c % 4 == 0 and out_c % 2 == 0
    return fits and tile.factor * sig.once(_most) < 1 << 31


def _most(sig: Signature) -> int:
    """Bound of all accumulators without their bias; beyond int32 if some are shifted."""
    flat = np.abs(sig.constant(1).reshape(sig.output.channels, -1).astype(np.int64))
    most = sig.inputs[0].dtype.reach * int(flat.sum(axis=1).max())
    return 1 << 31 if prepared(sig).pre_shift.any() else most


def _words(tile: _Tile, sig: Signature) -> Array:
    """Transformed weights, bias and multiplier, two output channels at a time: int32."""
    weights, requant = sig.constant(1).astype(np.int64), prepared(sig)
    out_c, in_c = len(weights), weights.shape[-1]
    rows = np.array(tile.weights, np.int64)
    transformed = np.einsum("ia,jb,oabc->oijc", rows, rows, weights)
    order = np.arange(in_c).reshape(-1, 2, 2).swapaxes(1, 2).reshape(-1, 2)  # 0 2, 1 3, ..
    halves = transformed.reshape(out_c // 2, 2, tile.positions, in_c)[..., order]
    words = ((halves[..., 0] & 0xFFFF) | (halves[..., 1] & 0xFFFF) << 16).transpose(0, 2, 3, 1)
    if tile.lifted:
        starts = -_LIFT * halves[..., 0].sum(axis=-1)
        level = tile.side + 1  # position 1, 1: the only one that shows a constant input, times 36
        starts[..., level] -= 36 * _MIDDLE * halves[:, :, level].sum(axis=(-1, -2))
        words = np.concatenate([starts.transpose(0, 2, 1)[:, :, None], words], axis=2)
    last = np.stack([requant.bias, requant.multiplier], -1).astype(np.int64)
    blocks = [words.reshape(out_c // 2, -1), last.reshape(out_c // 2, 4)]
    stream = np.concatenate(blocks, axis=1) & 0xFFFFFFFF
    packed: Array = stream.astype(np.uint32).view(np.int32)
    return packed


def _lower(tile: _Tile, sig: Signature) -> tuple[Call, ...]:
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    block = tile.positions * (in_c + 2 * tile.lifted) + 4
    content = Packed(out_c // 2 * block, lambda: _words(tile, sig))
    fields: dict[str, Field] = {"packed": ConstArray(DType.INT32, content), "block": block}
    shape = {name: value for name, value in conv_fields(sig).items() if name not in _UNFIT}
    return (Call(fields | shape | {"tile": tile.n} | clamp_fields(sig)),)


def _scratch_bytes(tile: _Tile, sig: Signature) -> int:
    in_c, (out_w, out_c) = sig.inputs[0].channels, sig.output.shape[2:]
    outs = 4 * _LANES * tile.n**2
    inputs = 2 * _LANES * tile.positions * in_c
    sums_or_copy = tile.positions * max(2 * 4 * _LANES, in_c)
    spare = (tile.n - 1) * align_up(out_w, tile.n) * out_c
    return _JOB_BYTES + outs + inputs + _WORK_BYTES * tile.lifted + sums_or_copy + spare


def _work(tile: _Tile, sig: Signature, runs: Sequence[int]) -> Work:
    """Tiles, four at a time by two channels; fewer rows than a tile has take as many."""
    op = sig.op
    assert isinstance(op, Conv2D)
    n, in_c, (out_w, out_c) = tile.n, sig.inputs[0].channels, sig.output.shape[2:]
    across = -(-out_w // n)
    rows = [-(-run // n) for run in runs]  # of tiles
    tiles = sum(rows) * across
    groups = sum(-(-count * across // _LANES) for count in rows)
    twos, steps = groups * out_c // 2, in_c // 2
    copied = _copied(tile, sig, runs)
    counted = {
        "row": sum(rows),
        "settled": sum(runs) - sum(rows),
        "settled_byte": (sum(runs) - sum(rows)) * out_w * out_c,
        "tile": tiles,
        "word": tiles * in_c // 4,
        "line": copied,
        "line_byte": copied * tile.side * in_c,
        "two": twos,
        "round": twos * tile.positions * -(-(steps - 1) // _UNROLL),
        "step": twos * tile.positions * steps,
        "output": tiles * out_c // 2,
    }
    parts = {f"{name}{tile.part}": count for name, count in counted.items()}
    shared = {"call": len(runs), "group": groups, "clamp": clamped(sig)["clamp"]}
    return shared | parts


def _copied(tile: _Tile, sig: Signature, runs: Sequence[int]) -> int:
    """Lines of tiles of which not all lies inside the input."""
    op = sig.op
    assert isinstance(op, Conv2D)
    (in_h, in_w), (top, left) = sig.inputs[0].shape[1:3], op.pads[:2]
    columns = np.arange(0, sig.output.shape[2], tile.n) - left
    inside = int(((columns >= 0) & (columns + tile.side <= in_w)).sum())
    first, copied = 0, 0
    for rows in runs:
        lines = np.add.outer(np.arange(0, rows, tile.n) + first - top, np.arange(tile.side))
        within = int(((lines >= 0) & (lines < in_h)).sum())
        copied += lines.size * len(columns) - within * inside
        first += rows
    return copied


def _kernel(tile: _Tile) -> Kernel:
    return kernel(
        Conv2D,
        function="mplan_winograd_s8_dsp",
        lower=partial(_lower, tile),
        work=partial(_work, tile),
        supports=partial(_supports, tile),
        scratch_bytes=partial(_scratch_bytes, tile),
        cost_class="conv2d",
        trades_flash=True,
    )


TILES = (_kernel(_FOUR), _kernel(_TWO))
