# SPDX-License-Identifier: Apache-2.0
"""Tensors joined along one axis."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, Window, each
from mcuplan.ir.graph import Layout, Node
from mcuplan.ir.op import Call, ConstArray, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import block_parts
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import layout_behind, normal_axis
from mcuplan.ops._strided import MOVED, split_rows
from mcuplan.ops._tables import apply_table, requantize_table

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Concat"]


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """Any number of inputs of one shape but for ``axis``.

    An input on another grid than the output is requantized by a table.
    """

    axis: int

    types = MOVED
    constants_on_output = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes along the axis add up; all others agree."""
        if self.axis == 0:
            raise UnsupportedOp("Concat along the batch axis", hint="join along another axis")
        first = list(inputs[0].shape)
        for kind in inputs:
            rest = [n for a, n in enumerate(kind.shape) if a != self.axis]
            if rest != [n for a, n in enumerate(first) if a != self.axis]:
                raise UnsupportedOp(f"Concat of shapes {first} and {list(kind.shape)}")
        first[self.axis] = sum(kind.shape[self.axis] for kind in inputs)
        return (TensorType(tuple(first), inputs[0].dtype),)

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of all inputs."""
        return min(low for low, _ in inputs), max(high for _, high in inputs)

    def join_offsets(
        self, inputs: Sequence[TensorType], output: TensorType
    ) -> tuple[int, ...] | None:
        """One after the other where only axes of size 1 lie outside of the joined one."""
        if math.prod(output.shape[: self.axis]) != 1:
            return None
        ends = accumulate(kind.nbytes for kind in inputs[:-1])
        return (0, *ends)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The axis from where the input begins on; others as they are."""
        starts = accumulate((shape[self.axis] for shape in inputs), initial=0)
        return tuple(
            (*own[: self.axis], Window(1, before=start), *own[self.axis + 1 :])
            for own, start in zip(each(inputs), starts, strict=False)
        )

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Joined arrays; a constant is repeated for every sample."""
        samples = max(len(a) for a in arrays)
        wide = [np.broadcast_to(a, (samples, *a.shape[1:])) for a in arrays]
        return (np.concatenate(wide, axis=self.axis),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Each input on the grid of the output, joined."""
        parts = []
        for array, kind in zip(arrays, sig.inputs, strict=True):
            table = _table(kind, sig.output)
            parts.append(array if table is None else apply_table(table, array))
        return self.reference(*parts)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Channels, columns, rows, vectors, a constant, three inputs, one input."""
        for axis, shapes in [
            (3, ((1, 3, 4, 2), (1, 3, 4, 5))),
            (2, ((1, 3, 4, 2), (1, 3, 1, 2), (1, 3, 2, 2))),
            (1, ((1, 3, 4, 2), (1, 2, 4, 2))),
            (1, ((1, 7), (1, 3))),
            (2, ((1, 3, 4), (1, 3, 2))),
            (1, ((1, 4, 2),)),
            (1, ((3, 2, 2), (3, 1, 2))),
        ]:
            yield Example(cls(axis), shapes)
        yield Example(cls(3), ((1, 2, 2, 3), (1, 2, 2, 1)), constants=(1,))


def _table(source: TensorType, output: TensorType) -> Array | None:
    """Requantization of an input, None where it lies on the grid of the output."""
    if source.quant is None or source.q == output.q:
        return None
    return requantize_table(source.q, output.q)


def _operand(build: Builder, name: str, layout: Layout, stem: str) -> str:
    constant = build.constant(name)
    if constant is None:
        return build.in_layout(name, layout)
    return build.constant_in_layout(constant, layout, constant.data.ndim, stem)


def read_concat(node: OnnxNode, build: Builder) -> None:
    """Concat in the layout of its largest input."""
    names = [name for name in node.inputs if name]
    axis = normal_axis(node.get_int("axis", 1), len(build.shape(names[0])))
    names = [name for name in names if build.shape(name)[axis]]
    layout = layout_behind(build, names, [axis])
    stem = node.outputs[0]
    inputs = [_operand(build, name, layout, f"{stem}_part") for name in names]
    build.add(Concat(layout.index(axis)), inputs, node, layout)


def _concat(sig: Signature) -> tuple[Call, ...]:
    """One call for each input."""
    op = sig.op
    assert isinstance(op, Concat)
    shape = sig.output.shape
    _, within = split_rows(shape)
    outside = len(shape) - len(within)  # axes before those inside a row
    joined = op.axis - outside  # below 0: whole rows are joined
    done, calls = 0, []
    for index, kind in enumerate(sig.inputs):
        size = kind.shape[op.axis]
        table = _table(kind, sig.output)
        rows, inside = split_rows(kind.shape)
        after = math.prod(within[max(joined, -1) + 1 :]) * kind.dtype.nbytes()
        fields: dict[str, Field] = {
            "table": None if table is None else ConstArray(DType.INT8, table, "tables"),
            "first_row": done if joined < 0 else 0,
            "row_count": rows,
            "blocks": math.prod(inside[: max(joined, 0)]),
            "block_bytes": size * after if joined >= 0 else after,
            "out_start": done * after if joined >= 0 else 0,
            "out_step": within[joined] * after if joined >= 0 else after,
        }
        calls.append(Call(fields, inputs=(index,)))
        done += size
    return tuple(calls)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Blocks that are copied, or looked up byte by byte."""
    found: Counter[str] = Counter()
    width = sig.output.dtype.nbytes()
    for call in _concat(sig):
        rows, blocks, size = (_count(call, k) for k in ("row_count", "blocks", "block_bytes"))
        copies = call.fields["table"] is None
        found.update({"call": len(runs), "row": rows})
        if copies:
            aligned = size % 4 == 0 and sig.output.channels * width % 4 == 0
            found.update(block_parts("block", rows * blocks, size, aligned=aligned))
        else:
            found.update({"block": rows * blocks, "looked_up": rows * blocks * size})
    return found


def _count(call: Call, name: str) -> int:
    value = call.fields[name]
    assert isinstance(value, int)
    return value


def write_concat(node: Node, out: Writer) -> None:
    """Concat in an order of axes in which the first input is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Concat)
    inputs = [out.read(name, axes) for name in node.inputs]
    value = out.node("Concat", inputs, axis=axes.index(op.axis))
    out.write(node.output, value, axes)


OPS = (Concat,)
KERNELS = tuple(
    Kernel(Concat, "mplan_concat_s8", _concat, types=types, cost_class="copy", work=_work)
    for types in Concat.types
)
READERS = {"Concat": read_concat}
WRITERS = {Concat: write_concat}
