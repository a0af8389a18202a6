# SPDX-License-Identifier: Apache-2.0
"""Convolution over rows of pixels: any kernel, stride, dilation, padding and groups.

A 1-D convolution is one over H with a width of 1. Depthwise is ``groups == channels``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import (
    NO_CLAMP,
    Cost,
    Example,
    Op,
    QuantRule,
    Signature,
)
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import CHANNELS_FIRST, Writer
from mcuplan.ops._windows import (
    Pads,
    group_channels,
    output_size,
    padded,
    patches,
    taps_held,
    windows,
)
from mcuplan.ops.fields import WEIGHTED_TYPES, finish, float_clamped

__all__ = ["OPS", "WRITERS", "Conv2D"]


@dataclass(frozen=True, slots=True)
class Conv2D(Op):
    """Inputs: x [1,H,W,C], weights [O,kh,kw,C/groups], bias [O]; output [1,H',W',O]."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    groups: int = 1
    act: tuple[float, float] = NO_CLAMP

    quant_rule = QuantRule.WEIGHTED
    fuses_activation = True
    types = WEIGHTED_TYPES
    weight_inputs = (1, 2)

    @property
    def label(self) -> str:
        """Conv 3x3, or DwConv where each channel is on its own."""
        kind = "DwConv" if self.groups > 1 else "Conv"
        stride = f" s{self.stride[0]}" if max(self.stride) > 1 else ""
        return f"{kind} {self.kernel[0]}x{self.kernel[1]}{stride}"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Output type; the padding may not swallow the input."""
        n, h, w, _ = inputs[0].shape
        top, left, bottom, right = self.pads
        out_h = output_size(h, self.kernel[0], self.stride[0], self.dilation[0], top + bottom)
        out_w = output_size(w, self.kernel[1], self.stride[1], self.dilation[1], left + right)
        if out_h < 1 or out_w < 1:
            raise UnsupportedOp(f"a {self.kernel} kernel does not fit into {h}x{w} elements")
        return (TensorType((n, out_h, out_w, inputs[1].shape[0])),)

    def _sums(self, x: Array, weights: Array) -> Array:
        """Exact sums over the padded input, without bias: [N, out_h, out_w, O]."""
        windows = patches(np.ascontiguousarray(x), self.kernel, self.stride, self.dilation)
        n, h, w = windows.shape[:3]
        outputs, group_in = weights.shape[0], weights.shape[3]
        if group_in == 1 and self.groups == x.shape[3] > 1:
            each = weights[..., 0].reshape(self.groups, -1, *self.kernel)
            sums: Array = np.einsum("nhwijg,gmij->nhwgm", windows, each, optimize=False)
            return sums.reshape(n, h, w, outputs)
        parts = []
        per_group = outputs // self.groups
        for g in range(self.groups):
            block = windows[..., g * group_in : (g + 1) * group_in].reshape(n * h * w, -1)
            kernel = weights[g * per_group : (g + 1) * per_group].reshape(per_group, -1)
            parts.append((block @ kernel.T).reshape(n, h, w, per_group))
        return np.concatenate(parts, axis=3)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Windows of the channels of a group, and its filter."""
        rows, columns = windows(self.kernel, self.stride, self.dilation, self.pads)
        channels = group_channels(self.groups, inputs[0][3], output[3])
        filters = moved(0, 3)
        return (SAME, rows, columns, channels), (filters, ALL, ALL, ALL), (filters,)

    def terms(self, x: Array) -> Sequence[Array]:
        """See Op: the padded windows of each group's channels."""
        wide = np.ascontiguousarray(padded(x, self.pads, 0.0))
        taken = patches(wide, self.kernel, self.stride, self.dilation)
        size = x.shape[-1] // self.groups
        return [taken[..., g * size : (g + 1) * size] for g in range(self.groups)]

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float convolution with bias and clamp."""
        x, weights, bias = arrays
        sums = self._sums(padded(x, self.pads, 0.0), weights) + bias
        return (np.clip(sums, *self.act).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """From the bias on by kernel row, column and channel; padding takes no part."""
        x, weights, bias = arrays
        taken = patches(padded(x, self.pads, 0.0), self.kernel, self.stride, self.dilation)
        held = taps_held(x.shape, (self.kernel, self.stride, self.dilation), self.pads)
        per_group, group_in = weights.shape[0] // self.groups, weights.shape[3]
        first = np.arange(weights.shape[0]) // per_group * group_in  # channel of each filter
        sums = np.broadcast_to(bias, (*taken.shape[:3], len(bias))).astype(np.float32)
        with np.errstate(all="ignore"):
            for i, j, c in np.ndindex(*weights.shape[1:]):
                added = sums + taken[:, :, :, i, j, first + c] * weights[:, i, j, c]
                sums = np.where(held[:, :, :, i, j, None], added, sums)
        return (float_clamped(sums, self.act),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """int8 convolution; float64 holds the sums exactly."""
        x = padded(arrays[0], self.pads, sig.inputs[0].q.z)
        weights = sig.constant(1).astype(np.float64)
        rows = [self._sums(part.astype(np.float64), weights) for part in _blocks(x)]
        return (finish(sig, np.concatenate(rows)),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One MAC per output element and weight of its channel."""
        per_output = math.prod(inputs[1].shape[1:])
        return Cost(macs=outputs[0].elements * per_output)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Dense, strided, dilated, asymmetric, grouped, depthwise with multiplier, 1-D."""
        cases = [
            (cls((1, 1)), (1, 4, 5, 3), 7),
            (cls((3, 3), pads=(1, 1, 1, 1), act=(0.0, 6.0)), (1, 5, 6, 2), 4),
            (cls((3, 2), (2, 1), pads=(0, 1, 2, 0)), (1, 7, 6, 3), 5),
            (cls((3, 3), (2, 2), (2, 2), (2, 2, 2, 2)), (1, 9, 8, 2), 3),
            (cls((3, 3), pads=(1, 1, 1, 1), groups=2), (1, 4, 4, 6), 4),
            (cls((3, 3), (2, 2), pads=(0, 0, 1, 1), groups=5), (1, 7, 7, 5), 5),
            (cls((3, 3), (1, 2), (2, 1), (2, 1, 2, 1), 3), (1, 6, 7, 3), 6),
            (cls((5, 1), (2, 1), pads=(2, 0, 2, 0)), (1, 11, 1, 3), 4),
            (cls((1, 1)), (1, 1, 1, 1), 1),
        ]
        for op, shape, outputs in cases:
            weights = (outputs, *op.kernel, shape[3] // op.groups)
            yield Example(op, (shape, weights, (outputs,)), constants=(1, 2))


def _blocks(x: Array, elements: int = 1 << 22) -> Iterable[Array]:
    """Samples in blocks small enough that their patches stay in tens of megabytes."""
    step = max(1, elements // max(1, 9 * math.prod(x.shape[1:])))
    for start in range(0, len(x), step):
        yield x[start : start + step]


def write_conv(node: Node, out: Writer) -> None:
    """Conv, and Relu or Clip where an activation is fused."""
    op = node.op
    assert isinstance(op, Conv2D)
    weights, bias = out.read(node.inputs[1], CHANNELS_FIRST), out.read(node.inputs[2])
    value = out.node(
        "Conv",
        [out.read(node.inputs[0], CHANNELS_FIRST), weights, bias],
        kernel_shape=op.kernel,
        strides=op.stride,
        dilations=op.dilation,
        pads=op.pads,
        group=op.groups,
    )
    out.write(node.output, out.clamped(value, op.act), CHANNELS_FIRST)


OPS = (Conv2D,)
WRITERS = {Conv2D: write_conv}
