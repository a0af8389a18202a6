# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of the scalar backend."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends.scalar._shared import is_small, kernel, last_fields
from mcuplan.ir.op import Call, ConstArray, Field, Signature
from mcuplan.ir.types import DType
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import byte_blocks, prepared

__all__ = ["DEPTHWISE", "depthwise_call", "depthwise_work", "is_3x3", "line_scratch"]


def is_3x3(sig: Signature) -> bool:
    """Whether each channel makes one of its own by a window of 3x3 without gaps."""
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    grouped = op.groups == channels == sig.output.channels
    return grouped and (op.kernel, op.dilation) == ((3, 3), (1, 1))


def _supports(sig: Signature) -> bool:
    return is_3x3(sig) and is_small(sig)


def depthwise_call(sig: Signature) -> tuple[Call, ...]:
    """Weights are packed [channels][kernel_w][kernel_h], in the type of the activations."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    dtype = sig.output.dtype
    packed = sig.constant(1)[..., 0].transpose(0, 2, 1).astype(dtype.numpy, copy=False)
    fields: dict[str, Field] = {
        "packed": ConstArray(dtype, packed),
        "bias": ConstArray(DType.INT32, prepared(sig).bias),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "stride_h": op.stride[0],
        "stride_w": op.stride[1],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | last_fields(sig)),)


def line_scratch(sig: Signature) -> int:
    """Sums of a channel of an output row."""
    return 4 * sig.output.shape[2]


def depthwise_work(sig: Signature, calls: Sequence[int]) -> Work:
    """One channel of a row after the other; windows that reach beyond a side on their own."""
    _, out_h, out_w, channels = sig.output.shape
    rows, columns = sig.taps(1), sig.taps(2)
    lines = out_h * channels
    return {
        "call": len(calls),
        "row": out_h,
        "channel": lines,
        "cut_channel": (out_h - rows.whole) * channels,
        "inner": lines * columns.whole,
        "border": lines * (out_w - columns.whole),
        "output": lines * out_w,
    }


DEPTHWISE = kernel(
    Conv2D,
    function="mplan_depthwise3x3_s8_scalar",
    lower=depthwise_call,
    work=depthwise_work,
    supports=_supports,
    scratch_bytes=line_scratch,
    cost_class="depthwise",
    blocks=byte_blocks,
)
