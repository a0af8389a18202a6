# SPDX-License-Identifier: Apache-2.0
"""Conv and ConvTranspose, read as a convolution over two axes wherever that computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.op import Op
from mcuplan.ir.types import Array, Quant
from mcuplan.ops._windows import WindowsRead, read_windows
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D

__all__ = ["READERS"]


def read_conv(node: OnnxNode, build: Builder) -> None:
    """Conv with constant weights [O, C/groups, kh, kw], channels first as ONNX has it."""
    shape, weights = build.shape(node.input(0)), _weights(node, build)
    groups, outputs = node.get_int("group", 1), weights.data.shape[0]
    if groups < 1 or outputs % groups:
        raise UnsupportedOp(f"weights {weights.data.shape} in {groups} groups")
    if weights.data.shape[1] * groups != shape[1]:
        raise UnsupportedOp(f"weights {weights.data.shape} for {shape[1]} channels")
    read = read_windows(node, shape, weights.data.shape[2:])
    op: Op = Conv2D(*read.window, groups)
    if len(read.size) == 3:
        op = Conv3D(*read.window, (1, 1, 1), groups)
    _add(node, build, op, read, weights)


def read_conv_transpose(node: OnnxNode, build: Builder) -> None:
    """ConvTranspose with constant weights [C, O/groups, kh, kw]."""
    shape, weights = build.shape(node.input(0)), _weights(node, build)
    groups, channels = node.get_int("group", 1), weights.data.shape[0]
    if groups < 1 or channels % groups or channels != shape[1]:
        raise UnsupportedOp(f"weights {weights.data.shape} in {groups} groups, {shape[1]} channels")
    others = {k: v for k, v in node.attributes.items() if k not in ("pads", "auto_pad")}
    read = read_windows(replace(node, attributes=others), shape, weights.data.shape[2:])
    cut = _transposed_pads(node, read, int(shape[0] > 1), len(shape) - 2)
    wide = [(k - 1) * d for k, d in zip(read.kernel, read.dilation, strict=True)]
    pads = tuple(w - c for w, c in zip((*wide, *wide), cut, strict=True))
    ones = (1,) * len(read.size)
    op: Op = Conv3D(read.kernel, ones, read.dilation, pads, read.stride, groups)
    if read.stride == ones and len(ones) == 2 and min(pads) >= 0:
        op = Conv2D(read.kernel, ones, read.dilation, pads, groups)
    _add(node, build, op, read, _mirrored(weights, groups))


def _transposed_pads(node: OnnxNode, read: WindowsRead, front: int, axes: int) -> tuple[int, ...]:
    """What is cut off the full output, before each axis and then behind each."""
    more = node.get_ints("output_padding", (0,) * axes)
    given = node.get_ints("output_shape", ())[-axes:]
    mode = node.get_str("auto_pad", "NOTSET")
    pads = node.get_ints("pads", (0,) * (2 * axes)) if mode in ("NOTSET", "") else (0,) * 2 * axes
    if len(more) != axes or len(given) not in (0, axes) or len(pads) != 2 * axes:
        raise UnsupportedOp(f"pads={list(pads)} output_padding={list(more)} of {axes} axes")
    if min(*pads, *more) < 0 or min(given, default=1) < 1:
        raise UnsupportedOp(f"pads={list(pads)} output_padding={list(more)}")
    if mode not in ("NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedOp(f"auto_pad={mode}", hint="export with explicit pads")
    before, after = [0] * len(read.size), [0] * len(read.size)
    for axis in range(axes):
        at = front + axis
        full = (read.size[at] - 1) * read.stride[at] + more[axis]
        full += (read.kernel[at] - 1) * read.dilation[at] + 1
        wanted = given[axis] if given else read.size[at] * read.stride[at]
        if not given and not mode.startswith("SAME"):
            before[at], after[at] = pads[axis], pads[axis + axes] - more[axis]
            continue
        if full < wanted and not given:
            hint = "runtimes differ in where its zeros go: export with explicit pads"
            raise UnsupportedOp(f"auto_pad={mode} with gaps between the windows", hint=hint)
        total = max(0, full - wanted)
        small = total // 2
        before[at] = small if mode == "SAME_UPPER" else total - small
        after[at] = full - wanted - before[at] - more[axis]
    return (*before, *after)


def _weights(node: OnnxNode, build: Builder) -> Constant:
    weights = build.constant(node.input(1))
    if weights is None or (node.input(2) and build.constant(node.input(2)) is None):
        raise UnsupportedOp("weights or bias are computed, not constant", hint="freeze them")
    if weights.data.ndim != len(build.shape(node.input(0))) or weights.data.size == 0:
        shape = list(build.shape(node.input(0)))
        raise UnsupportedOp(f"weights {weights.data.shape} for an input of shape {shape}")
    return weights


def _mirrored(weights: Constant, groups: int) -> Constant:
    """[C, O/groups, kh, kw] as the weights of a convolution: [O, C/groups, kh, kw], mirrored."""
    channels, apart, *kernel = weights.data.shape

    def turned(values: Array) -> Array:
        split = values.reshape(groups, channels // groups, apart, *kernel).swapaxes(1, 2)
        whole = split.reshape(groups * apart, channels // groups, *kernel)
        return np.flip(whole, tuple(range(2, 2 + len(kernel))))

    stored = weights.stored
    if stored is None:
        return Constant(turned(weights.data))
    quant = stored.quant
    if quant.axis == 1:  # a scale for each filter of a group, the same in all groups
        quant = Quant(quant.scale * groups, quant.zero_point * groups, 0, quant.dtype)
    elif quant.axis is not None:
        return Constant(turned(weights.data))  # no scales of output channels: on a grid of ours
    return Constant(turned(weights.data), type(stored)(turned(stored.values), quant))


def _add(node: OnnxNode, build: Builder, op: Op, read: WindowsRead, weights: Constant) -> None:
    """The operator, its weights by rows of pixels, and its bias."""
    outputs, inner = weights.data.shape[:2]
    bias = build.constant(node.input(2)) or Constant(np.zeros(outputs, np.float32))
    whole = weights.reshape((outputs, inner, *read.kernel))
    order: Sequence[int] = (0, *range(2, 2 + len(read.kernel)), 1)
    w = build.add_constant(whole.transpose(order), f"{node.outputs[0]}_weights")
    b = build.add_constant(bias.reshape((outputs,)), f"{node.outputs[0]}_bias")
    source = build.in_layout(node.input(0), read.layout)
    build.add(op, [source, w, b], node, read.layout)


READERS = {"Conv": read_conv, "ConvTranspose": read_conv_transpose}
