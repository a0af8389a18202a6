# SPDX-License-Identifier: Apache-2.0
"""Where the largest element of each window is: the second output of MaxPool."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._pools import EXTREME_TYPES, Pool, axis_names
from mcuplan.ops._read import inner
from mcuplan.ops._windows import channels_first, three_axes
from mcuplan.ops.cast import Cast
from mcuplan.ops.pool2d import add_max_pool
from mcuplan.ops.pool_kernels import pool_taps

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "MaxPoolIndex"]


@dataclass(frozen=True, slots=True)
class MaxPoolIndex(Pool):
    """int32 index of the first of the largest of each window, in ONNX's order of the input.

    ``by_columns``: rows of the input lie beside one another in that order.
    """

    by_columns: bool = False

    types = tuple(replace(own, outputs=(DType.INT32,)) for own in EXTREME_TYPES)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """An index for each window."""
        (made,) = Pool.infer(self, inputs)
        return (TensorType(made.shape, DType.INT32),)

    def steps(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Of the index, from one element to the next: along each axis, and of the channels."""
        size = shape[1:-1]
        axes = [math.prod(size[axis + 1 :]) for axis in range(len(size))]
        if self.by_columns:
            axes = [math.prod(size[:axis]) for axis in range(len(size))]
        return (*axes, math.prod(size))

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """The first of the largest, row by row of each window."""
        x = arrays[0]
        *steps, step_c = self.steps(x.shape)
        places = np.zeros(x.shape[1:-1], np.int32)
        for axis, (step, n) in enumerate(zip(steps, x.shape[1:-1], strict=True)):
            places += (step * np.arange(n, dtype=np.int32)).reshape(
                (-1, *(1,) * (len(steps) - 1 - axis))
            )
        where = np.broadcast_to(places[None, ..., None], x.shape)
        best, index = np.zeros((), x.dtype), np.zeros((), np.int32)
        taken = np.zeros((), bool)
        for (held, values), (_, own) in zip(self.in_turn(x), self.in_turn(where), strict=True):
            better = held & (~taken | (values > best))
            best, index = np.where(better, values, best), np.where(better, own, index)
            taken = taken | held
        channels = step_c * np.arange(x.shape[-1], dtype=np.int32)
        return ((index + channels).astype(np.int32),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Padded, dilated, by columns, over three axes."""
        yield Example(cls((2, 2), (2, 2)), ((1, 4, 6, 3),))
        yield Example(cls((2, 3), (1, 2), (2, 1), (0, 2, 1, 0), by_columns=True), ((1, 6, 5, 9),))
        three = ((2, 3, 2), (1, 2, 1), (2, 1, 2), (1, 0, 1, 0, 1, 1))
        yield Example(cls(*three), ((1, 4, 5, 4, 3),))


def read_max_pool(node: OnnxNode, build: Builder) -> None:
    """MaxPool, and its indices by an operator of their own."""
    read = add_max_pool(node, build)
    if not (node.outputs[1:] and node.outputs[1]):
        return
    op = MaxPoolIndex(*read.window, node.get_int("storage_order", 0) == 1)
    found = inner(node, "index")
    build.add(op, [build.in_layout(node.input(0), read.layout)], found, read.layout)
    index = build.in_layout(found.outputs[0], read.layout)
    build.add(Cast(DType.INT64), [index], node, read.layout, output=1)


def write_max_pool_index(node: Node, out: Writer) -> None:
    """The second output of MaxPool, channels first."""
    op = node.op
    assert isinstance(op, MaxPoolIndex)
    axes = channels_first(op.kernel)
    made = out.node(
        "MaxPool",
        [out.read(node.inputs[0], axes)],
        2,
        kernel_shape=op.kernel,
        strides=op.stride,
        dilations=op.dilation,
        pads=op.pads,
        storage_order=int(op.by_columns),
    )
    wide = out.outputs_of(made)[1]
    out.write(node.output, out.node("Cast", [wide], to=DType.INT32.onnx), axes)


def _call(sig: Signature) -> tuple[Call, ...]:
    op, kind = sig.op, sig.inputs[0]
    assert isinstance(op, MaxPoolIndex)
    *steps, step_c = op.steps(kind.shape)
    fields: dict[str, Field] = op.fields_of_three(sig) | {"step_c": step_c}
    fields |= axis_names("step", three_axes(steps, 0))
    return (Call(fields | ({"flip_sign": 128} if kind.dtype is DType.UINT8 else {})),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Windows of each channel, by lines and taps."""
    channels = sig.output.channels
    first, high, wide, columns = pool_taps(sig)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": sig.output.elements // channels,
        "plane": first * columns * channels,
        "line": first * high * columns * channels,
        "tap": first * high * wide * channels,
        "output": sig.output.elements,
    }


OPS = (MaxPoolIndex,)
KERNELS = tuple(
    Kernel(
        MaxPoolIndex,
        f"mplan_max_pool_index_{'f32' if types.inputs[0] is DType.FLOAT32 else 's8'}",
        _call,
        types=types,
        cost_class="pool",
        work=_work,
    )
    for types in MaxPoolIndex.types
)
READERS = {"MaxPool": read_max_pool}
WRITERS = {MaxPoolIndex: write_max_pool_index}
