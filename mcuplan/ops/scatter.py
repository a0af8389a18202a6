# SPDX-License-Identifier: Apache-2.0
"""A tensor with elements of another one put, or reduced into it, where indices say.

Indices below 0 count from the end of their axis; those beyond an end put nothing. The updates
come in their order: of several in one place the last one stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, plain
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Cost, Example, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import block_parts
from mcuplan.ir.writer import Writer
from mcuplan.ops._indexed import Walk, index_operand, indexed_types, operand, strides
from mcuplan.ops._read import normal_axis

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Scatter", "ScatterReduced"]

_REDUCED = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
"""In the order of the kernel's ``reduction``."""


@dataclass(frozen=True, slots=True)
class Scatter(Op):
    """Data, indices, updates: elements along ``axis``, or blocks by tuples where that is None."""

    axis: int | None

    types = tuple(
        replace(types, grids=frozenset({False}))  # updates of another grid are no updates
        for types in sorted(indexed_types(3), key=lambda types: not types.outputs[0].is_float)
    )
    inplace_inputs = (0,)

    @property
    def label(self) -> str:
        """The ONNX operator."""
        return "ScatterND" if self.axis is None else "ScatterElements"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """That of the data; the updates have the shape that the indices ask for."""
        data, indices, updates = (kind.shape for kind in inputs)
        if self.axis is None:
            depth = indices[-1]
            assert 1 <= depth <= len(data)
            assert updates == (*indices[:-1], *data[depth:]), f"updates {list(updates)}"
        else:
            assert updates == indices, f"updates {list(updates)} at {list(indices)}"
            pairs = zip(data, indices, strict=True)
            assert all(n >= m or a == self.axis for a, (n, m) in enumerate(pairs))
        return (TensorType(data, inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The same position of the data, and any of the updates."""
        data, *others = inputs
        return ((SAME,) * len(data), *((ALL,) * len(shape) for shape in others))

    def walk(self, data: Shape, indices: Shape) -> Walk:
        """How blocks of the updates find their places in the data."""
        steps, own = strides(data), strides(indices)
        if self.axis is None:
            depth = indices[-1]
            axes = tuple(zip(data[:depth], steps[:depth], strict=True))
            return Walk(((math.prod(indices[:-1]), 0, depth),), axes, math.prod(data[depth:]))
        loops = [(n, 0 if a == self.axis else steps[a], own[a]) for a, n in enumerate(indices)]
        return Walk(tuple(loops), ((data[self.axis], steps[self.axis]),), 1)

    def _places(self, data: Shape, indices: Array) -> tuple[Array, Array]:
        """Element of the data at which each block begins, and whether there is one."""
        whole = indices.astype(np.int64)
        if self.axis is None:
            sizes = np.array(data[: whole.shape[-1]])
            found = np.where(whole < 0, whole + sizes, whole)
            inside = ((found >= 0) & (found < sizes)).all(-1)
            places = (found * strides(data)[: whole.shape[-1]]).sum(-1)
        else:
            size = data[self.axis]
            found = np.where(whole < 0, whole + size, whole)
            inside = (found >= 0) & (found < size)
            at: list[Array] = list(np.indices(whole.shape))
            at[self.axis] = found
            places = np.tensordot(strides(data), at, 1)
        return places.reshape(-1), inside.reshape(-1)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Updates one after the other."""
        data, indices, updates = arrays
        places, inside = self._places(data.shape, indices)
        made = data.reshape(-1).copy()
        blocks = updates.reshape(len(places), -1)
        at = places[inside][:, None] + np.arange(blocks.shape[1])
        with np.errstate(all="ignore"):
            self._put(made, at, blocks[inside])
        return (made.reshape(data.shape),)

    def _put(self, made: Array, at: Array, values: Array) -> None:
        for place, value in zip(at, values, strict=True):
            made[place] = value

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """One sample at a time."""
        return False

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One move for each element of the data and of the updates."""
        return Cost(ops=inputs[0].elements + inputs[2].elements)

    @classmethod
    def _shapes(cls) -> Iterable[tuple[int | None, tuple[Shape, ...]]]:
        yield 1, ((1, 5), (1, 3), (1, 3))
        yield 2, ((1, 3, 4), (1, 2, 6), (1, 2, 6))
        yield 0, ((3, 3), (2, 3), (2, 3))
        yield 3, ((1, 3, 2, 4), (1, 2, 2, 2), (1, 2, 2, 2))
        yield None, ((1, 4, 3), (2, 2), (2, 3))
        yield None, ((4, 4), (3, 1), (3, 4))
        yield None, ((1, 2, 3, 2), (2, 2, 4), (2, 2))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Along each axis, by whole tuples and by parts of them."""
        for axis, shapes in cls._shapes():
            yield Example(cls(axis), shapes)


@dataclass(frozen=True, slots=True)
class ScatterReduced(Scatter):
    """What is there is reduced with what comes; integer sums and products wrap."""

    reduction: str = "add"

    types = tuple(
        t for t in Scatter.types if t.outputs[0] in (DType.FLOAT32, DType.INT32, DType.INT64)
    )

    def _put(self, made: Array, at: Array, values: Array) -> None:
        _REDUCED[self.reduction].at(made, at, values)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Every reduction."""
        for k, (axis, shapes) in enumerate(cls._shapes()):
            yield Example(cls(axis, [*_REDUCED][k % len(_REDUCED)]), shapes)


def _scatter(sig: Signature) -> tuple[Call, ...]:
    op, (data, indices, updates) = sig.op, sig.inputs
    assert isinstance(op, Scatter)
    fields = op.walk(data.shape, indices.shape).fields(updates, indices, data)
    run = fields["run"]
    assert isinstance(run, int)
    del fields["row_blocks"]
    fields |= {"blocks": updates.nbytes // run, "in3_row_bytes": updates.row_bytes}
    if isinstance(op, ScatterReduced):
        fields["reduction"] = [*_REDUCED].index(op.reduction)
    return (Call(fields | {"reduction": fields.get("reduction", 0)}, inputs=(0, 1, 2)),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Rows copied; for each call all indices, and what is put."""
    (call,) = sig.once(_scatter)
    run, depth, blocks = (call.fields[key] for key in ("run", "depth", "blocks"))
    assert isinstance(run, int)
    assert isinstance(depth, int)
    assert isinstance(blocks, int)
    row = sig.output.row_bytes
    found: dict[str, float] = {"call": len(runs), "index": blocks * depth * len(runs)}
    found |= block_parts("row", sig.output.rows, row, aligned=row % 4 == 0)
    if isinstance(sig.op, ScatterReduced):
        return found | {"block": blocks, "reduced": sig.inputs[2].elements}
    return found | block_parts("block", blocks, run, aligned=run % 4 == 0)


def read_scatter(node: OnnxNode, build: Builder) -> None:
    """ScatterElements, its older name Scatter, and ScatterND."""
    rank = len(build.shape(node.input(0)))
    reduction = node.get_str("reduction", "none")
    if reduction not in ("none", *_REDUCED):
        raise UnsupportedOp(f"reduction={reduction}", hint=f"use one of {', '.join(_REDUCED)}")
    axis = None
    if node.op_type != "ScatterND":
        axis = normal_axis(node.get_int("axis", 0), rank)
    if build.shape(node.input(1)) == ():
        raise DamagedModel("indices without an axis")
    op = Scatter(axis) if reduction == "none" else ScatterReduced(axis, reduction)
    stem = node.outputs[0]
    inputs = [
        operand(build, node.input(0), f"{stem}_data"),
        index_operand(build, node.input(1), f"{stem}_indices"),
        operand(build, node.input(2), f"{stem}_updates"),
    ]
    build.add(op, inputs, node, plain(rank))


def write_scatter(node: Node, out: Writer) -> None:
    """The ONNX operator of the same name."""
    op, inputs = node.op, [out.read(name) for name in node.inputs]
    assert isinstance(op, Scatter)
    reduction = op.reduction if isinstance(op, ScatterReduced) else "none"
    if op.axis is None:
        value = out.node("ScatterND", inputs, reduction=reduction)
    else:
        value = out.node("ScatterElements", inputs, axis=op.axis, reduction=reduction)
    out.write(node.output, value)


OPS = (Scatter, ScatterReduced)
KERNELS = (
    *(Kernel(Scatter, "mplan_scatter_s8", _scatter, types=t, work=_work) for t in Scatter.types),
    *(
        Kernel(
            ScatterReduced, f"mplan_scatter_{t.outputs[0].suffix}", _scatter, types=t, work=_work
        )
        for t in ScatterReduced.types
    ),
)
READERS = dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), read_scatter)
WRITERS = {Scatter: write_scatter, ScatterReduced: write_scatter}
