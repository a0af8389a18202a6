# SPDX-License-Identifier: Apache-2.0
"""Convolutions of 3x3, 3x1 and 1x3 and stride 1 by minimal filtering of tiles, in exact integers.

Source: Winograd 1980, Arithmetic Complexity of Computations; Lavin and Gray 2016, section 4,
F(2x2, 3x3), F(4x4, 3x3) and F(4, 3), with all factors scaled so that they are integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcuplan.backends.dsp._shared import clamped, half_words, int32_stream, kernel
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.fields import clamp_fields, prepared
from mcuplan.units import align_up

__all__ = [
    "ALONG",
    "LARGE",
    "MIDDLE",
    "TILES",
    "most_accumulated",
    "paired",
    "tile_fields",
    "tile_scratch",
    "tile_supports",
    "tile_work",
]

_JOB_BYTES = 64
_WORK_BYTES = 168  # of a transform of 6 by 6
_LANES = 4  # tiles at a time
_UNROLL = 8  # steps of the loop
MIDDLE = 128  # that inputs are raised by
_UNFIT = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")

_Rows = tuple[tuple[int, int, int], ...]
_HALVES: _Rows = ((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2))
_QUARTERS: _Rows = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 12))


@dataclass(frozen=True, slots=True)
class _Tile:
    """Tiles of so many output rows and columns, by kernels of 3, or of 1 where that is 1.

    Attributes:
        height, width: output pixels.
        rows: transform of the weights along an axis of 3.
        factor: of the sums.
        lift: added to transformed inputs in the low half of a word; 0: nor are inputs raised.
        level: sum of the factors of position 1 of an axis, the only one that shows what is the
            same in all inputs.
        part: what names of work end in.
    """

    height: int
    width: int
    rows: _Rows
    factor: int
    lift: int = 0
    level: int = 0
    part: str = ""

    @property
    def sides(self) -> tuple[int, int]:
        """Input pixels down and along a tile."""
        return _side(self.height), _side(self.width)

    @property
    def kernel(self) -> tuple[int, int]:
        """The window that it is for."""
        return (3 if self.height > 1 else 1), (3 if self.width > 1 else 1)

    @property
    def positions(self) -> int:
        """Products of a tile, for each two channels."""
        return self.sides[0] * self.sides[1]

    @property
    def transforms(self) -> tuple[Array, Array]:
        """Of the weights, down and along."""
        one, three = np.ones((1, 1), np.int64), np.array(self.rows, np.int64)
        height, width = (three if size > 1 else one for size in (self.height, self.width))
        return height, width


def _side(size: int) -> int:
    return size + 2 if size > 1 else 1


_TWO = _Tile(2, 2, _HALVES, 4)
LARGE = _Tile(4, 4, _QUARTERS, 576, 13056, 36, "_of_4")
_DOWN = _Tile(4, 1, _QUARTERS, 24, 2048, -6, "_of_line")
ALONG = _Tile(1, 4, _QUARTERS, 24, 2048, -6, "_of_line")


def tile_supports(tile: _Tile, sig: Signature) -> bool:
    """Whether tiles make a convolution, whose sums times their factor stay in int32."""
    op, (in_c, out_c) = sig.op, (sig.inputs[0].channels, sig.output.channels)
    assert isinstance(op, Conv2D)
    windows = op.kernel == tile.kernel and op.stride == op.dilation == (1, 1) and op.groups == 1
    fits = windows and in_c % 4 == 0 and out_c % 2 == 0
    return fits and tile.factor * sig.once(most_accumulated) < 1 << 31


def most_accumulated(sig: Signature) -> int:
    """Bound of all accumulators without their bias; beyond int32 if some are shifted."""
    flat = np.abs(sig.constant(1).reshape(sig.output.channels, -1).astype(np.int64))
    most = sig.inputs[0].dtype.reach * int(flat.sum(axis=1).max())
    return 1 << 31 if prepared(sig).pre_shift.any() else most


def _words(tile: _Tile, sig: Signature) -> Array:
    """Transformed weights, bias and multiplier, two output channels at a time: int32."""
    weights, requant = sig.constant(1).astype(np.int64), prepared(sig)
    out_c, in_c = len(weights), weights.shape[-1]
    transformed = np.einsum("ia,jb,oabc->oijc", *tile.transforms, weights)
    halves = paired(transformed.reshape(out_c // 2, 2, tile.positions, in_c))
    words = half_words(halves[..., 0], halves[..., 1]).transpose(0, 2, 3, 1)
    if tile.lift:
        starts = -tile.lift * halves[..., 0].sum(axis=-1)
        one = tile.sides[1] + 1 if min(tile.sides) > 1 else 1  # of the positions
        starts[..., one] -= tile.level * MIDDLE * halves[:, :, one].sum(axis=(-1, -2))
        words = np.concatenate([starts.transpose(0, 2, 1)[:, :, None], words], axis=2)
    last = np.stack([requant.bias, requant.multiplier], -1).astype(np.int64)
    blocks = [words.reshape(out_c // 2, -1), last.reshape(out_c // 2, 4)]
    return int32_stream(np.concatenate(blocks, axis=1))


def paired(channels: Array) -> Array:
    """Channels on the last axis as words have them: [..., words, 2]."""
    order = np.arange(channels.shape[-1]).reshape(-1, 2, 2).swapaxes(1, 2)  # 0 2, 1 3, ..
    pairs: Array = channels[..., order.reshape(-1, 2)]
    return pairs


def _lower(tile: _Tile, sig: Signature) -> tuple[Call, ...]:
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    block = tile.positions * (in_c + 2 * (tile.lift > 0)) + 4
    content = Packed(out_c // 2 * block, lambda: _words(tile, sig))
    fields: dict[str, Field] = {"packed": ConstArray(DType.INT32, content), "block": block}
    return (Call(fields | tile_fields(tile, sig)),)


def tile_fields(tile: _Tile, sig: Signature) -> dict[str, Field]:
    """Members that tell shapes and limits."""
    shape = {name: value for name, value in conv_fields(sig).items() if name not in _UNFIT}
    return {**shape, "tile_h": tile.height, "tile_w": tile.width, **clamp_fields(sig)}


def _scratch_bytes(tile: _Tile, sig: Signature) -> int:
    out_w, out_c = sig.output.shape[2:]
    spare = max(1, tile.height - 1) * align_up(out_w, tile.width) * out_c
    return tile_scratch(tile, sig.inputs[0].channels) + spare


def tile_scratch(tile: _Tile, in_c: int) -> int:
    """Bytes of tiles that are made together."""
    outs = 4 * _LANES * tile.height * tile.width
    inputs = 2 * _LANES * tile.positions * in_c
    work = _WORK_BYTES if min(tile.sides) == 6 else 0
    sums_or_copy = tile.positions * max(2 * 4 * _LANES, in_c)
    return _JOB_BYTES + outs + inputs + work + sums_or_copy


def tile_work(tile: _Tile, sig: Signature, runs: Sequence[int]) -> Work:
    """Tiles, four at a time by two channels; fewer rows than a tile has take as many."""
    in_c, (out_w, out_c) = sig.inputs[0].channels, sig.output.shape[2:]
    across = -(-out_w // tile.width)
    rows = [-(-run // tile.height) for run in runs]  # of tiles
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
        "line_byte": copied * tile.sides[1] * in_c,
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
    height, width = tile.sides
    columns = np.arange(0, sig.output.shape[2], tile.width) - left
    inside = int(((columns >= 0) & (columns + width <= in_w)).sum())
    first, copied = 0, 0
    for rows in runs:
        starts = np.arange(0, rows, tile.height) + first - top
        lines = np.add.outer(starts, np.arange(height))
        within = int(((lines >= 0) & (lines < in_h)).sum())
        copied += lines.size * len(columns) - within * inside
        first += rows
    return copied


def _kernel(tile: _Tile) -> Kernel:
    return kernel(
        Conv2D,
        function="mplan_winograd_s8_dsp",
        lower=partial(_lower, tile),
        work=partial(tile_work, tile),
        supports=partial(tile_supports, tile),
        scratch_bytes=partial(_scratch_bytes, tile),
        cost_class="conv2d",
        tall=tile.height,
        trades_flash=True,
    )


TILES = tuple(map(_kernel, (LARGE, _TWO, _DOWN, ALONG)))
