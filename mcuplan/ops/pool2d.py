# SPDX-License-Identifier: Apache-2.0
"""Largest value or average of windows over rows of pixels.

A 1-D pool is one over H with a width of 1; a global one has a kernel as large as its
input. Windows that ``ceil_mode`` lets hang over the end are padding at the end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, rows_layout
from mcuplan.ir.graph import Node
from mcuplan.ir.op import (
    NO_CLAMP,
    Call,
    ConstArray,
    Example,
    Kernel,
    QuantRule,
    Signature,
)
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import Work, block_parts
from mcuplan.ir.writer import CHANNELS_FIRST, Writer
from mcuplan.ops._pools import NO_PADS, Pool, extreme_call, half_to_even, pool_geometry
from mcuplan.ops._windows import Pads
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = [
    "KERNELS",
    "OPS",
    "READERS",
    "WRITERS",
    "AvgPool2D",
    "MaxPool2D",
    "max_pool_work",
    "pool_work",
]


@dataclass(frozen=True, slots=True)
class MaxPool2D(Pool):
    """Largest value of each window; padding is ignored, quantization passes through."""

    quant_rule = QuantRule.PASS_THROUGH

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Maximum."""
        return (self.windows(arrays[0], -math.inf).max(axis=(3, 4)),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Maximum of the integers; the padding is their least value."""
        return (self.windows(arrays[0], sig.output.dtype.low).max(axis=(3, 4)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Strided, padded on one side, dilated, global, 1-D, one element."""
        yield Example(cls((2, 2), (2, 2)), ((1, 4, 6, 3),))
        yield Example(cls((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)), ((1, 5, 7, 2),))
        yield Example(cls((2, 3), (1, 2), (2, 1), (0, 2, 1, 0)), ((1, 6, 5, 9),))
        yield Example(cls((5, 3), (1, 1)), ((1, 5, 3, 4),))
        yield Example(cls((3, 1), (3, 1), (1, 1), (1, 0, 1, 0)), ((1, 10, 1, 2),))
        yield Example(cls((1, 1), (2, 2)), ((1, 3, 3, 1),))


@dataclass(frozen=True, slots=True)
class AvgPool2D(Pool):
    """Sum of each window, divided by its number of elements if ``divide``.

    Of the padding the elements within ``counted`` (top, left, bottom, right) count as
    zeros, the others not at all.
    """

    counted: Pads = NO_PADS
    divide: bool = True

    def counts(self, inputs: Sequence[TensorType]) -> Array:
        """Divisor of each window: [out_h, out_w]."""
        _, h, w, _ = inputs[0].shape
        top, left, bottom, right = self.counted
        rows = self.taps((h, w), 0, top, bottom)
        made: Array = np.outer(rows, self.taps((h, w), 1, left, right))
        return made if self.divide else np.ones_like(made)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the input and of padding that counts; none of a sum."""
        low, high = inputs[0]
        return (min(low, 0.0), max(high, 0.0)) if self.divide else NO_CLAMP

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Exact sum, then one division."""
        x = arrays[0]
        counts = self.counts([TensorType(x.shape)])[..., None]
        sums = self.windows(x, 0.0).sum(axis=(3, 4), dtype=np.float64)
        return ((sums / counts).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Division half to even where input and output lie on one grid, else requantized."""
        source, output = sig.inputs[0].q, sig.output.q
        centred = arrays[0].astype(np.int32) - source.z
        sums = self.windows(centred, 0).sum(axis=(3, 4), dtype=np.int64)
        counts = np.broadcast_to(self.counts(sig.inputs)[..., None], sums.shape)
        if _divides(sig):
            return ((half_to_even(sums, counts) + output.z).astype(np.int8),)
        first, multiplier, pre_shift = _factors(sig)
        index = counts - first
        return (requantize(sums, multiplier[index], pre_shift[index], output.z),)

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


def _divides(sig: Signature) -> bool:
    """Whether the exact sum is divided by the count, with no change of grid."""
    assert isinstance(sig.op, AvgPool2D)
    return sig.op.divide and sig.inputs[0].q == sig.output.q


def _factors(sig: Signature) -> tuple[int, Array, Array]:
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


def read_max_pool(node: OnnxNode, build: Builder) -> None:
    """MaxPool without its output of indices, which nothing may read."""
    like = pool_geometry(node, build)
    op = MaxPool2D(like.kernel, like.stride, like.dilation, like.pads)
    name = node.input(0)
    layout = rows_layout(len(build.shape(name)))
    build.add(op, [build.rows(name)], node, layout, quant=build.quant(name))


def read_average_pool(node: OnnxNode, build: Builder) -> None:
    """AveragePool, its padding counted or not."""
    like = pool_geometry(node, build)
    counted = like.given if node.get_int("count_include_pad", 0) else NO_PADS
    op = AvgPool2D(like.kernel, like.stride, like.dilation, like.pads, counted)
    if like.dilation != (1, 1):
        raise UnsupportedOp(f"AveragePool with dilations={list(like.dilation)}")
    layout = rows_layout(len(build.shape(node.input(0))))
    build.add(op, [build.rows(node.input(0))], node, layout)


def write_max_pool(node: Node, out: Writer) -> None:
    """MaxPool, channels first."""
    op = node.op
    assert isinstance(op, MaxPool2D)
    value = op.largest(out, out.read(node.inputs[0], CHANNELS_FIRST))
    out.write(node.output, value, CHANNELS_FIRST)


def write_avg_pool(node: Node, out: Writer) -> None:
    """AveragePool, channels first; counted padding becomes a Pad, a sum a Mul."""
    op = node.op
    assert isinstance(op, AvgPool2D)
    value = out.read(node.inputs[0], CHANNELS_FIRST)
    top, left, bottom, right = op.counted
    if any(op.counted):
        sides = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        value = out.node("Pad", [value, out.constant("pads", sides)])
    rest = tuple(p - c for p, c in zip(op.pads, op.counted, strict=True))
    value = out.node("AveragePool", [value], kernel_shape=op.kernel, strides=op.stride, pads=rest)
    if not op.divide:
        count = out.constant("count", np.array(math.prod(op.kernel), np.float32))
        value = out.node("Mul", [value, count])
    out.write(node.output, value, CHANNELS_FIRST)


# -- kernels ------------------------------------------------------------------------------


def _avg_pool(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, AvgPool2D)
    fields = op.fields(sig)
    for side, value in zip(("top", "left", "bottom", "right"), op.counted, strict=True):
        fields[f"counted_{side}"] = value
    fields |= {"in_zero_point": sig.inputs[0].q.z, "out_zero_point": sig.output.q.z}
    if not _divides(sig):
        first, multiplier, pre_shift = _factors(sig)
        fields["first_count"] = first
        fields["multiplier"] = ConstArray(DType.INT32, multiplier, "tables")
        fields["pre_shift"] = ConstArray(DType.UINT8, pre_shift, "tables")
    fields["divide"] = int(op.divide)
    return (Call(fields),)


def pool_work(sig: Signature, runs: Sequence[int], side_by_side: int = 8) -> Work:
    """Some channels of a window at a time, then those that are left; taps inside the input."""
    rows, columns = sig.taps(1), sig.taps(2)
    blocks, rest = divmod(sig.output.channels, side_by_side)
    lines, taps = rows.inside * columns.windows, rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": rows.windows,
        "pixel": rows.windows * columns.windows,
        "line": lines,
        "column": lines * columns.kernel,
        "tap": taps,
        "block": rows.windows * columns.windows * blocks,
        "block_line": lines * blocks,
        "block_tap": taps * blocks,
        "rest_line": lines * (rest > 0),
        "rest_tap": taps * (rest > 0),
        "one_tap": taps * rest,
        "output": sig.output.elements,
    }


def max_pool_work(sig: Signature, runs: Sequence[int], side_by_side: int = 8) -> Work:
    """Rows that are filled, and what pools count; taps of many channels keep more at hand."""
    output, taps = sig.output, sig.taps(1)
    work = Counter(pool_work(sig, runs, side_by_side))
    aligned = output.channels % 4 == 0
    work.update(block_parts("fill", output.rows, output.row_bytes, aligned=aligned))
    work["kernel_row"] = taps.windows * taps.kernel
    if output.channels >= side_by_side:
        work["wide_tap"], work["wide_line"] = work["tap"], work["line"]
    return work


OPS = (AvgPool2D, MaxPool2D)
KERNELS = (
    Kernel(AvgPool2D, "mplan_avg_pool2d_s8", _avg_pool, cost_class="pool", work=pool_work),
    Kernel(
        MaxPool2D,
        "mplan_max_pool2d_s8",
        extreme_call,
        cost_class="pool",
        work=max_pool_work,
    ),
)
READERS = {"AveragePool": read_average_pool, "MaxPool": read_max_pool}
WRITERS = {AvgPool2D: write_avg_pool, MaxPool2D: write_max_pool}
