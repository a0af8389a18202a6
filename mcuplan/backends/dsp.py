# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with dual 16-bit multiply-accumulate: Cortex-M4, M7, M33."""

from __future__ import annotations

from functools import partial

import numpy as np

from mcuplan.backends._dsp_depthwise import (
    depthwise,
    depthwise3x3,
    depthwise3x3_supports,
    depthwise_supports,
)
from mcuplan.backends._dsp_fields import prepared, requant_fields
from mcuplan.backends._dsp_packing import channel_words, run_words, shares_words
from mcuplan.backends._dsp_work import (
    add_work,
    conv_work,
    dense_work,
    depthwise3x3_work,
    depthwise_work,
    max_pool_work,
    patch_work,
    pool_work,
)
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops import kernels_of
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.units import align_up

__all__ = ["BACKEND", "KERNELS", "channel_multiple"]

BACKEND = "dsp"
_JOB_BYTES = 32  # of the convolution, behind its patches


def _portable(sig: Signature) -> tuple[Call, ...]:
    """What the portable kernel of an operator is called with."""
    return kernels_of()[type(sig.op)][0].lower(sig)


def channel_multiple(sig: Signature) -> int:
    """Words hold two channels; depthwise kernels of any size take four at a time."""
    grouped = isinstance(sig.op, Conv2D) and sig.op.groups == sig.inputs[0].channels > 1
    return 4 if grouped and not depthwise3x3_supports(sig) and depthwise_supports(sig) else 2


# -- convolution ----------------------------------------------------------------------------


def _conv_steps(sig: Signature) -> int:
    """Words of a patch."""
    _, kernel_h, kernel_w, in_c = sig.constant(1).shape
    return int(kernel_h * -(-kernel_w * in_c // 2))


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    small = op.groups == 1 and op.kernel[0] <= 16
    return small and shares_words(_conv_weights(sig), prepared(sig))


def _conv_weights(sig: Signature) -> Array:
    """Weights as the patch has the inputs: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    return run_words(weights.reshape(out_c, kernel_h, kernel_w * in_c)).reshape(out_c, -1, 2)


def _conv(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, in_c = sig.inputs[0].shape
    packed = channel_words(_conv_weights(sig), prepared(sig))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
        "steps": _conv_steps(sig),
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
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | requant_fields(sig)),)


def _conv_scratch(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == (1, 1) and not any(op.pads)
    line = 0 if plain else align_up(op.kernel[1] * sig.inputs[0].channels, 4)
    return 8 * _conv_steps(sig) + _JOB_BYTES + line


def _patch_words(sig: Signature) -> Array:
    """Weights of a patch that is one run, up to a multiple of four: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    flat = weights.reshape(len(weights), -1)
    return run_words(np.pad(flat, [(0, 0), (0, -flat.shape[1] % 4)]))


def _patch_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.groups == 1 and op.kernel[0] <= 16 and op.dilation == (1, 1)
    return plain and shares_words(_patch_words(sig), prepared(sig))


def _patch(sig: Signature) -> tuple[Call, ...]:
    """The convolution's fields, its weights packed for a patch of bytes."""
    (call,) = _conv(sig)
    words = _patch_words(sig)
    packed = ConstArray(DType.INT32, channel_words(words, prepared(sig)))
    unknown = ("dilation_h", "dilation_w")
    fields = {name: value for name, value in call.fields.items() if name not in unknown}
    return (Call(fields | {"packed": packed, "steps": words.shape[1] // 2}),)


def _patch_scratch(sig: Signature) -> int:
    return align_up(int(np.prod(sig.constant(1).shape[1:])), 4)


# -- fully connected ------------------------------------------------------------------------


def _matrix(sig: Signature) -> Array:
    """Weights of one pixel in the order of the widened inputs: int64 [out_c, steps, 2]."""
    weights = sig.constant(1).astype(np.int64)
    return run_words(weights.reshape(len(weights), -1))


def _pixels(sig: Signature) -> tuple[int, int]:
    """Rows, and pixels of one row."""
    rows = sig.inputs[0].rows
    return rows, sig.inputs[0].elements // max(1, rows * sig.inputs[0].channels)


def _dense_supports(sig: Signature) -> bool:
    return shares_words(_matrix(sig), prepared(sig))


def _is_matrix(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to each pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == op.stride == (1, 1) and not any(op.pads) and op.groups == 1
    return (plain or _is_one_pixel(op, sig)) and _dense_supports(sig)


def _is_one_pixel(op: Conv2D, sig: Signature) -> bool:
    small = op.kernel == sig.inputs[0].shape[1:3] == (1, 1)
    return small and not any(op.pads) and op.groups == 1


def _dense(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, channel_words(_matrix(sig), prepared(sig))),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": _pixels(sig)[1],
    }
    return (Call(fields | requant_fields(sig)),)


def _many_pixels(sig: Signature) -> bool:
    rows, pixels = _pixels(sig)
    return rows * pixels > 1 and max(rows, pixels) < 1 << 16 and _dense_supports(sig)


def _dense_pixels(sig: Signature) -> tuple[Call, ...]:
    """A matrix applied to many pixels is a 1x1 convolution: two pixels share each weight."""
    words = channel_words(_matrix(sig), prepared(sig))
    rows, pixels = _pixels(sig)
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")
    fields: dict[str, Field] = dict.fromkeys(ones, 1)
    fields |= {
        "packed": ConstArray(DType.INT32, words),
        "steps": -(-sig.inputs[0].channels // 2),
        "in_h": rows,
        "in_w": pixels,
        "in_c": sig.inputs[0].channels,
        "out_w": pixels,
        "out_c": sig.output.channels,
    }
    return (Call(fields | requant_fields(sig)),)


def _pixel_scratch(sig: Signature) -> int:
    return 8 * -(-sig.inputs[0].channels // 2) + _JOB_BYTES


# -- element-wise and pooling ---------------------------------------------------------------


def _same_shapes(sig: Signature) -> bool:
    """Two activations of the output's shape."""
    shapes = {kind.shape for kind in (*sig.inputs, sig.output)}
    return len(shapes) == 1 and all(value is None for value in sig.constants)


def _add(sig: Signature) -> tuple[Call, ...]:
    """The portable kernel's factors, without its loops."""
    (call,) = _portable(sig)
    names = ("multiplier", "multiplier2", "offset", "shift")
    more = ("out_zero_point", "act_min", "act_max")
    fields: dict[str, Field] = {name: call.fields[name] for name in names + more}
    fields["row_bytes"] = sig.output.row_bytes
    return (Call(fields, inputs=(0, 1)),)


_kernel = partial(Kernel, dtype=DType.INT8, backend=BACKEND, requires=frozenset({"dsp"}))

KERNELS = (
    _kernel(Add, function="mplan_add_s8_dsp", lower=_add, supports=_same_shapes, work=add_work),
    _kernel(Sub, function="mplan_add_s8_dsp", lower=_add, supports=_same_shapes, work=add_work),
    _kernel(
        AvgPool2D,
        function="mplan_avg_pool2d_s8_dsp",
        lower=_portable,
        cost_class="pool",
        work=pool_work,
    ),
    _kernel(
        MaxPool2D,
        function="mplan_max_pool2d_s8_dsp",
        lower=_portable,
        cost_class="pool",
        work=max_pool_work,
    ),
    _kernel(
        Conv2D,
        function="mplan_depthwise3x3_s8_dsp",
        lower=depthwise3x3,
        work=depthwise3x3_work,
        supports=depthwise3x3_supports,
        cost_class="depthwise",
    ),
    _kernel(
        Conv2D,
        function="mplan_depthwise_s8_dsp",
        lower=depthwise,
        work=depthwise_work,
        supports=depthwise_supports,
        cost_class="depthwise",
    ),
    _kernel(
        Conv2D,
        function="mplan_dense_s8_dsp",
        lower=_dense,
        work=dense_work,
        supports=_is_matrix,
        cost_class="dense",
    ),
    _kernel(
        Conv2D,
        function="mplan_conv2d_s8_dsp",
        lower=_conv,
        work=conv_work,
        supports=_conv_supports,
        scratch_bytes=_conv_scratch,
        cost_class="conv2d",
    ),
    _kernel(
        Conv2D,
        function="mplan_conv2d_patch_s8_dsp",
        lower=_patch,
        work=patch_work,
        supports=_patch_supports,
        scratch_bytes=_patch_scratch,
        cost_class="conv2d",
    ),
    _kernel(
        Dense,
        function="mplan_conv2d_s8_dsp",
        lower=_dense_pixels,
        work=conv_work,
        supports=_many_pixels,
        scratch_bytes=_pixel_scratch,
        cost_class="conv2d",
    ),
    _kernel(
        Dense,
        function="mplan_dense_s8_dsp",
        lower=_dense,
        work=dense_work,
        supports=_dense_supports,
        cost_class="dense",
    ),
)
