# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions from pairs of rows, four channels at a time, of the dsp backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, clamped, half_words, int32_stream, kernel, shifts
from mcuplan.ir.op import Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import clamp_fields, prepared

__all__ = ["KERNELS"]

_BLOCK = 3  # columns
_PLANES = 7  # pairs of input rows held at a time
_COLUMN_BYTES = 16 * _PLANES
_STRIP_BYTES = 244  # what tells of them
_SMALL_WORDS = 8  # of a channel, 3x3


def _takes(sig: Signature, kernels: tuple[tuple[int, int], ...], least_columns: int) -> bool:
    """Whether a layer is depthwise, of one of the kernels, and of stride 1 or 2 both ways."""
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    return (
        op.groups == channels == sig.output.channels >= FOUR
        and op.kernel in kernels
        and op.stride in ((1, 1), (2, 2))
        and op.dilation == (1, 1)
        and max(op.pads) < op.kernel[0]
        and sig.output.shape[2] >= least_columns
        and not prepared(sig).pre_shift.any()
        and prepared(sig).fits_one_shift
    )


def _small_supports(sig: Signature) -> bool:
    return _takes(sig, ((3, 3),), 2)


def _supports(sig: Signature) -> bool:
    return _takes(sig, ((5, 5), (7, 7)), 3)


def _seen(sig: Signature) -> int:
    """Pairs of input rows that two output rows see."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return (op.kernel[0] + op.stride[0] + 1) // 2


def _columns(sig: Signature) -> tuple[int, int]:
    """Columns of a strip, and those of them that are inside the input."""
    op = sig.op
    assert isinstance(op, Conv2D)
    columns = (sig.output.shape[2] - 1) * op.stride[1] + op.kernel[1]
    return columns, min(columns - op.pads[1], sig.inputs[0].shape[2])


def _scratch(sig: Signature) -> int:
    return _STRIP_BYTES + _COLUMN_BYTES * _columns(sig)[0]


def _lowered(sig: Signature, packed: ConstArray) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    fields: dict[str, Field] = {
        "packed": packed,
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "kernel": op.kernel[0],
        "stride": op.stride[0],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | clamp_fields(sig)),)


def _small(sig: Signature) -> tuple[Call, ...]:
    size = _SMALL_WORDS * sig.output.channels
    return _lowered(sig, ConstArray(DType.INT32, Packed(size, lambda: _small_words(sig))))


def _lower(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    size = sig.output.channels * (2 + 2 * _seen(sig) * op.kernel[1])
    return _lowered(sig, ConstArray(DType.INT32, Packed(size, lambda: _words(sig))))


def _small_words(sig: Signature) -> Array:
    """int32 stream of eight words for each channel: six of weights, bias, multiplier."""
    op = sig.op
    assert isinstance(op, Conv2D)
    w, requant = sig.constant(1)[..., 0].astype(np.int64), prepared(sig)
    if op.stride == (1, 1):
        pairs = [(w[:, y, x], w[:, y + 1, x]) for x in range(3) for y in range(2)]
    else:
        none = np.zeros(len(w), np.int64)
        pairs = [(w[:, 0, x], w[:, 1, x]) for x in range(3)]
        pairs += [(w[:, 2, 0], w[:, 2, 1]), (w[:, 2, 2], none), (none, none)]
    words = [half_words(low, high) for low, high in pairs]
    words += [requant.bias.astype(np.int64), requant.multiplier.astype(np.int64)]
    return int32_stream(np.stack(words, axis=1))


def _words(sig: Signature) -> Array:
    """int32 stream of each channel: bias, multiplier, words of the upper and the lower row."""
    op = sig.op
    assert isinstance(op, Conv2D)
    w, requant, stride = sig.constant(1)[..., 0].astype(np.int64), prepared(sig), op.stride[0]
    size, seen = op.kernel[0], _seen(sig)
    tall = np.pad(w, [(0, 0), (stride, 2 * seen - size), (0, 0)])
    tall = tall[:, :, np.argsort(np.arange(size) % stride, kind="stable")]
    both = [tall[:, first : first + 2 * seen] for first in (stride, 0)]
    words = np.stack([half_words(x[:, 0::2], x[:, 1::2]) for x in both], axis=-1)
    factors = np.stack([requant.bias.astype(np.int64), requant.multiplier.astype(np.int64)], axis=1)
    return int32_stream(np.concatenate([factors, words.reshape(len(w), -1)], axis=1))


def _strip_work(sig: Signature, runs: Sequence[int]) -> dict[str, float]:
    """Planes of four channels, strip after strip, and rows of them in pairs."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, out_h, out_w, channels = sig.output.shape
    held = 1 + (_PLANES - _seen(sig)) // op.stride[0]
    pairs, fours = -(-out_h // 2), -(-channels // FOUR)
    strips = -(-pairs // held)
    planes = (pairs - strips) * op.stride[0] + strips * _seen(sig)
    columns, width = _columns(sig)
    return {
        "call": len(runs),
        "pad": columns - width,
        "strip": strips,
        "place": pairs,
        "row": planes,
        "four": fours * strips,
        "plane": fours * planes,
        "columns": fours * planes * (width // 2),
        "one_column": fours * planes * (width % 2),
        "pair": channels * pairs,
        "shifted": out_h * channels * out_w * shifts(sig),
        **clamped(sig),
    }


def _small_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two rows by two columns of each channel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    work, out_w = _strip_work(sig, runs), sig.output.shape[2]
    kind = "" if op.stride == (1, 1) else "2"
    blocks, lines = out_w // 2, work["pair"]
    return work | {
        f"block{kind}": lines * blocks,
        f"odd{kind}": lines * (out_w % 2),
        "half_round": lines * (blocks % 2) * (not kind),
    }


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two rows by three columns of each channel, plane by plane."""
    op = sig.op
    assert isinstance(op, Conv2D)
    work, out_w = _strip_work(sig, runs), sig.output.shape[2]
    lines = work["pair"]
    blocks = lines * -(-out_w // _BLOCK)
    return work | {
        "block": blocks,
        "pass": blocks * _seen(sig) * op.stride[0],
        "tap": blocks * _seen(sig) * op.kernel[1],
        "again": lines * (out_w % _BLOCK > 0),
    }


KERNELS = (
    kernel(
        Conv2D,
        function="mplan_planes3x3_s8_dsp",
        lower=_small,
        work=_small_work,
        supports=_small_supports,
        scratch_bytes=_scratch,
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
