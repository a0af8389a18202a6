# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores whose fastest multiply gives 32 bits: Cortex-M0, M0+, M3.

Requantization needs no product of 64 bits, and one multiply does two multiply-accumulates
wherever two pixels share their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mcuplan.backends._scalar_packing import PairedWeights, paired_weights, weights_in_fours
from mcuplan.backends._scalar_work import add_work, conv_work, dense_work, depthwise_work
from mcuplan.ir.op import NO_CLAMP, Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ir.work import Work
from mcuplan.ops import kernels_of
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.quant.requantize import Requant, act_limits, weighted_requant
from mcuplan.units import align_up

__all__ = ["BACKEND", "KERNELS"]

BACKEND = "scalar"
_SMALL = 1 << 30
_HALF = 1 << 15  # what the sum of a run begins with


def _prepared(sig: Signature) -> Requant:
    """Folded bias and factors of a node with inputs (activation, weights, bias)."""
    return weighted_requant(
        sig.constant(1), sig.constant(2), sig.inputs[0], sig.inputs[1], sig.output
    )


def _requant_fields(sig: Signature) -> dict[str, Field]:
    """Factors, zero point and limits; the bias is the kernel's own."""
    requant = _prepared(sig)
    act: tuple[float, float] = getattr(sig.op, "act", NO_CLAMP)
    act_min, act_max = act_limits(sig.output.q, act)
    return {
        "multiplier": ConstArray(DType.INT32, requant.multiplier, "tables"),
        "out_zero_point": sig.output.q.z,
        "act_min": act_min,
        "act_max": act_max,
    }


def _is_small(sig: Signature) -> bool:
    """Whether factors and accumulators allow requantization by 16-bit halves."""
    requant = _prepared(sig)
    largest = max(requant.multiplier.max(initial=0), requant.accumulator_max.max(initial=0))
    return bool(largest < _SMALL) and not requant.pre_shift.any()


# -- convolution ----------------------------------------------------------------------------


def _packed(sig: Signature) -> PairedWeights:
    """Weights [out_c, taps] as the patch has the inputs, in runs."""
    weights = sig.constant(1)
    return paired_weights(weights.reshape(len(weights), -1))


def _paired_fields(sig: Signature) -> dict[str, Field]:
    """Weights in runs; for each run the bias of pixel 0 is half of the lower half less."""
    packed, bias = _packed(sig), _prepared(sig).bias.astype(np.int64)
    bias = np.pad(bias, (0, len(bias) % 2))
    less = bias - _HALF * np.repeat(packed.runs, 2)
    both = np.stack([less, bias], axis=1) & 0xFFFFFFFF  # sums are taken modulo 2**32
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT8, packed.stream),
        "bias": ConstArray(DType.INT32, both.astype(np.uint32).view(np.int32)),
        "taps": int(np.prod(sig.constant(1).shape[1:])),
    }
    return fields | _requant_fields(sig)


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and _is_small(sig)


def _conv(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, in_c = sig.inputs[0].shape
    fields: dict[str, Field] = {
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
    return (Call(_paired_fields(sig) | fields),)


def _conv_scratch(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    plain = op.kernel == (1, 1) and not any(op.pads)
    lines = 0 if plain else 2 * op.kernel[1] * sig.inputs[0].channels
    return _pair_scratch(sig) + align_up(lines, 4)


def _pair_scratch(sig: Signature) -> int:
    """A patch, and the sums of two pixels."""
    channels = sig.output.channels
    return 4 * int(np.prod(sig.constant(1).shape[1:])) + 8 * (channels + channels % 2)


def _conv_work(sig: Signature, calls: Sequence[int]) -> Work:
    return conv_work(sig, calls, int(_packed(sig).runs.sum()))


# -- depthwise ------------------------------------------------------------------------------


def _depthwise_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    channels = sig.inputs[0].channels
    grouped = op.groups == channels == sig.output.channels
    return grouped and (op.kernel, op.dilation) == ((3, 3), (1, 1)) and _is_small(sig)


def _depthwise(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    _, in_h, in_w, channels = sig.inputs[0].shape
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT8, sig.constant(1)[..., 0].transpose(0, 2, 1)),
        "bias": ConstArray(DType.INT32, _prepared(sig).bias),
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
    return (Call(fields | _requant_fields(sig)),)


def _line_scratch(sig: Signature) -> int:
    """Sums of a channel of an output row."""
    return 4 * sig.output.shape[2]


# -- fully connected ------------------------------------------------------------------------


def _pixels(sig: Signature) -> tuple[int, int]:
    """Rows, and pixels of one row."""
    rows = sig.inputs[0].rows
    return rows, sig.inputs[0].elements // max(1, rows * sig.inputs[0].channels)


def _many_pixels(sig: Signature) -> bool:
    rows, pixels = _pixels(sig)
    return rows * pixels > 1 and max(rows, pixels) < 1 << 16 and _is_small(sig)


def _dense_pixels(sig: Signature) -> tuple[Call, ...]:
    """A matrix applied to many pixels is a 1x1 convolution."""
    rows, pixels = _pixels(sig)
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w")
    fields: dict[str, Field] = dict.fromkeys(ones, 1)
    fields |= {
        "in_h": rows,
        "in_w": pixels,
        "in_c": sig.inputs[0].channels,
        "out_w": pixels,
        "out_c": sig.output.channels,
    }
    return (Call(_paired_fields(sig) | fields),)


def _is_one_pixel(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to a single pixel."""
    op = sig.op
    assert isinstance(op, Conv2D)
    shape = sig.inputs[0].shape
    plain = op.kernel == shape[1:3] == (1, 1) and not any(op.pads) and op.groups == 1
    return plain and _is_small(sig)


def _dense(sig: Signature) -> tuple[Call, ...]:
    weights, bias = sig.constant(1), _prepared(sig).bias
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT8, weights_in_fours(weights.reshape(len(weights), -1))),
        "bias": ConstArray(DType.INT32, np.pad(bias, (0, -len(bias) % 4))),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": _pixels(sig)[1],
    }
    return (Call(fields | _requant_fields(sig)),)


# -- element-wise ---------------------------------------------------------------------------


def _same_shapes(sig: Signature) -> bool:
    """Two activations of the output's shape."""
    shapes = {kind.shape for kind in (*sig.inputs, sig.output)}
    return len(shapes) == 1 and all(value is None for value in sig.constants)


def _add(sig: Signature) -> tuple[Call, ...]:
    """The portable kernel's factors, without its loops."""
    (call,) = kernels_of()[type(sig.op)][0].lower(sig)
    names = ("multiplier", "multiplier2", "offset", "shift")
    more = ("out_zero_point", "act_min", "act_max")
    fields: dict[str, Field] = {name: call.fields[name] for name in names + more}
    fields["row_bytes"] = sig.output.row_bytes
    return (Call(fields, inputs=(0, 1)),)


_kernel = partial(Kernel, dtype=DType.INT8, backend=BACKEND)

KERNELS = (
    _kernel(Add, function="mplan_add_s8_scalar", lower=_add, supports=_same_shapes, work=add_work),
    _kernel(Sub, function="mplan_add_s8_scalar", lower=_add, supports=_same_shapes, work=add_work),
    _kernel(
        Conv2D,
        function="mplan_depthwise3x3_s8_scalar",
        lower=_depthwise,
        work=depthwise_work,
        supports=_depthwise_supports,
        scratch_bytes=_line_scratch,
        cost_class="depthwise",
    ),
    _kernel(
        Conv2D,
        function="mplan_dense_s8_scalar",
        lower=_dense,
        work=dense_work,
        supports=_is_one_pixel,
        cost_class="dense",
    ),
    _kernel(
        Conv2D,
        function="mplan_conv2d_s8_scalar",
        lower=_conv,
        work=_conv_work,
        supports=_conv_supports,
        scratch_bytes=_conv_scratch,
        cost_class="conv2d",
    ),
    _kernel(
        Dense,
        function="mplan_conv2d_s8_scalar",
        lower=_dense_pixels,
        work=_conv_work,
        supports=_many_pixels,
        scratch_bytes=_pair_scratch,
        cost_class="conv2d",
    ),
    _kernel(
        Dense,
        function="mplan_dense_s8_scalar",
        lower=_dense,
        work=dense_work,
        supports=_is_small,
        cost_class="dense",
    ),
)
