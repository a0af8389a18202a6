# SPDX-License-Identifier: Apache-2.0
"""ArgMax and ArgMin over the last axis: int32 indices, which only outputs of a model may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, over_last
from mcuplan.ir.graph import Layout, Node
from mcuplan.ir.op import Call, Cost, Example, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._ordered import ORDERED, ordered, ordered_kind
from mcuplan.ops._read import inner, normal_axis
from mcuplan.ops.cast import Cast
from mcuplan.ops.movement import add_view

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "ArgExtreme"]


@dataclass(frozen=True, slots=True)
class ArgExtreme(Op):
    """Index of the largest (or smallest) element; of equal ones the first (or last)."""

    smallest: bool = False
    last: bool = False

    types = (
        Types(outputs=(DType.INT32,)),
        *(Types.whole([dtype], [DType.INT32]) for dtype in ORDERED),
    )

    @property
    def label(self) -> str:
        """The ONNX name."""
        return "ArgMin" if self.smallest else "ArgMax"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The last axis becomes one index."""
        return (TensorType((*inputs[0].shape[:-1], 1), DType.INT32),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis."""
        return over_last(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Indices; the order of integers is that of their real values."""
        return (self._indices(arrays[0]).astype(np.int32),)

    def _indices(self, values: Array) -> Array:
        values = ordered(values)
        seen = values[..., ::-1] if self.last else values
        found = (seen.argmin if self.smallest else seen.argmax)(axis=-1, keepdims=True)
        made: Array = values.shape[-1] - 1 - found if self.last else found
        return made

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One comparison for each element."""
        return Cost(ops=inputs[0].elements)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A vector, rows of pixels, columns of rows, one class; the smallest, the last."""
        for op, shape in [
            (cls(), (1, 10)),
            (cls(last=True), (1, 3, 4, 5)),
            (cls(smallest=True), (1, 7, 3)),
            (cls(True, True), (1, 2, 3, 300)),
            (cls(), (1, 1)),
        ]:
            yield Example(op, (shape,))
        for k, dtype in enumerate(ORDERED):
            op = cls(smallest=k % 2 == 0, last=k % 3 == 0)
            yield Example(op, ((1, 2, 3, 5),), types=(dtype,))


def read_arg_extreme(node: OnnxNode, build: Builder) -> None:
    """ArgMax or ArgMin over one axis."""
    name = node.input(0)
    shape = build.shape(name)
    axis = normal_axis(node.get_int("axis", 0), len(shape))
    op = ArgExtreme(node.op_type == "ArgMin", bool(node.get_int("select_last_index", 0)))
    layout = _in_order(build, name, axis)
    keep = node.get_int("keepdims", 1) == 1
    found = inner(node, "index")
    build.add(op, [build.in_layout(name, layout)], found, layout)
    made = node if keep else inner(node, "wide")
    build.add(Cast(DType.INT64), [build.in_layout(found.outputs[0], layout)], made, layout)
    if not keep:
        left = tuple(n for a, n in enumerate(shape) if a != axis)
        add_view(replace(node, inputs=made.outputs), build, left)


def _in_order(build: Builder, name: str, axis: int) -> Layout:
    """A layout that ends with the axis, the others in the model's order: indices never move."""
    rank = len(build.shape(name))
    wanted = [a for a in range(rank) if a != axis]
    for layout in build.layouts(name):
        if layout[-1] == axis and [a for a in layout[:-1] if a is not None] == wanted:
            return layout
    return (*wanted, axis)


def write_arg_extreme(node: Node, out: Writer) -> None:
    """ArgMax or ArgMin of wherever our last axis lies."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, ArgExtreme)
    place = {"axis": axes.index(len(axes) - 1), "select_last_index": int(op.last)}
    wide = out.node(op.label, [out.read(node.inputs[0], axes)], **place)
    out.write(node.output, out.node("Cast", [wide], to=DType.INT32.onnx), axes)


def _arg_extreme(sig: Signature) -> tuple[Call, ...]:
    op, kind = sig.op, sig.inputs[0]
    assert isinstance(op, ArgExtreme)
    classes = kind.shape[-1]
    fields = {"pixels": sig.output.elements // sig.output.rows, "classes": classes}
    if kind.quant is None:
        fields["kind"] = ordered_kind(kind.dtype)
    return (Call(fields | {"smallest": int(op.smallest), "last": int(op.last)}),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """A comparison for each element of a pixel but the first."""
    pixels, elements = sig.output.elements, sig.inputs[0].elements
    return {"call": len(runs), "row": sig.output.rows, "pixel": pixels, "step": elements - pixels}


OPS = (ArgExtreme,)
KERNELS = (
    Kernel(ArgExtreme, "mplan_arg_extreme_s8", _arg_extreme, types=ArgExtreme.types[0], work=_work),
    *(
        Kernel(ArgExtreme, "mplan_arg_extreme_s64", _arg_extreme, types=types, work=_work)
        for types in ArgExtreme.types[1:]
    ),
)
READERS = {"ArgMax": read_arg_extreme, "ArgMin": read_arg_extreme}
WRITERS = {ArgExtreme: write_arg_extreme}
