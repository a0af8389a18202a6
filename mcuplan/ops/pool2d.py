# SPDX-License-Identifier: Apache-2.0
"""Largest value or average of windows over two or three axes of pixels.

A 1-D pool is one over H with a width of 1; a global one has a kernel as large as its input.
Several samples are an axis in front, of which a window takes one. Windows that ``ceil_mode``
lets hang over the end are padding at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.graph import Node
from mcuplan.ir.op import (
    NO_CLAMP,
    Example,
    QuantRule,
    Signature,
)
from mcuplan.ir.types import Array, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._pools import (
    EXTREME_TYPES,
    NO_PADS,
    Pool,
    end_of,
    extreme,
    half_to_even,
    pool_geometry,
)
from mcuplan.ops._windows import Pads, WindowsRead, channels_first
from mcuplan.ops.fields import FLOAT_TYPES, INT16_TYPES
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = [
    "OPS",
    "READERS",
    "WRITERS",
    "AvgPool2D",
    "MaxPool2D",
    "add_max_pool",
    "average_factors",
    "divides",
]


@dataclass(frozen=True, slots=True)
class MaxPool2D(Pool):
    """Largest value of each window; padding is ignored, quantization passes through."""

    types = (*EXTREME_TYPES, INT16_TYPES)
    quant_rule = QuantRule.PASS_THROUGH

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Maximum."""
        border = end_of(arrays[0], least=True)
        return (self.windows(arrays[0], border).max(axis=self.tap_axes),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """The first of the largest, row by row of each window."""
        return (extreme(self, arrays[0], least=False),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Strided, padded on one side, dilated, global, 1-D, one element."""
        yield Example(cls((2, 2), (2, 2)), ((1, 4, 6, 3),))
        yield Example(cls((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)), ((1, 5, 7, 2),))
        yield Example(cls((2, 3), (1, 2), (2, 1), (0, 2, 1, 0)), ((1, 6, 5, 9),))
        yield Example(cls((5, 3), (1, 1)), ((1, 5, 3, 4),))
        yield Example(cls((3, 1), (3, 1), (1, 1), (1, 0, 1, 0)), ((1, 10, 1, 2),))
        yield Example(cls((1, 1), (2, 2)), ((1, 3, 3, 1),))
        pads = (1, 0, 1, 0, 1, 1)
        yield Example(cls((2, 3, 2), (1, 2, 1), (2, 1, 2), pads), ((1, 4, 5, 4, 3),))
        yield Example(cls((1, 2, 2), (1, 1, 2), (1,) * 3, (0,) * 6), ((1, 3, 4, 4, 9),))


@dataclass(frozen=True, slots=True)
class AvgPool2D(Pool):
    """Sum of each window, divided by its number of elements if ``divide``.

    Of the padding the elements within ``counted`` (top, left, bottom, right) count as
    zeros, the others not at all.
    """

    counted: Pads = NO_PADS
    divide: bool = True

    types = (Types(), FLOAT_TYPES, INT16_TYPES)

    @property
    def is_wide(self) -> bool:
        """Whether 32 bits hold the sum of a window of int16."""
        return math.prod(self.kernel) < 1 << 15

    def counts(self, inputs: Sequence[TensorType]) -> Array:
        """Divisor of each window: [out_h, out_w], or of three axes."""
        size = inputs[0].shape[1:-1]
        made = np.ones((), np.int64)
        for axis in range(len(size)):
            before, after = self.counted[axis], self.counted[axis + len(size)]
            made = np.multiply.outer(made, self.taps(size, axis, before, after))
        return made if self.divide else np.ones_like(made)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the input and of padding that counts; none of a sum."""
        low, high = inputs[0]
        return (min(low, 0.0), max(high, 0.0)) if self.divide else NO_CLAMP

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Exact sum, then one division."""
        x = arrays[0]
        counts = self.counts([TensorType(x.shape)])[..., None]
        sums = self.windows(x, 0.0).sum(axis=self.tap_axes, dtype=np.float64)
        return ((sums / counts).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """From 0 on row by row of each window, then one division."""
        x = arrays[0]
        sums = np.zeros((), np.float32)
        with np.errstate(all="ignore"):
            for held, values in self.in_turn(x):
                sums = np.where(held, sums + values, sums)
            counts = self.counts([TensorType(x.shape)])[..., None].astype(np.float32)
            return (sums / counts,)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Division half to even where input and output lie on one grid, else requantized."""
        source, output = sig.inputs[0].q, sig.output.q
        centred = arrays[0].astype(np.int32) - source.z
        sums = self.windows(centred, 0).sum(axis=self.tap_axes, dtype=np.int64)
        counts = np.broadcast_to(self.counts(sig.inputs)[..., None], sums.shape)
        if divides(sig):
            return ((half_to_even(sums, counts) + output.z).astype(output.dtype.numpy),)
        first, multiplier, pre_shift = average_factors(sig)
        index = counts - first
        ends, dtype = (output.dtype.low, output.dtype.high), output.dtype
        return (requantize(sums, multiplier[index], pre_shift[index], output.z, ends, dtype),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Padding counted or not, hanging over the end, global, 1-D, a sum."""
        one = (1, 1)
        pads, over = (1, 1, 1, 1), (1, 1, 2, 2)
        yield Example(cls((2, 2), (2, 2)), ((1, 4, 6, 3),))
        yield Example(cls((3, 3), one, one, pads), ((1, 4, 5, 2),))
        yield Example(cls((3, 3), (2, 2), one, pads, pads), ((1, 5, 6, 9),))
        yield Example(cls((3, 3), (2, 2), one, over, pads), ((1, 6, 6, 3),))
        yield Example(cls((5, 3)), ((1, 5, 3, 12),))
        yield Example(cls((4, 1), (2, 1), one, (2, 0, 1, 0)), ((1, 9, 1, 2),))
        yield Example(cls((3, 4), divide=False), ((1, 3, 4, 5),))
        yield Example(cls((1, 1)), ((1, 2, 1, 1),))
        yield Example(cls((2, 3), one, (2, 1), pads, (1, 0, 0, 1)), ((1, 5, 4, 3),))
        three = ((2, 3, 2), (1, 2, 1), (2, 1, 2), (1, 0, 1, 0, 1, 1))
        yield Example(cls(*three, three[3]), ((1, 4, 5, 4, 9),))
        yield Example(cls(*three, (0,) * 6), ((1, 5, 3, 4, 2),))
        whole = ((2, 4, 3), (1,) * 3, (1,) * 3, (0,) * 6)
        yield Example(cls(*whole, whole[3], divide=False), ((1, 2, 4, 3, 5),))


def divides(sig: Signature) -> bool:
    """Whether the exact sum is divided by the count, with no change of grid."""
    assert isinstance(sig.op, AvgPool2D)
    return sig.op.divide and sig.inputs[0].q == sig.output.q


def average_factors(sig: Signature) -> tuple[int, Array, Array]:
    """Smallest count, and multiplier and left shift from there to the largest one."""
    op = sig.op
    assert isinstance(op, AvgPool2D)
    counts = op.counts(sig.inputs)
    first, last = int(counts.min()), int(counts.max())
    multiplier = np.zeros(last - first + 1, np.int32)
    pre_shift = np.zeros(last - first + 1, np.uint8)
    ratio = sig.inputs[0].q.s / sig.output.q.s
    for count in np.unique(counts).tolist():
        reach = sig.inputs[0].dtype.steps * math.prod(op.kernel)
        multiplier[count - first], pre_shift[count - first] = requantize_factors(
            ratio / count, reach
        )
    return first, multiplier, pre_shift


# -- readers and writers ------------------------------------------------------------------


def add_max_pool(node: OnnxNode, build: Builder) -> WindowsRead:
    """The values of a MaxPool; returns its windows."""
    read, _ = pool_geometry(node, build)
    name = node.input(0)
    source = build.in_layout(name, read.layout)
    build.add(MaxPool2D(*read.window), [source], node, read.layout, quant=build.quant(name))
    return read


def read_average_pool(node: OnnxNode, build: Builder) -> None:
    """AveragePool, its padding counted or not."""
    read, given = pool_geometry(node, build)
    counted = given if node.get_int("count_include_pad", 0) else (0,) * len(given)
    op = AvgPool2D(*read.window, counted)
    build.add(op, [build.in_layout(node.input(0), read.layout)], node, read.layout)


def write_max_pool(node: Node, out: Writer) -> None:
    """MaxPool, channels first."""
    op = node.op
    assert isinstance(op, MaxPool2D)
    axes = channels_first(op.kernel)
    out.write(node.output, op.largest(out, out.read(node.inputs[0], axes)), axes)


def _summed(op: AvgPool2D, sizes: Sequence[int]) -> list[int]:
    """Axes, channels first, that are summed whole while the others stay; none: it is not so."""
    whole = [size == taps for size, taps in zip(sizes, op.kernel, strict=True)]
    alone = [pair == (1, 1) for pair in zip(op.kernel, op.stride, strict=True)]
    if op.divide or any(op.pads) or not all(a or b for a, b in zip(whole, alone, strict=True)):
        return []
    return [axis for axis, is_whole in enumerate(whole, 2) if is_whole]


def write_avg_pool(node: Node, out: Writer) -> None:
    """AveragePool, channels first; counted padding becomes a Pad, a sum of windows a Mul."""
    op = node.op
    assert isinstance(op, AvgPool2D)
    axes, half = channels_first(op.kernel), len(op.kernel)
    value = out.read(node.inputs[0], axes)
    if any(op.counted):
        sides = np.array([0, 0, *op.counted[:half], 0, 0, *op.counted[half:]], np.int64)
        value = out.node("Pad", [value, out.constant("pads", sides)])
    rest = tuple(p - c for p, c in zip(op.pads, op.counted, strict=True))
    window: dict[str, Any] = {"kernel_shape": op.kernel, "strides": op.stride, "pads": rest}
    whole = _summed(op, out.shape(node.inputs[0])[1:-1])
    if whole:
        value = out.node("ReduceSum", [value, out.constant("axes", np.array(whole, np.int64))])
    elif max(op.dilation) == 1:
        value = out.node("AveragePool", [value], **window)
        if not op.divide:
            count = out.constant("count", np.array(math.prod(op.kernel), np.float32))
            value = out.node("Mul", [value, count])
    else:  # sums, divided
        kind = out.graph.tensor(node.inputs[0]).type
        ones = out.constant("ones", np.ones((kind.channels, 1, *op.kernel), np.float32))
        window |= {"dilations": op.dilation, "group": kind.channels}
        counts = out.constant("counts", op.counts([kind])[None, None].astype(np.float32))
        value = out.node("Div", [out.node("Conv", [value, ones], **window), counts])
    out.write(node.output, value, axes)


OPS = (AvgPool2D, MaxPool2D)
READERS = {"AveragePool": read_average_pool}
WRITERS = {AvgPool2D: write_avg_pool, MaxPool2D: write_max_pool}
