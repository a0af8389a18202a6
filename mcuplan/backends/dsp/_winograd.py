# SPDX-License-Identifier: Apache-2.0
"""Convolutions of 3x3 and stride 1 by the minimal filtering of tiles, in exact integers.

Source: Winograd 1980, Arithmetic Complexity of Computations; Lavin and Gray 2016, section 4.1,
F(2x2, 3x3), with the weights' transform scaled by 4, so that it is one of integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import clamped, kernel
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.fields import clamp_fields, prepared
from mcuplan.units import align_up

__all__ = ["WINOGRAD"]

_JOB_BYTES = 120
_LANES = 4  # tiles at a time
_SIDE = 4  # input pixels along a tile
_POSITIONS = _SIDE * _SIDE
_SUMS_BYTES = _POSITIONS * _LANES * 2 * 4
_UNROLL = 8  # steps of the loop
_WEIGHTS = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
_SCALE = 4  # of the sums
_UNFIT = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")


def _supports(sig: Signature) -> bool:
    op, (in_c, out_c) = sig.op, (sig.inputs[0].channels, sig.output.channels)
    assert isinstance(op, Conv2D)
    windows = op.kernel == (3, 3) and op.stride == op.dilation == (1, 1) and op.groups == 1
    return windows and in_c % 4 == 0 and out_c % 2 == 0 and sig.once(_stays_in_words)


def _stays_in_words(sig: Signature) -> bool:
    """Whether four times every accumulator stays in int32, and none is shifted."""
    requant = prepared(sig)
    most = int(requant.accumulator_max.max())
    return _SCALE * most < 1 << 31 and not requant.pre_shift.any()


def _words(sig: Signature) -> Array:
    """Transformed weights, bias and multiplier, two output channels at a time: int32."""
    weights, requant = sig.constant(1).astype(np.int64), prepared(sig)
    out_c, in_c = len(weights), weights.shape[-1]
    transformed = np.einsum("ia,jb,oabc->oijc", _WEIGHTS, _WEIGHTS, weights)
    order = np.arange(in_c).reshape(-1, 2, 2).swapaxes(1, 2).reshape(-1, 2)  # 0 2, 1 3, ..
    halves = transformed.reshape(out_c // 2, 2, _POSITIONS, in_c)[..., order] & 0xFFFF
    words = (halves[..., 0] | halves[..., 1] << 16).transpose(0, 2, 3, 1)
    last = np.stack([requant.bias, requant.multiplier], -1).astype(np.int64)
    blocks = [words.reshape(out_c // 2, -1), last.reshape(out_c // 2, 4)]
    stream = np.concatenate(blocks, axis=1) & 0xFFFFFFFF
    packed: Array = stream.astype(np.uint32).view(np.int32)
    return packed


def _lower(sig: Signature) -> tuple[Call, ...]:
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    size = out_c // 2 * (_POSITIONS * in_c + 4)
    packed: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(size, lambda: _words(sig)))
    }
    shape = {name: value for name, value in conv_fields(sig).items() if name not in _UNFIT}
    return (Call(packed | shape | clamp_fields(sig)),)


def _scratch_bytes(sig: Signature) -> int:
    in_c, (out_w, out_c) = sig.inputs[0].channels, sig.output.shape[2:]
    copied = max(_SUMS_BYTES, _POSITIONS * in_c)
    return _JOB_BYTES + _POSITIONS * _LANES * 2 * in_c + copied + align_up(out_w, 2) * out_c


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Tiles of two by two pixels, four at a time by two channels; a single row takes as many."""
    op = sig.op
    assert isinstance(op, Conv2D)
    in_c, (out_w, out_c) = sig.inputs[0].channels, sig.output.shape[2:]
    across = -(-out_w // 2)
    pairs = [-(-rows // 2) for rows in runs]
    tiles = sum(pairs) * across
    groups = sum(-(-rows * across // _LANES) for rows in pairs)
    twos, steps = groups * out_c // 2, in_c // 2
    copied = _copied(sig, runs)
    return {
        "call": len(runs),
        "pair": sum(pairs),
        "spare_byte": sum(rows // 2 for rows in runs) * out_w * out_c,
        "tile": tiles,
        "word": tiles * in_c // 4,
        "line": copied,
        "line_byte": copied * _SIDE * in_c,
        "group": groups,
        "two": twos,
        "round": twos * _POSITIONS * -(-(steps - 1) // _UNROLL),
        "step": twos * _POSITIONS * steps,
        "output": tiles * out_c // 2,
        **clamped(sig),
    }


def _copied(sig: Signature, runs: Sequence[int]) -> int:
    """Lines of tiles of which not all lies inside the input."""
    op = sig.op
    assert isinstance(op, Conv2D)
    (in_h, in_w), (top, left) = sig.inputs[0].shape[1:3], op.pads[:2]
    columns = np.arange(0, sig.output.shape[2], 2) - left
    inside = int(((columns >= 0) & (columns + _SIDE <= in_w)).sum())
    first, copied = 0, 0
    for rows in runs:
        lines = np.add.outer(np.arange(0, rows, 2) + first - top, np.arange(_SIDE))
        within = int(((lines >= 0) & (lines < in_h)).sum())
        copied += lines.size * len(columns) - within * inside
        first += rows
    return copied


WINOGRAD = kernel(
    Conv2D,
    function="mplan_winograd_s8_dsp",
    lower=_lower,
    work=_work,
    supports=_supports,
    scratch_bytes=_scratch_bytes,
    cost_class="conv2d",
    trades_flash=True,
)
