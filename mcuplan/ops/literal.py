# SPDX-License-Identifier: Apache-2.0
"""A tensor that is known when generating, put where the application reads outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Op, QuantRule, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import inner
from mcuplan.ops._strided import MOVED, axis_steps, copy_call, copy_kernels
from mcuplan.ops.movement import add_view

__all__ = ["KERNELS", "OPS", "WRITERS", "Literal", "add_literal"]


@dataclass(frozen=True, slots=True)
class Literal(Op):
    """The constant that is its only input.

    ``empty``: a shape without elements, of which the input has one all the same.
    """

    empty: Shape | None = None

    types = MOVED
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(self.empty or inputs[0].shape, inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """The values as they are."""
        return (arrays[0] if self.empty is None else arrays[0][:0].reshape(self.empty),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A vector, rows, a matrix without a batch axis."""
        for shape in [(1, 4), (1, 3, 4, 2), (3, 2)]:
            yield Example(cls(), (shape,), constants=(0,))


def add_literal(node: OnnxNode, build: Builder, value: Constant) -> None:
    """The output is a constant, in its own type and on no grid."""
    data = np.atleast_1d(value.data)
    op = Literal(None if data.size else data.shape)
    data = data if data.size else np.zeros(1, data.dtype)
    held = build.add_constant(Constant(data), f"{node.outputs[0]}_values")
    if value.data.ndim:
        build.add(op, [held], node)
        return
    line = inner(node, "line")
    build.add(op, [held], line)
    add_view(replace(node, inputs=line.outputs), build, ())


def _copy(sig: Signature) -> tuple[Call, ...]:
    return (copy_call(sig.output, [[loop] for loop in axis_steps(sig.output)]),)


def write_literal(node: Node, out: Writer) -> None:
    """An Identity of the constant."""
    op, source = node.op, node.inputs[0]
    assert isinstance(op, Literal)
    if op.empty is None:
        value = out.read(source)
    else:
        kind = out.graph.tensor(source).type.dtype.numpy
        value = out.constant("empty", np.zeros(op.empty, kind))
    out.write(node.output, out.node("Identity", [value]))


OPS = (Literal,)
KERNELS = copy_kernels(Literal, _copy)
WRITERS = {Literal: write_literal}
