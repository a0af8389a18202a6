# SPDX-License-Identifier: Apache-2.0
"""Tile and Expand: the tensor again and again along some axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import SAME, InputMap, Shape, taken
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import add_empty, inner, int_list, layout_behind
from mcuplan.ops._strided import MOVED, Loop, axis_steps, copy_call, copy_kernels
from mcuplan.ops.movement import add_view

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Tile", "add_repeated"]


@dataclass(frozen=True, slots=True)
class Tile(Op):
    """The tensor ``repeats[i]`` times along axis i."""

    repeats: tuple[int, ...]

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes times repeats."""
        pairs = zip(inputs[0].shape, self.repeats, strict=True)
        return (TensorType(tuple(n * r for n, r in pairs), inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Axes that are repeated begin again."""
        axes = zip(inputs[0], self.repeats, strict=True)
        return (tuple(SAME if r == 1 else taken([*range(n)] * r) for n, r in axes),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Repeated tensor."""
        return (np.tile(arrays[0], self.repeats),)

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Only where axis 0 stays."""
        return self.repeats[0] == 1

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows, columns, channels, a size of 1 made larger, everything at once."""
        for repeats, shape in [
            ((1, 2, 1, 1), (1, 3, 4, 2)),
            ((1, 1, 3, 2), (1, 2, 2, 3)),
            ((1, 4, 5, 1), (1, 1, 1, 3)),
            ((1, 3), (1, 4)),
            ((1, 2, 2, 2), (1, 2, 3, 2)),
            ((2, 1, 2), (1, 2, 3)),
            ((1, 3, 2, 2, 3), (1, 2, 2, 3, 2)),
        ]:
            yield Example(cls(repeats), (shape,))


def add_repeated(
    node: OnnxNode, build: Builder, op: Callable[[tuple[int, ...]], Op], by: Sequence[int]
) -> None:
    """Repeat the first input ``by`` times along its ONNX axes, in the layout it is held in."""
    name = node.input(0)
    if 0 in by:
        add_empty(node, build, [n * k for n, k in zip(build.shape(name), by, strict=True)])
        return
    if set(by) <= {1}:
        build.alias(node.outputs[0], name, build.held_layouts(name))
        return
    layout = layout_behind(build, [name], [axis for axis, n in enumerate(by) if n != 1])
    times = tuple(1 if axis is None else by[axis] for axis in layout)
    source = build.in_layout(name, layout)
    build.add(op(times), [source], node, layout, quant=build.quant(name))


def read_tile(node: OnnxNode, build: Builder) -> None:
    """Tile with constant repeats."""
    repeats = int_list(node, build, 1, "repeats")
    if repeats is None or len(repeats) != len(build.shape(node.input(0))) or min(repeats) < 0:
        raise UnsupportedOp(f"repeats={repeats}", hint="give one count of 0 or more per axis")
    add_repeated(node, build, Tile, repeats)


def read_expand(node: OnnxNode, build: Builder) -> None:
    """Expand to a constant shape: axes of 1 are repeated."""
    target = int_list(node, build, 1, "shape")
    name = node.input(0)
    if target is None:
        raise UnsupportedOp("Expand without a shape")
    rank = max(len(target), len(build.shape(name)))
    shape, wanted = (((1,) * rank + n)[-rank:] for n in (build.shape(name), target))
    pairs = list(zip(shape, wanted, strict=True))
    if any(w < 0 or (w != n and 1 not in (n, w)) for n, w in pairs):
        raise UnsupportedOp(f"Expand of shape {list(shape)} to {list(target)}")
    if shape != build.shape(name):
        wide = inner(node, "wide")
        add_view(wide, build, shape)
        node = replace(node, inputs=wide.outputs)
    add_repeated(node, build, Tile, [w if n == 1 else 1 for n, w in pairs])


def write_tile(node: Node, out: Writer) -> None:
    """Tile of any order of axes that is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Tile)
    repeats = out.constant("repeats", np.array([op.repeats[a] for a in axes], np.int64))
    out.write(node.output, out.node("Tile", [out.read(node.inputs[0], axes), repeats]), axes)


def _tile(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Tile)
    steps = axis_steps(sig.inputs[0])
    axes = [[Loop(r, 0, 0), n] for r, n in zip(op.repeats, steps, strict=True)]
    return (copy_call(sig.output, axes),)


OPS = (Tile,)
KERNELS = copy_kernels(Tile, _tile)
READERS = {"Expand": read_expand, "Tile": read_tile}
WRITERS = {Tile: write_tile}
