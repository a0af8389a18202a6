# SPDX-License-Identifier: Apache-2.0
"""Convolutions of 3x3 and stride 1 by minimal filtering along their lines, row by row.

Source: see `_winograd`; F(4, 3), of which two of six positions exist at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.backends.dsp._shared import (
    FOUR,
    clamped,
    for_all_weights,
    half_words,
    int32_stream,
    kernel,
)
from mcuplan.backends.dsp._winograd import ALONG, MIDDLE, most_accumulated, paired
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.fields import clamp_fields, prepared

__all__ = ["LINES"]

_LINES, _TILE = 3, 4
_ORDER = (1, 2, 3, 4, 0, 5)  # of positions
_LEVEL = 1  # position that shows what is the same in all inputs
_UNROLL = 12  # steps of the loop
_FIELDS = ("in_h", "in_w", "in_c", "out_w", "out_c", "pad_top", "pad_left")


def _supports(parts: int, sig: Signature) -> bool:
    op, (in_c, out_c) = sig.op, (sig.inputs[0].channels, sig.output.channels)
    assert isinstance(op, Conv2D)
    windows = op.kernel == (3, 3) and op.stride == op.dilation == (1, 1) and op.groups == 1
    fits = windows and in_c % 8 == 0 and out_c % (FOUR * parts) == 0
    return fits and ALONG.factor * sig.once(most_accumulated) < 1 << 31


def _words(sig: Signature) -> Array:
    """Transformed weights, bias and multiplier, four output channels at a time: int32."""
    weights, requant = sig.constant(1).astype(np.int64), prepared(sig)
    fours = len(weights) // FOUR
    along = np.einsum("jb,oabc->ojac", np.array(ALONG.rows, np.int64), weights)
    halves = paired(along.reshape(fours, FOUR, len(_ORDER), -1))
    starts = -ALONG.lift * halves[..., 0].sum(axis=-1)
    starts[..., _LEVEL] -= ALONG.level * MIDDLE * halves[:, :, _LEVEL].sum(axis=(-1, -2))
    words = half_words(halves[..., 0], halves[..., 1]).transpose(0, 2, 3, 1)
    if sig.inputs[1].dtype is DType.INT4:  # those of two channels are bytes of one
        words = words[..., 0::2] & 0xFF00FF | (words[..., 1::2] & 0xFF00FF) << 8
    places = words.reshape(fours, len(_ORDER), -1)
    positions = np.concatenate([starts.swapaxes(1, 2), places], axis=-1)[:, _ORDER]
    last = np.stack([requant.bias, requant.multiplier], -1).astype(np.int64)
    blocks = [positions.reshape(fours, -1), last.reshape(fours, 2 * FOUR)]
    return int32_stream(np.concatenate(blocks, axis=1))


def _lower(lanes: int, parts: int, sig: Signature) -> tuple[Call, ...]:
    packed, outside = sig.once(_arrays)
    fields: dict[str, Field] = {
        "packed": packed,
        "outside": outside,
        "part": sig.output.channels // parts,
        "lanes": lanes,
    }
    shape = conv_fields(sig)
    return (Call(fields | {name: shape[name] for name in _FIELDS} | clamp_fields(sig)),)


def _arrays(sig: Signature) -> tuple[ConstArray, ConstArray]:
    """Weights, and a pixel of padding: the same however many tiles are made at a time."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    narrow = sig.inputs[1].dtype is DType.INT4
    words = FOUR * _LINES * in_c // 2 // (2 if narrow else 1)
    four = len(_ORDER) * (FOUR + words) + 2 * FOUR
    content = Packed(out_c // FOUR * four, lambda: _words(sig))
    padding = np.full(in_c, sig.inputs[0].q.z, np.int8)
    return ConstArray(DType.INT32, content), ConstArray(DType.INT8, padding, "tables")


def _scratch_bytes(lanes: int, parts: int, sig: Signature) -> int:
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    return lanes * (2 * 2 * _LINES * in_c + 16 * out_c // parts + 32)


def _work(lanes: int, parts: int, sig: Signature, runs: Sequence[int]) -> Work:
    """Tiles, one or two at a time, by four channels; the odd one of a row is alone."""
    in_c, (out_h, out_w, out_c) = sig.inputs[0].channels, sig.output.shape[1:]
    across = -(-out_w // _TILE)
    tiles = out_h * across
    alone = tiles if lanes == 1 else out_h * (across % 2)
    pairs = (tiles - alone) // 2
    fours, words = out_c // FOUR, _LINES * in_c // FOUR
    counted = {
        "call": len(runs),
        "row": out_h,
        "tile": tiles,
        "part": tiles * parts,
        "word": tiles * parts * words,
    }
    for name, count in (("", alone), ("_of_two", pairs)):
        steps = count * fours * _LINES * in_c // 2
        counted |= {
            f"group{name}": count * parts,
            f"four{name}": count * fours,
            f"round{name}": len(_ORDER) * steps // _UNROLL,
        }
    return counted | {"clamp": clamped(sig)["clamp"]}


def _kernel(lanes: int, parts: int) -> Kernel:
    return kernel(
        Conv2D,
        function="mplan_winograd_line_s8_dsp",
        lower=partial(_lower, lanes, parts),
        work=partial(_work, lanes, parts),
        supports=partial(_supports, parts),
        scratch_bytes=partial(_scratch_bytes, lanes, parts),
        cost_class="conv2d",
        trades_flash=True,
    )


LINES = tuple(
    kernel
    for lanes in (2, 1)
    for parts in (1, 2, 4)
    for kernel in for_all_weights(_kernel(lanes, parts))
)
