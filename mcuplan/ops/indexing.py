# SPDX-License-Identifier: Apache-2.0
"""Gather and Scatter by indices that are read while the model runs.

Every index is defined: below 0 it counts from the end of its axis; one beyond an end reads that
end, and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import block_parts
from mcuplan.ir.writer import Writer
from mcuplan.ops._indexed import Walk, indexed_types, strides, within

__all__ = ["KERNELS", "OPS", "WRITERS", "Gather", "GatherElements", "GatherND", "Indexed"]


@dataclass(frozen=True, slots=True)
class Indexed(Op):
    """Input 0 is moved or left out, as input 1 says; input 0 may be a table in flash.

    ``table``: a field, the least and largest value of such a table, all of which may be picked.
    """

    types = indexed_types(2)
    quant_rule = QuantRule.PASS_THROUGH
    constants_on_output = True

    @property
    def table(self) -> tuple[float, float] | None:
        """Ends of what a table in flash holds."""
        return None

    @property
    def mixes(self) -> tuple[float, ...]:
        """Those, whichever of its values were picked when ranges were observed."""
        return self.table or ()

    def walk(self, data: Shape, indices: Shape) -> Walk:
        """How blocks of the output, or of the updates, find their places in the data."""
        raise NotImplementedError

    def places(self, data: Shape, indices: Array) -> tuple[Any, ...]:
        """Numpy's index of the same elements, from indices that are within their axes."""
        raise NotImplementedError

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """One sample at a time: data and indices have them, or one of the two."""
        return False

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Elements at indices that are brought within their axes."""
        data, indices = arrays
        sizes = [size for size, _ in self.walk(data.shape, indices.shape).axes]
        if len(sizes) == 1 and not isinstance(self, GatherND):
            inside = within(indices, sizes[0])
        else:
            inside = np.stack([within(indices[..., k], n) for k, n in enumerate(sizes)], -1)
        return (np.ascontiguousarray(data[self.places(data.shape, inside)]),)


@dataclass(frozen=True, slots=True)
class Gather(Indexed):
    """Slices of the data along one axis, in the shape of the indices."""

    axis: int
    table: tuple[float, float] | None = None

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The indices take the place of the axis."""
        data, indices = inputs[0].shape, inputs[1].shape
        made = (*data[: self.axis], *indices, *data[self.axis + 1 :])
        return (TensorType(made, inputs[0].dtype),)

    def walk(self, data: Shape, indices: Shape) -> Walk:
        """Blocks are what lies behind the axis."""
        block = math.prod(data[self.axis + 1 :])
        size = data[self.axis]
        outer = math.prod(data[: self.axis]), size * block, 0
        return Walk((outer, (math.prod(indices), 0, 1)), ((size, block),), block)

    def places(self, data: Shape, indices: Array) -> tuple[Any, ...]:
        """All of the axes before it."""
        return (*[slice(None)] * self.axis, indices)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Any index of the axis; the others, and those of the indices, where they went."""
        data, indices = inputs
        more = len(indices) - 1
        maps = [moved(a, a if a < self.axis else a + more) for a in range(len(data))]
        maps[self.axis] = ALL
        return tuple(maps), tuple(moved(a, a + self.axis) for a in range(len(indices)))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A table of rows, along each axis, one index."""
        for axis, data, indices in [
            (0, (5, 4), (1, 3)),
            (0, (6, 3), (1, 2, 2)),
            (1, (1, 5, 4), (3,)),
            (2, (1, 3, 4, 2), (2, 2)),
            (1, (1, 7), (1,)),
            (0, (4, 2, 3), (1,)),
        ]:
            yield Example(cls(axis), (data, indices))
        yield Example(cls(0), ((5, 4), (1, 3)), constants=(0,))


@dataclass(frozen=True, slots=True)
class GatherElements(Indexed):
    """An element for each index, at its position but for one axis."""

    axis: int
    table: tuple[float, float] | None = None

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The shape of the indices."""
        pairs = zip(inputs[0].shape, inputs[1].shape, strict=True)
        assert all(n >= m or a == self.axis for a, (n, m) in enumerate(pairs))
        return (TensorType(inputs[1].shape, inputs[0].dtype),)

    def walk(self, data: Shape, indices: Shape) -> Walk:
        """Single elements."""
        steps, own = strides(data), strides(indices)
        loops = [
            (indices[a], 0 if a == self.axis else steps[a], own[a]) for a in range(len(indices))
        ]
        return Walk(tuple(loops), ((data[self.axis], steps[self.axis]),), 1)

    def places(self, data: Shape, indices: Array) -> tuple[Any, ...]:
        """Every axis: the position, or the index."""
        found: list[Any] = list(np.indices(indices.shape, sparse=True))
        found[self.axis] = indices
        return tuple(found)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Any index of the axis."""
        maps = [ALL if a == self.axis else SAME for a in range(len(output))]
        return tuple(maps), (SAME,) * len(output)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Along each axis, of a part of the others."""
        for axis, data, indices in [
            (1, (1, 5), (1, 7)),
            (1, (1, 4, 3), (1, 2, 3)),
            (2, (1, 4, 3), (1, 3, 2)),
            (3, (1, 3, 2, 5), (1, 2, 2, 2)),
            (0, (3, 3), (2, 3)),
        ]:
            yield Example(cls(axis), (data, indices))


@dataclass(frozen=True, slots=True)
class GatherND(Indexed):
    """A block for each tuple of indices, behind axes that both have."""

    batch: int = 0
    table: tuple[float, float] | None = None

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The indices but for their last axis, and what the tuples leave of the data."""
        data, indices = inputs[0].shape, inputs[1].shape
        assert data[: self.batch] == indices[: self.batch]
        assert self.batch < len(indices)
        assert 1 <= indices[-1] <= len(data) - self.batch
        made = (*indices[:-1], *data[self.batch + indices[-1] :])
        return (TensorType(made, inputs[0].dtype),)

    def walk(self, data: Shape, indices: Shape) -> Walk:
        """Blocks are what the tuples leave."""
        depth, steps = indices[-1], strides(data)
        end = self.batch + depth
        tuples = math.prod(indices[self.batch : -1])
        outer = math.prod(data[: self.batch]), math.prod(data[self.batch :]), tuples * depth
        axes = [(data[a], steps[a]) for a in range(self.batch, end)]
        return Walk((outer, (tuples, 0, depth)), tuple(axes), math.prod(data[end:]))

    def places(self, data: Shape, indices: Array) -> tuple[Any, ...]:
        """The position along the axes that both have, then the tuple."""
        found = list(np.indices(indices.shape[:-1], sparse=True)[: self.batch])
        return (*found, *(indices[..., k] for k in range(indices.shape[-1])))

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The axes that both have; others of the indices where they are, what is left behind."""
        data, indices = inputs
        more = len(indices) - 1 - self.batch - indices[-1]
        maps = [
            SAME if a < self.batch else ALL if a < self.batch + indices[-1] else moved(a, a + more)
            for a in range(len(data))
        ]
        return tuple(maps), (*(SAME,) * (len(indices) - 1), ALL)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Whole tuples, parts of them, behind a batch."""
        for batch, data, indices in [
            (0, (3, 4), (5, 2)),
            (0, (3, 4, 2), (2, 3, 1)),
            (1, (1, 3, 4), (1, 2, 2)),
            (1, (2, 3, 4), (2, 1)),
            (2, (1, 2, 3, 4), (1, 2, 5, 1)),
        ]:
            yield Example(cls(batch), (data, indices))


def _gather(sig: Signature) -> tuple[Call, ...]:
    op, (data, indices) = sig.op, sig.inputs
    assert isinstance(op, Indexed)
    walk = op.walk(data.shape, indices.shape)
    return (Call(walk.fields(sig.output, indices, data), inputs=(0, 1)),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Blocks, their indices, and what is in them."""
    (call,) = sig.once(_gather)
    run, depth = call.fields["run"], call.fields["depth"]
    assert isinstance(run, int)
    assert isinstance(depth, int)
    blocks = sig.output.nbytes // run
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "index": blocks * depth,
        **block_parts("block", blocks, run, aligned=run % 4 == 0),
    }


def write_gather(node: Node, out: Writer) -> None:
    """The ONNX operator of the same name."""
    op, inputs = node.op, [out.read(name) for name in node.inputs]
    if isinstance(op, GatherND):  # which takes no other indices
        inputs[1] = out.node("Cast", [inputs[1]], to=DType.INT64.onnx)
    place = {"batch_dims": op.batch} if isinstance(op, GatherND) else {"axis": _axis(op)}
    out.write(node.output, out.node(op.label, inputs, **place))


def _axis(op: Op) -> int:
    assert isinstance(op, Gather | GatherElements)
    return op.axis


OPS = (Gather, GatherElements, GatherND)
KERNELS = tuple(
    Kernel(op, "mplan_gather_s8", _gather, types=types, cost_class="copy", work=_work)
    for op in OPS
    for types in op.types
)
WRITERS = dict.fromkeys(OPS, write_gather)
