# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of the dsp backend: which they run, and with what."""

from __future__ import annotations

from mcuplan.backends._dsp_fields import prepared, requant_fields
from mcuplan.backends._dsp_packing import depthwise3x3_words, depthwise_words, fits_one_shift
from mcuplan.ir.op import Call, ConstArray, Field, Signature
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D

__all__ = ["depthwise", "depthwise3x3", "depthwise3x3_supports", "depthwise_supports"]


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
        and fits_one_shift(prepared(sig))
    )


def _ends_within(size: int, outputs: int, stride: int, before: int) -> bool:
    """Whether the last window reaches the last element but one, and at most one behind it."""
    return (outputs - 1) * stride + 2 - before <= size


def depthwise3x3(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    packed = depthwise3x3_words(sig.constant(1)[..., 0], prepared(sig))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_w": sig.output.shape[2],
        "stride": op.stride[0],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        "in_zero_point": sig.inputs[0].q.z,
    }
    shared = requant_fields(sig)
    del shared["pre_shift"]
    return (Call(fields | shared),)


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
        and fits_one_shift(prepared(sig))
    )


def _always_inside(sig: Signature, axis: int) -> bool:
    """Whether every window sees an element of the input along an axis."""
    op = sig.op
    assert isinstance(op, Conv2D)
    size, outputs = sig.inputs[0].shape[1 + axis], sig.output.shape[1 + axis]
    before = op.pads[axis]
    return before < op.kernel[axis] and (outputs - 1) * op.stride[axis] - before < size


def depthwise(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    packed = depthwise_words(sig.constant(1)[..., 0], prepared(sig), sig.inputs[0].q.z)
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
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
    shared = requant_fields(sig)
    del shared["pre_shift"]
    return (Call(fields | shared),)
