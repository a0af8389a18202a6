# SPDX-License-Identifier: Apache-2.0
"""All turns of a Scan at once, where none needs what another made.

A distance to each row of a table is one subtraction and one sum over all rows: values that
differ from turn to turn have the turns as first axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.importer.protofile import text
from mcuplan.importer.structure import FileNode
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.types import Array

__all__ = ["AllTurns", "independent"]

# fmt: off
_REDUCING = frozenset(
    (
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
        "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    )
)
_ELEMENTWISE = frozenset(
    (
        "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal",
        "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid",
        "HardSwish", "Identity", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max",
        "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
        "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus",
        "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu", "Where", "Xor",
    )
)
# fmt: on


def independent(graph: Any, states: int) -> bool:
    """Whether the turns of a body are: its states stay, each node works on elements or sums them.

    Args:
        graph: the body.
        states: how many of its first inputs, and outputs, are states.
    """
    inputs = [text(port.name) for port in graph.input]
    same = {name: name for name in inputs}
    turning = set(inputs[states:])
    for proto in graph.node:
        given = list(map(text, proto.input))
        made = list(map(text, proto.output))
        kind = text(proto.op_type)
        if text(proto.domain) not in ("", "ai.onnx") or len(made) != 1:
            return False
        if kind == "Identity":
            same[made[0]] = same.get(given[0], given[0])
        if turning.isdisjoint(given):
            if any(attribute.type in (5, 10) for attribute in proto.attribute):
                return False
            continue
        if kind in _REDUCING:
            if turning.intersection(given[1:]) or not (given[1:] or _has(proto, "axes")):
                return False
        elif kind not in _ELEMENTWISE:
            return False
        turning.update(made)
    ends = [text(port.name) for port in graph.output]
    stay = all(same.get(e) == i for e, i in zip(ends, inputs[:states], strict=False))
    return stay and turning.issuperset(ends[states:])


def _has(proto: Any, key: str) -> bool:
    return any(attribute.name == key for attribute in proto.attribute)


class _Maker(Protocol):
    """What makes nodes of the body's place in the model."""

    build: Builder

    def reshape(self, file_node: FileNode, name: str, shape: Sequence[int]) -> FileNode:
        """A Reshape to a shape."""

    def constant(self, values: Array) -> str:
        """The name of a constant."""


@dataclass(slots=True)
class AllTurns:
    """Nodes of one turn as those of all. ``turning``: tensors with the turns as first axis."""

    maker: _Maker
    turning: set[str]

    def nodes(self, steps: Iterator[FileNode]) -> Iterator[FileNode]:
        """The nodes for all turns, each to be read before the next is asked for."""
        for step in steps:
            node = step.node
            if self.turning.isdisjoint(node.inputs):
                yield step
                continue
            if node.op_type in _REDUCING:
                step = self._reducing(step)
            else:
                made = {name: self._aligned(step, name) for name in self._short(node)}
                yield from made.values()
                inputs = [made[n].node.outputs[0] if n in made else n for n in node.inputs]
                step = replace(step, node=replace(node, inputs=tuple(inputs)))
            self.turning.update(node.outputs)
            yield step

    def _rank(self, name: str) -> int:
        """Axes of a value in one turn."""
        return len(self.maker.build.shape(name)) - (name in self.turning)

    def _short(self, node: OnnxNode) -> list[str]:
        """Inputs with turns whose other axes would be counted from the wrong end."""
        given = list(dict.fromkeys(filter(None, node.inputs)))
        rank = max(map(self._rank, given))
        return [n for n in given if n in self.turning and self._rank(n) < rank]

    def _aligned(self, step: FileNode, name: str) -> FileNode:
        count, *rest = self.maker.build.shape(name)
        rank = max(map(self._rank, filter(None, step.node.inputs)))
        return self.maker.reshape(step, name, (count, *[1] * (rank - len(rest)), *rest))

    def _reducing(self, step: FileNode) -> FileNode:
        """The same axes, behind the turns."""
        node, rank = step.node, self._rank(step.node.inputs[0])
        given = self.maker.build.constant(node.input(1)) if node.input(1) else None
        if node.input(1) and given is None:
            raise UnsupportedOp(f"{node.op_type} over axes that are computed")
        axes = [int(a) for a in given.data.reshape(-1)] if given else node.get_ints("axes", ())
        moved = tuple(axis + 1 if axis >= 0 else axis for axis in axes)
        if not moved or any(not -rank <= axis < rank for axis in axes):
            raise UnsupportedOp(f"{node.op_type} over axes {list(axes)} of {rank}")
        if given is None:
            return replace(step, node=replace(node, attributes={**node.attributes, "axes": moved}))
        inputs = (node.inputs[0], self.maker.constant(np.array(moved, np.int64)))
        return replace(step, node=replace(node, inputs=inputs))
