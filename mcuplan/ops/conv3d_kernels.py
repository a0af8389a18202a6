# SPDX-License-Identifier: Apache-2.0
"""Portable kernels of convolutions over three axes: their calls, and what their loops count."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import DType
from mcuplan.ir.work import Work
from mcuplan.ops._pools import axis_names
from mcuplan.ops._windows import three_axes
from mcuplan.ops.conv3d import Conv3D, folded
from mcuplan.ops.fields import FLOAT_TYPES, float_fields, prepared, requant_fields

__all__ = ["KERNELS", "conv3d_work"]


def _fields(sig: Signature) -> dict[str, Field]:
    """Members that tell shape and windows."""
    op = sig.op
    assert isinstance(op, Conv3D)
    half = len(op.kernel)
    steps = [u // math.gcd(u, d) for u, d in zip(op.up, op.dilation, strict=True)]
    made = three_axes(sig.output.shape[1:-1], 1)
    return {
        "in_c": sig.inputs[0].channels,
        "out_h": made[1],
        "out_w": made[2],
        "out_c": sig.output.channels,
        "groups": op.groups,
        **axis_names("in", three_axes(sig.inputs[0].shape[1:-1], 1)),
        **axis_names("kernel", three_axes(op.kernel, 1)),
        **axis_names("stride", three_axes(op.stride, 1)),
        **axis_names("dilation", three_axes(op.dilation, 1)),
        **axis_names("up", three_axes(op.up, 1)),
        **axis_names("step", three_axes(steps, 1)),
        **axis_names("pad", three_axes(op.pads[:half], 0)),
    }


def _int8(sig: Signature) -> tuple[Call, ...]:
    bias = (prepared(sig).bias + folded(sig)).astype(np.int32)
    fields = {
        "weights": ConstArray(DType.INT8, sig.constant(1)),
        **requant_fields(sig),
        "bias": ConstArray(DType.INT32, bias),
        "in_zero_point": sig.inputs[0].q.z,
    }
    return (Call(fields | _fields(sig)),)


def _float(sig: Signature) -> tuple[Call, ...]:
    return (Call(float_fields(sig) | _fields(sig)),)


def conv3d_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two channels of a pixel at a time, the taps of a line with their channels in a run."""
    op = sig.op
    assert isinstance(op, Conv3D)
    channels, filters = sig.inputs[1].shape[-1], sig.output.channels
    rows, lines, taps = three_axes(op.taps_inside(sig.inputs[0], sig.output), 1)
    _, high, wide = three_axes(sig.output.shape[1:-1], 1)
    if len(op.kernel) == 2:
        lines = 1
    pairs, pixels = -(-filters // op.groups // 2) * op.groups, sig.output.elements // filters
    joined = op.up[-1] == op.dilation[-1] == op.groups == 1
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "pair": pixels * pairs,
        "plane": rows * high * wide * pairs,
        "line": rows * lines * wide * pairs,
        "run": rows * lines * (wide if joined else taps) * pairs,
        "one": rows * lines * taps * channels * pairs,
        "output": sig.output.elements,
    }


KERNELS = (
    Kernel(Conv3D, "mplan_conv3d_s8", _int8, cost_class="conv2d", work=conv3d_work),
    Kernel(
        Conv3D, "mplan_conv3d_f32", _float, types=FLOAT_TYPES, cost_class="conv2d", work=conv3d_work
    ),
)
