# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions from pairs of rows, four channels at a time, of the dsp backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, clamped, kernel, shifts
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import clamp_fields, prepared

__all__ = ["KERNELS"]

_STRIP_BYTES = 4096  # about what the planes of a strip may take
_BLOCK = 3  # columns


def _small_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    return (
        op.groups == channels == sig.output.channels >= FOUR
        and (op.kernel, op.stride, op.dilation) == ((3, 3), (1, 1), (1, 1))
        and max(op.pads) < 256
        and sig.output.shape[2] >= 2
        and not prepared(sig).pre_shift.any()
        and prepared(sig).fits_one_shift
    )


def _strip(sig: Signature) -> int:
    """Pairs of output rows whose planes are held at a time."""
    _, out_h, out_w, _ = sig.output.shape
    return min(-(-out_h // 2), max(1, _STRIP_BYTES // (16 * (out_w + 3)) - 1))


def _small(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(8 * channels, lambda: _small_words(sig))),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "strip": _strip(sig),
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | clamp_fields(sig)),)


def _small_scratch(sig: Signature) -> int:
    return 8 * _strip(sig) + 16 * (sig.output.shape[2] + 3) * (_strip(sig) + 1)


def _small_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Planes of four channels, then two rows by two columns of each channel."""
    _, out_h, out_w, channels = sig.output.shape
    in_w = sig.inputs[0].shape[2]
    pairs, fours = -(-out_h // 2), -(-channels // FOUR)
    strips = -(-pairs // _strip(sig))
    planes = fours * (pairs + strips)
    lines = FOUR * fours * pairs
    return {
        "call": len(runs),
        "padded": _strip(sig) + 1,
        "pad": (_strip(sig) + 1) * (out_w + 2 - in_w),
        "strip": strips,
        "place": pairs,
        "plane": planes,
        "column": planes * in_w,
        "four": fours * strips,
        "pair": lines,
        "block": lines * (out_w // 2),
        "odd": lines * (out_w % 2),
        "shifted": out_h * channels * out_w * shifts(sig),
        **clamped(sig),
    }


def _small_words(sig: Signature) -> Array:
    """int32 stream of eight words for each channel: six of weights, bias, multiplier."""
    w, requant = sig.constant(1)[..., 0].astype(np.int64), prepared(sig)
    pairs = [(w[:, y, x], w[:, y + 1, x]) for x in range(3) for y in range(2)]
    words = [low & 0xFFFF | (high & 0xFFFF) << 16 for low, high in pairs]
    words += [requant.bias.astype(np.int64), requant.multiplier.astype(np.int64)]
    packed: Array = (np.stack(words, axis=1) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return packed


def _supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    return (
        op.groups == channels == sig.output.channels >= FOUR
        and op.kernel in ((5, 5), (7, 7))
        and op.stride in ((1, 1), (2, 2))
        and op.dilation == (1, 1)
        and max(op.pads) < op.kernel[0]
        and sig.output.shape[2] >= _BLOCK
        and not prepared(sig).pre_shift.any()
        and prepared(sig).fits_one_shift
    )


def _seen(sig: Signature) -> int:
    """Pairs of input rows that two output rows see."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return (op.kernel[0] + op.stride[0] + 1) // 2


def _plane_bytes(sig: Signature) -> int:
    """Bytes of a plane and of what tells its rows."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return 16 * ((sig.output.shape[2] - 1) * op.stride[1] + op.kernel[1] + 1)


def _pairs_held(sig: Signature) -> int:
    """Pairs of output rows whose planes are held at a time."""
    op = sig.op
    assert isinstance(op, Conv2D)
    more = _STRIP_BYTES // _plane_bytes(sig) - _seen(sig)
    return min(-(-sig.output.rows // 2), 1 + max(0, more) // op.stride[0])


def _planes_held(sig: Signature, pairs: int) -> int:
    """Planes of as many pairs of output rows."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return (pairs - 1) * op.stride[0] + _seen(sig)


def _scratch(sig: Signature) -> int:
    pairs = _pairs_held(sig)
    return 8 * pairs + _plane_bytes(sig) * _planes_held(sig, pairs)


def _lower(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    size = channels * (2 + 2 * _seen(sig) * op.kernel[1])
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(size, lambda: _words(sig))),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "strip": _pairs_held(sig),
        "kernel": op.kernel[0],
        "stride": op.stride[0],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | clamp_fields(sig)),)


def _words(sig: Signature) -> Array:
    """int32 stream of each channel: bias, multiplier, words of the upper and the lower row."""
    op = sig.op
    assert isinstance(op, Conv2D)
    w, requant, stride = sig.constant(1)[..., 0].astype(np.int64), prepared(sig), op.stride[0]
    size, seen = op.kernel[0], _seen(sig)
    tall = np.pad(w, [(0, 0), (stride, 2 * seen - size), (0, 0)])
    tall = tall[:, :, np.argsort(np.arange(size) % stride, kind="stable")]
    both = [tall[:, first : first + 2 * seen] for first in (stride, 0)]
    words = np.stack([x[:, 0::2] & 0xFFFF | (x[:, 1::2] & 0xFFFF) << 16 for x in both], axis=-1)
    factors = np.stack([requant.bias.astype(np.int64), requant.multiplier.astype(np.int64)], axis=1)
    stream = np.concatenate([factors, words.reshape(len(w), -1)], axis=1) & 0xFFFFFFFF
    packed: Array = stream.astype(np.uint32).view(np.int32)
    return packed


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Planes of four channels, then two rows by three columns of each channel, plane by plane."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, out_h, out_w, channels = sig.output.shape
    held, pairs, fours = _pairs_held(sig), -(-out_h // 2), -(-channels // FOUR)
    strips, last = divmod(pairs, held)
    planes = strips * _planes_held(sig, held) + (_planes_held(sig, last) if last else 0)
    columns = (out_w - 1) * op.stride[1] + op.kernel[1]
    width = min(columns - op.pads[1], sig.inputs[0].shape[2])
    lines, blocks = FOUR * fours * pairs, -(-out_w // _BLOCK)
    return {
        "call": len(runs),
        "padded": _planes_held(sig, held),
        "pad": _planes_held(sig, held) * (columns - width),
        "strip": strips + (last > 0),
        "place": pairs,
        "plane": fours * planes,
        "column": fours * planes * width,
        "four": fours * (strips + (last > 0)),
        "pair": lines,
        "block": lines * blocks,
        "pass": lines * blocks * _seen(sig) * op.stride[0],
        "tap": lines * blocks * _seen(sig) * op.kernel[1],
        "again": lines * (out_w % _BLOCK > 0),
        "shifted": out_h * channels * out_w * shifts(sig),
        **clamped(sig),
    }


KERNELS = (
    kernel(
        Conv2D,
        function="mplan_planes3x3_s8_dsp",
        lower=_small,
        work=_small_work,
        supports=_small_supports,
        scratch_bytes=_small_scratch,
        row_by_row=False,
        cost_class="depthwise",
    ),
    kernel(
        Conv2D,
        function="mplan_planes_s8_dsp",
        lower=_lower,
        work=_work,
        supports=_supports,
        scratch_bytes=_scratch,
        row_by_row=False,
        cost_class="depthwise",
    ),
)
