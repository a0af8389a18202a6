# SPDX-License-Identifier: Apache-2.0
"""Norms of windows over two or three axes: the root of the sum of the powers of their sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Attribute, Builder, OnnxNode
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Example, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._math_f32 import sqrt_f32
from mcuplan.ops._pools import Pool, pool_geometry
from mcuplan.ops._pow_f32 import pow_f32
from mcuplan.ops._windows import channels_first
from mcuplan.ops.fields import FLOAT_TYPES
from mcuplan.ops.pool_kernels import pool_taps

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "LpPool"]

_MOST_ORDER, _MOST_ORDER_S8 = 64, 4


@dataclass(frozen=True, slots=True)
class LpPool(Pool):
    """``sum(abs(x) ** order) ** (1 / order)`` of each window; padding takes no part."""

    order: int = 2

    @property
    def on_grids(self) -> bool | None:
        """Not of a high order: a power of 32 bits would tell too little of small values."""
        return False if self.order > _MOST_ORDER_S8 else None

    types = (Types(), FLOAT_TYPES)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Not below 0, and what a window full of the largest gives."""
        largest = max(map(abs, inputs[0]))
        return 0.0, largest * math.prod(self.kernel) ** (1 / self.order)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Powers and their sums in double precision."""
        powers = np.abs(self.windows(arrays[0], 0.0).astype(np.float64)) ** self.order
        sums = powers.sum(axis=self.tap_axes)
        return ((sums ** (1 / self.order)).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """From 0 on row by row of each window; powers by one factor after the other."""
        sums = np.zeros((), np.float32)
        with np.errstate(all="ignore"):
            for held, values in self.in_turn(arrays[0]):
                size = np.where(values < 0, -values, values)
                power = size
                for _ in range(1, self.order):
                    power = power * size
                sums = np.where(held, sums + power, sums)
            if self.order == 2:
                return (sqrt_f32(sums),)
            root = np.float32(1) / np.float32(self.order)
            return (sums if self.order == 1 else pow_f32(sums, root),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Sums of tabled powers; a code for each span of them."""
        powers, ends = sig.once(_tables)
        sums = np.zeros((), np.int64)
        for held, values in self.in_turn(arrays[0]):
            sums = np.where(held, sums + powers[values.astype(np.int64) + 128], sums)
        return ((np.searchsorted(ends, sums, side="right") - 128).astype(np.int8),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Sums of sizes, Euclidean, higher; padded, dilated, over three axes."""
        yield Example(cls((2, 2), (2, 2)), ((1, 4, 6, 3),))
        yield Example(cls((3, 2), (1, 2), (1, 2), (1, 0, 1, 1), 1), ((1, 5, 6, 2),))
        yield Example(cls((2, 2), order=4), ((1, 3, 4, 5),))
        yield Example(cls((3, 1), order=3), ((1, 7, 1, 2),))
        yield Example(cls((2, 1, 3), (1, 2, 1), (1,) * 3, (1, 0, 1) * 2), ((1, 3, 4, 4, 2),))


def _tables(sig: Signature) -> tuple[Array, Array]:
    """The power of each code, and the least sum that each code from the second on is for."""
    op, source, output = sig.op, sig.inputs[0].q, sig.output.q
    assert isinstance(op, LpPool)
    taps = math.prod(op.kernel)
    sizes = np.abs(np.arange(-128, 128) - source.z).astype(np.float64)
    room = (2**31 - 1 - taps) / (taps * sizes.max() ** op.order)
    scale = 2.0 ** min(0, math.frexp(room)[1] - 1)
    powers = np.floor(sizes**op.order * scale + 0.5).astype(np.int64)
    least = np.maximum((np.arange(-127, 128) - output.z - 0.5) * (output.s / source.s), 0.0)
    ends = np.minimum(np.ceil(least**op.order * scale), 2.0**31 - 1)
    return powers, ends.astype(np.int64)


def read_lp_pool(node: OnnxNode, build: Builder) -> None:
    """LpPool of a whole order."""
    read, _ = pool_geometry(node, build)
    op = LpPool(*read.window, _order(node))
    build.add(op, [build.in_layout(node.input(0), read.layout)], node, read.layout)


def read_global_lp_pool(node: OnnxNode, build: Builder) -> None:
    """The norm of each channel."""
    whole: dict[str, Attribute] = {
        "kernel_shape": build.shape(node.input(0))[2:],
        "p": _order(node),
    }
    read_lp_pool(replace(node, attributes=whole), build)


def _order(node: OnnxNode) -> int:
    order = node.get_int("p", 2)
    if not 1 <= order <= _MOST_ORDER:
        raise UnsupportedOp(f"{node.op_type} with p={order}")
    return order


def write_lp_pool(node: Node, out: Writer) -> None:
    """The ONNX operator; dilated, powers, their sums as a convolution by channel, and the root."""
    op = node.op
    assert isinstance(op, LpPool)
    axes, channels = channels_first(op.kernel), out.shape(node.inputs[0])[-1]
    if max(op.dilation) == 1:
        window: dict[str, Any] = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.pads}
        value = out.node("LpPool", [out.read(node.inputs[0], axes)], p=op.order, **window)
        out.write(node.output, value, axes)
        return
    order = out.constant("order", np.array(op.order, np.float32))
    root = out.constant("root", np.array(1 / op.order, np.float32))
    size = out.node("Abs", [out.read(node.inputs[0], axes)])
    ones = out.constant("ones", np.ones((channels, 1, *op.kernel), np.float32))
    sums = out.node(
        "Conv",
        [out.node("Pow", [size, order]), ones],
        strides=op.stride,
        dilations=op.dilation,
        pads=op.pads,
        group=channels,
    )
    out.write(node.output, out.node("Pow", [sums, root]), axes)


def _call(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, LpPool)
    fields: dict[str, Field] = {"order": op.order}
    if sig.output.quant is not None:
        powers, ends = sig.once(_tables)
        fields = {
            "powers": ConstArray(DType.INT32, powers.astype(np.int32), "tables"),
            "ends": ConstArray(DType.INT32, ends.astype(np.int32), "tables"),
        }
    return (Call(fields | op.fields_of_three(sig)),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Windows of each channel by lines and taps, their powers, and a root."""
    op, channels = sig.op, sig.output.channels
    assert isinstance(op, LpPool)
    first, high, wide, columns = pool_taps(sig)
    taps, made = first * high * wide * channels, sig.output.elements
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": made // channels,
        "line": first * high * columns * channels,
        "tap": taps,
        "factor": taps * (op.order - 1) if sig.output.quant is None else 0,
        "square_root": made * (op.order == 2),
        "root": made * (op.order > 2),
        "output": made,
    }


OPS = (LpPool,)
KERNELS = (
    Kernel(LpPool, "mplan_lp_pool3d_s8", _call, cost_class="pool", work=_work),
    Kernel(LpPool, "mplan_lp_pool3d_f32", _call, types=FLOAT_TYPES, cost_class="pool", work=_work),
)
READERS = {"GlobalLpPool": read_global_lp_pool, "LpPool": read_lp_pool}
WRITERS = {LpPool: write_lp_pool}
