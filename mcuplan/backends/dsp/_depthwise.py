# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of the dsp backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.backends.dsp._shared import FOUR, clamped, half_words, int32_stream, kernel, shifts
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Packed, Signature
from mcuplan.ir.packed import LEVEL
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import NARROW_TYPES, clamp_fields, prepared, taps_per_output

__all__ = ["KERNELS", "depthwise3x3_supports", "depthwise_supports"]


_WIDE_WORDS = 7  # of a channel


def depthwise3x3_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    stride, (_, out_h, out_w, out_c) = op.stride[0], sig.output.shape
    return (
        op.groups == channels == out_c
        and (op.kernel, op.dilation) == ((3, 3), (1, 1))
        and op.stride in ((1, 1), (2, 2))
        and max(op.pads) <= 1
        and min(in_h, in_w) >= 2
        and (channels % 2 == 0 if stride == 2 else op.pads[1] == op.pads[3] == 1)
        and _ends_within(in_h, out_h, stride, op.pads[0])
        and _ends_within(in_w, out_w, stride, op.pads[1])
        and not prepared(sig).pre_shift.any()
        and prepared(sig).fits_one_shift
    )


def _ends_within(size: int, outputs: int, stride: int, before: int) -> bool:
    """Whether the last window reaches the last element but one, and at most one behind it."""
    return (outputs - 1) * stride + 2 - before <= size


def _depthwise3x3(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    narrow = sig.inputs[1].dtype is DType.INT4
    words, make = (3, _narrow3x3_words) if narrow else (_WIDE_WORDS, _depthwise3x3_words)
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(words * channels, lambda: make(sig))),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "stride": op.stride[0],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | clamp_fields(sig)),)


def _depthwise3x3_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One column after the other of each channel of a row."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, out_h, out_w, channels = sig.output.shape
    kind = "" if op.stride == (1, 1) else "2"
    columns = sig.inputs[0].shape[2] - 1 if op.stride == (1, 1) else out_w
    rows, across = sig.taps(1), sig.taps(2)
    missing, lines = 3 * out_h - rows.inside, out_h * channels
    open_left = op.stride != (1, 1) and op.pads[1] == 0
    open_right = op.stride != (1, 1) and across.counts[-1] == 3
    special = out_h if open_left or open_right else out_h - rows.whole
    return {
        "call": len(runs),
        "row": out_h,
        f"channel{kind}": lines,
        f"column{kind}": lines * columns,
        f"round{kind}": lines * ((columns - 1) // (2 if kind else 3)),
        "missing_row": missing * channels,
        "special": special * channels,
        "open_left": lines * open_left,
        "closed_right": lines * (bool(kind) and not open_right),
        "shifted": out_h * channels * out_w * shifts(sig),
        **clamped(sig),
    }


def depthwise_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    return (
        op.groups == channels == sig.output.channels
        and channels % 4 == 0
        and op.dilation == (1, 1)
        and op.kernel[0] <= 16
        and op.kernel[1] <= 9
        and max(op.stride) < 256
        and all(_always_inside(sig, axis) for axis in (0, 1))
        and not prepared(sig).pre_shift.any()
        and prepared(sig).fits_one_shift
    )


def _always_inside(sig: Signature, axis: int) -> bool:
    """Whether every window sees an element of the input along an axis."""
    op = sig.op
    assert isinstance(op, Conv2D)
    size, outputs = sig.inputs[0].shape[1 + axis], sig.output.shape[1 + axis]
    before = op.pads[axis]
    return before < op.kernel[axis] and (outputs - 1) * op.stride[axis] - before < size


def _depthwise(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    size = channels // FOUR * (2 * FOUR + op.kernel[0] * op.kernel[1])
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(size, lambda: _depthwise_words(sig))),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "kernel_h": op.kernel[0],
        "kernel_w": op.kernel[1],
        "stride_h": op.stride[0],
        "stride_w": op.stride[1],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | clamp_fields(sig)),)


def _depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """One pixel after the other, four channels at a time, taps inside the input only."""
    _, out_h, out_w, channels = sig.output.shape
    rows, across = sig.taps(1).inside, sig.taps(2)
    columns, odd = across.inside, sum(count % 2 for count in across.counts)
    fours = channels // 4
    return {
        "call": len(runs),
        "row": out_h,
        "pixel": out_h * out_w,
        "line": rows * out_w,
        "found": rows,
        "four": fours * out_h * out_w,
        "four_line": fours * rows * out_w,
        "four_tap": fours * rows * columns,
        "four_odd": fours * rows * odd,
        "shifted": fours * out_h * out_w * shifts(sig),
        **clamped(sig),
    }


def _depthwise3x3_words(sig: Signature) -> Array:
    """int32 stream of seven words for each channel: five of weights, bias, multiplier."""
    w, requant = sig.constant(1)[..., 0].astype(np.int64), prepared(sig)
    nothing = np.zeros(len(w), np.int64)
    pairs = [(w[:, 0, x], w[:, 1, x]) for x in range(3)]
    pairs += [(w[:, 2, 0], w[:, 2, 1]), (w[:, 2, 2], nothing)]
    words = [half_words(low, high) for low, high in pairs]
    words += [requant.bias.astype(np.int64), requant.multiplier.astype(np.int64)]
    return int32_stream(np.stack(words, axis=1))


def _narrow3x3_words(sig: Signature) -> Array:
    """int32 stream of three words for each channel: eight weights, bias and the ninth, multiplier.

    They are widened to the seven words, call by call.
    """
    w, requant = sig.constant(1).astype(np.int64), prepared(sig)
    columns = w[..., 0].transpose(0, 2, 1)  # of w[row][column]
    flat = np.concatenate([columns[:, :, :2].reshape(len(w), 6), w[:, 2, :, 0]], axis=1)
    pairs = flat[:, :8].reshape(-1, 4, 2) + LEVEL
    eight = (half_words(pairs[..., 0], pairs[..., 1]) << 4 * np.arange(4)).sum(axis=1)
    last = 16 * requant.bias.astype(np.int64) + (flat[:, 8] & 15)
    return int32_stream(np.stack([eight, last, requant.multiplier.astype(np.int64)], axis=1))


def _narrow3x3_supports(sig: Signature) -> bool:
    """Whether biases leave 4 bits for a weight."""
    bias = prepared(sig).bias.astype(np.int64)
    return depthwise3x3_supports(sig) and bool((np.abs(bias) < 1 << 27).all())


def _narrow3x3_scratch(sig: Signature) -> int:
    return 4 * _WIDE_WORDS * sig.output.channels


def _narrow3x3_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Weights of each channel in each call, beside the rest."""
    widened = len(runs) * sig.output.channels
    return {**_depthwise3x3_work(sig, runs), "widened": widened}


def _depthwise_words(sig: Signature) -> Array:
    """int32 stream of bias, taps and multipliers, four channels at a time.

    The zero point of the input leaves the bias, since the kernel subtracts it.
    """
    weights, requant, zero_point = sig.constant(1)[..., 0], prepared(sig), sig.inputs[0].q.z
    taps = weights.reshape(len(weights), -1).astype(np.int64)
    bias = (requant.bias.astype(np.int64) + zero_point * taps.sum(axis=1)).reshape(-1, FOUR)
    places = np.arange(FOUR)[None, :, None] * 8
    words = ((taps.reshape(-1, FOUR, taps.shape[1]) & 0xFF) << places).sum(axis=1)
    multiplier = requant.multiplier.astype(np.int64).reshape(-1, FOUR)
    return int32_stream(np.concatenate([bias, words, multiplier], axis=1))


KERNELS = (
    kernel(
        Conv2D,
        function="mplan_depthwise3x3_s8_dsp",
        lower=_depthwise3x3,
        work=_depthwise3x3_work,
        supports=depthwise3x3_supports,
        cost_class="depthwise",
    ),
    kernel(
        Conv2D,
        function="mplan_depthwise3x3_w4_dsp",
        lower=_depthwise3x3,
        work=_narrow3x3_work,
        supports=_narrow3x3_supports,
        scratch_bytes=_narrow3x3_scratch,
        cost_class="depthwise",
        types=NARROW_TYPES,
    ),
    kernel(
        Conv2D,
        function="mplan_depthwise_s8_dsp",
        lower=_depthwise,
        work=_depthwise_work,
        supports=depthwise_supports,
        cost_class="depthwise",
        blocks=lambda sig: Blocks(FOUR, taps_per_output(sig), FOUR),
    ),
)
