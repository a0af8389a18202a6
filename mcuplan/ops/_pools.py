# SPDX-License-Identifier: Apache-2.0
"""What all pools over two or three axes of pixels share: shapes, windows, how ONNX states them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import SAME, InputMap, Shape
from mcuplan.ir.op import Call, Cost, Field, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._windows import (
    NO_PADS,
    Pads,
    WindowsRead,
    output_size,
    padded,
    patches,
    read_windows,
    tap_axes,
    taps_held,
    three_axes,
    windows,
)
from mcuplan.ops.fields import FLOAT_TYPES

__all__ = [
    "EXTREME_TYPES",
    "NO_PADS",
    "Pool",
    "axis_names",
    "end_of",
    "extreme",
    "extreme_call",
    "half_to_even",
    "pool_geometry",
]


_ANY = frozenset({True, False})
EXTREME_TYPES = (Types.all(DType.INT8, _ANY), Types.all(DType.UINT8, _ANY), FLOAT_TYPES)
"""Types of an operator that selects elements by their order, on a grid or on none."""


@dataclass(frozen=True, slots=True)
class Pool(Op):
    """Windows over x [1,H,W,C] or [1,D,H,W,C]; every window holds an element of the input."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)
    pads: Pads = NO_PADS

    @property
    def label(self) -> str:
        """Kind, kernel size and stride."""
        stride = f" s{max(self.stride)}" if max(self.stride) > 1 else ""
        return f"{type(self).__name__[:3]}Pool {'x'.join(map(str, self.kernel))}{stride}"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Output type; no window may lie in the padding alone."""
        n, *size, c = inputs[0].shape
        out = []
        for axis in range(len(size)):
            count = self._count(size, axis)
            if count < 1 or self.taps(size, axis, 0, 0).min() < 1:
                raise UnsupportedOp(
                    f"a {self.kernel} window with pads={list(self.pads)} over"
                    f" {'x'.join(map(str, size))} elements",
                    hint="no window may lie in the padding alone",
                )
            out.append(count)
        selects = self.quant_rule is QuantRule.PASS_THROUGH
        dtype = inputs[0].dtype if selects else DType.FLOAT32
        return (TensorType((n, *out, c), dtype),)

    def _count(self, size: Sequence[int], axis: int) -> int:
        """Windows along an axis."""
        n, pads = size[axis], self.pads[axis] + self.pads[axis + len(size)]
        return output_size(n, self.kernel[axis], self.stride[axis], self.dilation[axis], pads)

    def taps(self, size: Sequence[int], axis: int, before: int, after: int) -> Array:
        """Elements along an axis that each window holds, ``before`` and ``after`` included."""
        count = self._count(size, axis)
        window = windows(self.kernel, self.stride, self.dilation, self.pads)[axis]
        at = window.places(count)
        held: Array = ((at >= -before) & (at < size[axis] + after)).sum(axis=1)
        return held

    @property
    def tap_axes(self) -> tuple[int, ...]:
        """Axes of :meth:`windows` along which the elements of each lie."""
        return tap_axes(self.kernel)

    def windows(self, x: Array, border: float) -> Array:
        """Elements of each window: [N, H', W', kernel_h, kernel_w, C]."""
        x = np.ascontiguousarray(padded(x, self.pads, border))
        return patches(x, self.kernel, self.stride, self.dilation)

    def in_turn(self, x: Array) -> Iterator[tuple[Array, Array]]:
        """For each tap in the order of the C kernels: where it is in the input, and its values."""
        taken = self.windows(x, 0.0)
        held = taps_held(x.shape, (self.kernel, self.stride, self.dilation), self.pads)
        for tap in np.ndindex(*self.kernel):
            at = (slice(None),) * (1 + len(self.kernel)) + tap
            yield held[at][..., None], taken[at]

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One operation per element of each window."""
        return Cost(ops=outputs[0].elements * math.prod(self.kernel))

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Windows of each channel."""
        return ((SAME, *windows(self.kernel, self.stride, self.dilation, self.pads), SAME),)

    def largest(self, out: Writer, value: str) -> str:
        """The ONNX node for the largest of each window, which pads less than it is wide."""
        pads, half = self.pads, len(self.kernel)
        if any(p >= k for p, k in zip(pads, (*self.kernel, *self.kernel), strict=True)):
            sides = np.array([0, 0, *pads[:half], 0, 0, *pads[half:]], np.int64)
            least = np.array(np.finfo(np.float32).min)
            value = out.node(
                "Pad", [value, out.constant("pads", sides), out.constant("low", least)]
            )
            pads = (0,) * len(pads)
        return out.node(
            "MaxPool",
            [value],
            kernel_shape=self.kernel,
            strides=self.stride,
            dilations=self.dilation,
            pads=pads,
        )

    def fields(self, sig: Signature) -> dict[str, Field]:
        """Members that the params structs of all pools over two axes have."""
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

    def fields_of_three(self, sig: Signature) -> dict[str, Field]:
        """Members that the params structs of all pools over three axes have."""
        _, *size, channels = sig.inputs[0].shape
        made = three_axes(sig.output.shape[1:-1], 1)
        return {
            "channels": channels,
            "out_h": made[1],
            "out_w": made[2],
            **axis_names("in", three_axes(size, 1)),
            **axis_names("kernel", three_axes(self.kernel, 1)),
            **axis_names("stride", three_axes(self.stride, 1)),
            **axis_names("dilation", three_axes(self.dilation, 1)),
            **axis_names("pad", three_axes(self.pads[: len(size)], 0)),
        }


def axis_names(stem: str, values: Sequence[int]) -> dict[str, Field]:
    """Members for D, H and W."""
    return {f"{stem}_{axis}": value for axis, value in zip("dhw", values, strict=True)}


def extreme(pool: Pool, x: Array, *, least: bool) -> Array:
    """The first of the largest (least) of each window in float32, as ``mplan_pool3d_f32``."""
    found = None
    for held, values in pool.in_turn(x):
        if found is None:
            found, taken = np.zeros_like(values), np.zeros(held.shape, bool)
        better = values < found if least else values > found
        found = np.where(held & (better | ~taken), values + np.float32(0), found)
        taken = taken | held
    assert found is not None
    return found


def end_of(x: Array, *, least: bool) -> float:
    """What no element of an array is below, or above: its padding does no harm."""
    if x.dtype.kind == "f":
        return -math.inf if least else math.inf
    limits = np.iinfo(x.dtype)
    return int(limits.min if least else limits.max)


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


def pool_geometry(node: OnnxNode, build: Builder) -> tuple[WindowsRead, Pads]:
    """Windows, their padding with what ``ceil_mode`` adds, and the padding that is given."""
    read = read_windows(node, build.shape(node.input(0)), node.get_ints("kernel_shape", ()))
    pads, axes = list(read.pads), len(read.size)
    for axis, n in enumerate(read.size if node.get_int("ceil_mode", 0) else ()):
        before, after = read.pads[axis], read.pads[axis + axes]
        reach = (read.kernel[axis] - 1) * read.dilation[axis] + 1
        count = -(-(n + before + after - reach) // read.stride[axis]) + 1
        if (count - 1) * read.stride[axis] >= n + before:
            count -= 1  # the last window begins within the input
        pads[axis + axes] = max(after, (count - 1) * read.stride[axis] + reach - n - before)
    return replace(read, pads=tuple(pads)), read.pads
