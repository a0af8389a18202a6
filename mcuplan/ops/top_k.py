# SPDX-License-Identifier: Apache-2.0
"""TopK over the last axis: values on the input's grid, and int32 indices beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, over_last
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Cost, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._ordered import ORDERED, ordered, ordered_kind
from mcuplan.ops._read import inner, int_list, normal_axis
from mcuplan.ops.cast import Cast

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "TopK"]


@dataclass(frozen=True, slots=True)
class TopK(Op):
    """The ``k`` largest (or smallest) elements in order, and where they stand.

    Of equal ones the first comes first.
    """

    k: int
    smallest: bool = False

    quant_rule = QuantRule.PASS_THROUGH  # of the values
    types = (
        Types(outputs=(DType.INT8, DType.INT32)),
        *(Types.whole([dtype], [dtype, DType.INT32]) for dtype in ORDERED),
    )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Values and indices along the last axis."""
        shape = (*inputs[0].shape[:-1], self.k)
        return TensorType(shape, inputs[0].dtype), TensorType(shape, DType.INT32)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis."""
        return over_last(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Values, and indices; the order of integers is that of their real values."""
        values, found = self._taken(arrays[0])
        return values, found.astype(np.int32)

    def _taken(self, values: Array) -> tuple[Array, Array]:
        keys = ordered(values) if self.smallest else ~ordered(values)
        found = np.argsort(keys, axis=-1, kind="stable")[..., : self.k]
        return np.take_along_axis(values, found, axis=-1), found

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A comparison for each element and each place."""
        return Cost(ops=inputs[0].elements * self.k)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A vector, rows of pixels, all elements, the smallest."""
        for op, shape in [
            (cls(3), (1, 10)),
            (cls(2), (1, 3, 4, 5)),
            (cls(7, smallest=True), (1, 2, 7)),
            (cls(1), (1, 300)),
        ]:
            yield Example(op, (shape,))
        for k, dtype in enumerate(ORDERED):
            yield Example(cls(3, smallest=k % 2 == 0), ((1, 2, 2, 5),), types=(dtype,))


def read_top_k(node: OnnxNode, build: Builder) -> None:
    """TopK of a constant ``k`` over one axis; unsorted it is sorted all the same."""
    name = node.input(0)
    shape = build.shape(name)
    axis = normal_axis(node.get_int("axis", -1), len(shape))
    given = int_list(node, build, 1, "k") or (node.get_int("k", 0),)
    if not 1 <= given[0] <= shape[axis]:
        raise UnsupportedOp(f"k={given[0]} of {shape[axis]} elements")
    op = TopK(given[0], node.get_int("largest", 1) == 0)
    layout = (*(a for a in range(len(shape)) if a != axis), axis)
    source = build.in_layout(name, layout)
    found = inner(node, "index")
    made = replace(node, outputs=(*node.outputs[:1], *found.outputs))
    build.add_outputs(op, [source], made, layout, (build.quant(name), None))
    if node.outputs[1:] and node.outputs[1]:
        index = build.in_layout(found.outputs[0], layout)
        build.add(Cast(DType.INT64), [index], node, layout, output=1)


def write_top_k(node: Node, out: Writer) -> None:
    """TopK of wherever our last axis lies."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, TopK)
    count = out.constant("k", np.array([op.k], np.int64))
    place = {"axis": axes.index(len(axes) - 1), "largest": int(not op.smallest)}
    made = out.node("TopK", [out.read(node.inputs[0], axes), count], 2, **place)
    values, wide = out.outputs_of(made)
    out.write(node.outputs[0], values, axes)
    out.write(node.outputs[1], out.node("Cast", [wide], to=DType.INT32.onnx), axes)


def _top_k(sig: Signature) -> tuple[Call, ...]:
    op, kind = sig.op, sig.inputs[0]
    assert isinstance(op, TopK)
    classes = kind.shape[-1]
    pixels = kind.elements // kind.rows // classes
    fields = {"pixels": pixels, "classes": classes, "k": op.k, "smallest": int(op.smallest)}
    if kind.quant is None:
        fields["kind"] = ordered_kind(kind.dtype)
    return (Call(fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """For each place of a pixel all of its classes are looked at; of other types than grids'."""
    kind, places = sig.inputs[0], sig.output.elements
    looks = places * kind.shape[-1]
    found: dict[str, float] = {"call": len(runs), "row": kind.rows, "place": places}
    found["pixel"] = kind.elements / max(1, kind.shape[-1])
    return found | {kind.dtype: looks}


OPS = (TopK,)
KERNELS = (
    Kernel(TopK, "mplan_top_k_s8", _top_k, types=TopK.types[0], work=_work),
    *(Kernel(TopK, "mplan_top_k_s64", _top_k, types=types, work=_work) for types in TopK.types[1:]),
)
READERS = {"TopK": read_top_k}
WRITERS = {TopK: write_top_k}
