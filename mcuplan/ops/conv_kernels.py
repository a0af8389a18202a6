# SPDX-License-Identifier: Apache-2.0
"""Portable kernels of convolutions: their calls, and what their loops count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ir.work import Work
from mcuplan.ops._block_weights import block_bytes, block_work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.fields import (
    BLOCK_TYPES,
    FINE_TYPES,
    FLOAT_TYPES,
    INT16_TYPES,
    NARROW_TYPES,
    WIDE_TYPES,
    byte_blocks,
    float_fields,
    requant_fields,
)

__all__ = [
    "KERNELS",
    "OTHER_WEIGHTS",
    "conv_fields",
    "conv_work",
    "depthwise_call",
    "is_one_pixel",
    "typed_call",
]

OTHER_WEIGHTS = {
    "mplan_conv2d_s8_w4": NARROW_TYPES,
    "mplan_conv2d_s8_w4b": BLOCK_TYPES,
    "mplan_conv2d_s8_w16": WIDE_TYPES,
    "mplan_conv2d_s16": INT16_TYPES,
    "mplan_conv2d_s16_w16": FINE_TYPES,
}
"""Kernels of weights, or of activations, that are not of 8 bits."""


def conv_fields(sig: Signature) -> dict[str, Field]:
    """Members that tell shape, window and zero point of the input."""
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, in_c = sig.inputs[0].shape
    return {
        "in_h": in_h,
        "in_w": in_w,
        "in_c": in_c,
        "out_w": sig.output.shape[2],
        "out_c": sig.output.shape[3],
        "kernel_h": op.kernel[0],
        "kernel_w": op.kernel[1],
        "stride_h": op.stride[0],
        "stride_w": op.stride[1],
        "dilation_h": op.dilation[0],
        "dilation_w": op.dilation[1],
        "pad_top": op.pads[0],
        "pad_left": op.pads[1],
        **({"in_zero_point": sig.inputs[0].q.z} if sig.inputs[0].quant is not None else {}),
    }


def _conv(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    weights: dict[str, Field] = {"weights": ConstArray(DType.INT8, sig.constant(1))}
    fields = weights | requant_fields(sig) | conv_fields(sig) | {"groups": op.groups}
    return (Call(fields),)


def conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two channels of a pixel at a time, a run of each kernel row in fours, then the padding."""
    out_c, kernel_h, kernel_w, group_c = sig.constant(1).shape
    rows, columns = sig.taps(1), sig.taps(2)
    wide = sig.window(2).reach > kernel_w
    whole = group_c == sig.inputs[0].channels and not wide
    groups = sig.inputs[0].channels // group_c
    pairs = groups * -(-out_c // groups // 2)  # of each pixel
    run, count = (kernel_w * group_c, columns.windows) if whole else (group_c, columns.inside)
    taps = rows.inside * columns.inside
    ones = pairs * rows.inside * count * (run % 4)
    pixels = rows.windows * columns.windows
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "pair": pairs * pixels,
        "line": pairs * rows.inside * columns.windows,
        "run": pairs * rows.inside * count,
        "four": max(0, pairs * taps * group_c - ones) / 4,
        "one": ones,
        "padding": pairs * (pixels * kernel_h * kernel_w - taps) * group_c,
        "padding_line": pairs * (pixels * kernel_h - rows.inside * columns.windows),
        "output": sig.output.elements,
    }


def typed_call(sig: Signature, shape: Mapping[str, Field]) -> tuple[Call, ...]:
    """A call of a kernel for weights [out_c][kernel_h][kernel_w][in_c / groups] of any type.

    Two of 4 bits share a byte, and each output channel, or block, begins with one.
    """
    weights, dtype = sig.constant(1), sig.inputs[1].dtype
    if dtype is DType.INT4_BLOCKS:
        block = sig.inputs[1].q.factored or 1
        packed: dict[str, Field] = {"weights": ConstArray(DType.UINT8, block_bytes(weights, block))}
        return (Call(packed | requant_fields(sig) | dict(shape) | {"block": block}),)
    if dtype is DType.INT4:
        flat = weights.reshape(len(weights), -1)
        weights = np.pad(flat, [(0, 0), (0, flat.shape[1] % 2)])
    fields: dict[str, Field] = {"weights": ConstArray(dtype, weights)}
    return (Call(fields | requant_fields(sig) | dict(shape)),)


def _typed(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    return typed_call(sig, conv_fields(sig) | {"groups": op.groups})


def _float(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    return (Call(float_fields(sig) | conv_fields(sig) | {"groups": op.groups}),)


def is_one_pixel(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to a single pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    single = op.kernel == sig.inputs[0].shape[1:3] == (1, 1)
    return single and not any(op.pads) and op.groups == 1


def _is_depthwise(sig: Signature) -> bool:
    return isinstance(sig.op, Conv2D) and sig.op.groups == sig.inputs[0].channels > 1


def depthwise_call(sig: Signature) -> tuple[Call, ...]:
    """Weights are packed [kernel_h][kernel_w][out_c], in the type of the activations."""
    dtype = sig.output.dtype
    packed = sig.constant(1)[..., 0].transpose(1, 2, 0).astype(dtype.numpy)
    weights: dict[str, Field] = {"weights": ConstArray(dtype, packed)}
    return (Call(weights | requant_fields(sig) | conv_fields(sig)),)


def _depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four channels of a pixel at a time, then one by one; every tap, inside or not."""
    out_c = sig.output.channels
    rows, columns = sig.taps(1), sig.taps(2)
    fours = out_c // 4 if out_c == sig.inputs[0].channels else 0
    ones = out_c - 4 * fours
    pixels = rows.windows * columns.windows
    lines = pixels * rows.kernel
    outside = pixels * rows.kernel * columns.kernel - rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "four": pixels * fours,
        "four_line": lines * fours,
        "four_tap": rows.inside * columns.inside * fours,
        "four_outside": outside * fours,
        "one_line": lines * ones,
        "one_tap": lines * columns.kernel * ones,
        "output": sig.output.elements,
    }


def _is_plain_depthwise(sig: Signature) -> bool:
    """Whether every channel makes one of its own."""
    return _is_depthwise(sig) and sig.output.channels == sig.inputs[0].channels


def _float_depthwise(sig: Signature) -> tuple[Call, ...]:
    """Weights are packed [kernel_h][kernel_w][channels]."""
    packed = ConstArray(DType.FLOAT32, sig.constant(1)[..., 0].transpose(1, 2, 0))
    fields = float_fields(sig) | {"weights": packed} | conv_fields(sig)
    return (Call({k: v for k, v in fields.items() if k != "out_c"}),)


def _float_depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Four channels of a pixel at a time, then one by one; taps inside."""
    rows, columns = sig.taps(1), sig.taps(2)
    fours, ones = divmod(sig.output.channels, 4)
    pixels = rows.windows * columns.windows
    taps = rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": pixels,
        "four": pixels * fours,
        "four_line": pixels * rows.kernel * fours,
        "four_tap": taps * fours,
        "one": pixels * ones,
        "one_line": pixels * rows.kernel * ones,
        "one_tap": taps * ones,
    }


KERNELS = (
    Kernel(
        Conv2D,
        "mplan_depthwise_conv2d_s8",
        depthwise_call,
        supports=_is_depthwise,
        cost_class="depthwise",
        work=_depthwise_work,
        blocks=byte_blocks,
    ),
    Kernel(
        Conv2D,
        "mplan_conv2d_s8",
        _conv,
        cost_class="conv2d",
        work=conv_work,
        blocks=byte_blocks,
    ),
    *(
        Kernel(
            Conv2D,
            "mplan_depthwise_conv2d_s16",
            depthwise_call,
            supports=_is_depthwise,
            types=types,
            cost_class="depthwise",
            work=_depthwise_work,
        )
        for types in (INT16_TYPES, FINE_TYPES)
    ),
    *(
        Kernel(
            Conv2D,
            function,
            _typed,
            types=types,
            cost_class="conv2d",
            work=block_work if types is BLOCK_TYPES else conv_work,
            blocks=byte_blocks if types is INT16_TYPES else None,
        )
        for function, types in OTHER_WEIGHTS.items()
    ),
    Kernel(
        Conv2D,
        "mplan_depthwise_conv2d_f32",
        _float_depthwise,
        supports=_is_plain_depthwise,
        types=FLOAT_TYPES,
        cost_class="depthwise",
        work=_float_depthwise_work,
    ),
    Kernel(
        Conv2D,
        "mplan_conv2d_f32",
        _float,
        types=FLOAT_TYPES,
        cost_class="conv2d",
        work=conv_work,
    ),
)
