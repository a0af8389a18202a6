# SPDX-License-Identifier: Apache-2.0
"""What all pools over rows of pixels share: shapes, windows, and how ONNX states them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import SAME, InputMap, Shape
from mcuplan.ir.op import Call, Cost, Field, Op, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._windows import (
    Pads,
    output_size,
    padded,
    patches,
    read_pads,
    two,
    windows,
)

__all__ = ["NO_PADS", "Geometry", "Pool", "extreme_call", "half_to_even", "pool_geometry"]

NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Pool(Op):
    """Windows over x [1,H,W,C]; every window holds at least one element of the input."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS

    @property
    def label(self) -> str:
        """Kind, kernel size and stride."""
        stride = f" s{max(self.stride)}" if max(self.stride) > 1 else ""
        return f"{type(self).__name__[:3]}Pool {self.kernel[0]}x{self.kernel[1]}{stride}"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Output type; no window may lie in the padding alone."""
        n, h, w, c = inputs[0].shape
        out = []
        for axis in (0, 1):
            count = self._count((h, w), axis)
            if count < 1 or self.taps((h, w), axis, 0, 0).min() < 1:
                raise UnsupportedOp(
                    f"a {self.kernel} window with pads={list(self.pads)} over {h}x{w} elements",
                    hint="no window may lie in the padding alone",
                )
            out.append(count)
        return (TensorType((n, out[0], out[1], c)),)

    def _count(self, size: tuple[int, int], axis: int) -> int:
        """Windows along an axis."""
        n, pads = size[axis], self.pads[axis] + self.pads[axis + 2]
        return output_size(n, self.kernel[axis], self.stride[axis], self.dilation[axis], pads)

    def taps(self, size: tuple[int, int], axis: int, before: int, after: int) -> Array:
        """Elements along an axis that each window holds, ``before`` and ``after`` included."""
        count = self._count(size, axis)
        window = windows(self.kernel, self.stride, self.dilation, self.pads)[axis]
        at = window.places(count)
        held: Array = ((at >= -before) & (at < size[axis] + after)).sum(axis=1)
        return held

    def windows(self, x: Array, border: float) -> Array:
        x = np.ascontiguousarray(padded(x, self.pads, border))
        return patches(x, self.kernel, self.stride, self.dilation)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One operation per element of each window."""
        return Cost(ops=outputs[0].elements * math.prod(self.kernel))

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Windows of each channel."""
        rows, columns = windows(self.kernel, self.stride, self.dilation, self.pads)
        return ((SAME, rows, columns, SAME),)

    def largest(self, out: Writer, value: str) -> str:
        """The ONNX node for the largest of each window."""
        return out.node(
            "MaxPool",
            [value],
            kernel_shape=self.kernel,
            strides=self.stride,
            dilations=self.dilation,
            pads=self.pads,
        )

    def fields(self, sig: Signature) -> dict[str, Field]:
        """Members that the params structs of both pools have."""
        _, in_h, in_w, channels = sig.inputs[0].shape
        return {
            "in_h": in_h,
            "in_w": in_w,
            "channels": channels,
            "out_w": sig.output.shape[2],
            "kernel_h": self.kernel[0],
            "kernel_w": self.kernel[1],
            "stride_h": self.stride[0],
            "stride_w": self.stride[1],
            "pad_top": self.pads[0],
            "pad_left": self.pads[1],
        }


def extreme_call(sig: Signature) -> tuple[Call, ...]:
    """The call of a kernel that takes the least or the largest of each window."""
    op = sig.op
    assert isinstance(op, Pool)
    dilation: dict[str, Field] = {"dilation_h": op.dilation[0], "dilation_w": op.dilation[1]}
    return (Call(op.fields(sig) | dilation),)


def half_to_even(sums: Array, counts: Array) -> Array:
    """Integer quotients, halves to the even side."""
    q, rest = np.divmod(np.abs(sums), counts)
    q += (2 * rest > counts) | ((2 * rest == counts) & (q % 2 == 1))
    signed: Array = np.sign(sums) * q
    return signed


@dataclass(frozen=True, slots=True)
class Geometry:
    """A pool of the model: ``pads`` with what ``ceil_mode`` adds, ``given`` without."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: Pads
    given: Pads


def pool_geometry(node: OnnxNode, build: Builder) -> Geometry:
    """Kernel, stride, dilation and padding with what ``ceil_mode`` adds."""
    shape = build.shape(node.input(0))
    if len(shape) not in (3, 4):
        raise UnsupportedOp(f"pooling of rank {len(shape)}", hint="1-D and 2-D are supported")
    spatial = len(shape) - 2
    kernel = two(node.get_ints("kernel_shape", ()))
    stride = two(node.get_ints("strides", (1,) * spatial))
    dilation = two(node.get_ints("dilations", (1,) * spatial))
    size = (shape[2], shape[3] if spatial == 2 else 1)
    given = read_pads(node, size, kernel, stride, dilation)
    pads = list(given)
    if node.get_int("ceil_mode", 0):
        for axis in (0, 1):
            before, after = given[axis], given[axis + 2]
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            count = -(-(size[axis] + before + after - reach) // stride[axis]) + 1
            if (count - 1) * stride[axis] >= size[axis] + before:
                count -= 1  # the last window begins within the input
            pads[axis + 2] = max(after, (count - 1) * stride[axis] + reach - size[axis] - before)
    whole = (pads[0], pads[1], pads[2], pads[3])
    return Geometry(kernel, stride, dilation, whole, given)
