# SPDX-License-Identifier: Apache-2.0
"""CumSum: sums up to each element along one axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, over_last
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._broadcast import INTEGERS, integer_kind
from mcuplan.ops._read import held_ending_with, int_list, normal_axis
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "CumSum"]


@dataclass(frozen=True, slots=True)
class CumSum(Op):
    """Sums of the elements of the last axis up to each of them, or from each on."""

    exclusive: bool = False
    reverse: bool = False

    inplace_inputs = (0,)
    types = (
        Types(),
        Types.all(DType.FLOAT32),
        *(Types.whole([dtype], [dtype]) for dtype in INTEGERS),
    )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape and type."""
        return (TensorType(inputs[0].shape, inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the last axis."""
        return over_last(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """One element after the other, in their type."""
        x = arrays[0][..., ::-1] if self.reverse else arrays[0]
        made, total = np.empty_like(x), np.zeros(x.shape[:-1], x.dtype)
        with np.errstate(all="ignore"):
            for i in range(x.shape[-1]):
                before, total = total, total + x[..., i]
                made[..., i] = before if self.exclusive else total
        return (made[..., ::-1] if self.reverse else made,)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """On grids exact sums, each requantized once."""
        source, output = sig.inputs[0].quant, sig.output.quant
        if source is None or output is None:
            return self.reference(*arrays)
        (sums,) = self.reference(arrays[0].astype(np.int64) - source.z)
        return (requantize(sums, *_factors(sig), output.z),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Both ways, with and without the element itself; a vector, rows, pixels."""
        yield Example(cls(), ((1, 9),))
        yield Example(cls(exclusive=True), ((1, 4, 5),))
        yield Example(cls(reverse=True), ((1, 3, 2, 6),))
        yield Example(cls(exclusive=True, reverse=True), ((1, 2, 7),))
        for dtype in INTEGERS:
            yield Example(cls(exclusive=True), ((1, 4, 5),), types=(dtype,))


def _factors(sig: Signature) -> tuple[int, int]:
    """Multiplier and left shift of a sum.

    Raises:
        UnsupportedOp: more elements than sums of 32 bits hold.
    """
    bound = sig.inputs[0].shape[-1] * sig.inputs[0].q.dtype.steps
    if bound >= 1 << 31:
        raise UnsupportedOp("a sum beyond 32 bits", hint="add up fewer elements")
    return requantize_factors(sig.inputs[0].q.s / sig.output.q.s, bound)


def read_cum_sum(node: OnnxNode, build: Builder) -> None:
    """CumSum along a constant axis."""
    name = node.input(0)
    rank = len(build.shape(name))
    (axis,) = int_list(node, build, 1, "axis") or (0,)
    axis = normal_axis(axis, rank)
    held = held_ending_with(build, name, axis)
    layout = held or (None, *(a for a in range(rank) if a != axis), axis)
    op = CumSum(node.get_int("exclusive", 0) == 1, node.get_int("reverse", 0) == 1)
    build.add(op, [build.in_layout(name, layout)], node, layout)


def write_cum_sum(node: Node, out: Writer) -> None:
    """CumSum along wherever our last axis lies."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, CumSum)
    place = out.constant("axis", np.array(axes.index(len(axes) - 1), np.int64))
    given = [out.read(node.inputs[0], axes), place]
    flags = {"exclusive": int(op.exclusive), "reverse": int(op.reverse)}
    out.write(node.output, out.node("CumSum", given, **flags), axes)


def _fields(sig: Signature) -> dict[str, Field]:
    op, kind = sig.op, sig.output
    assert isinstance(op, CumSum)
    elements = kind.shape[-1]
    return {
        "pixels": kind.elements // kind.rows // elements,
        "elements": elements,
        "exclusive": int(op.exclusive),
        "reverse": int(op.reverse),
    }


def _plain(sig: Signature) -> tuple[Call, ...]:
    dtype = sig.output.dtype
    kind = {} if dtype.is_float else {"kind": integer_kind(dtype)}
    return (Call(_fields(sig) | kind),)


def _on_grid(sig: Signature) -> tuple[Call, ...]:
    multiplier, pre_shift = _factors(sig)
    fields: dict[str, Field] = {
        "multiplier": multiplier,
        "pre_shift": pre_shift,
        "in_zero_point": sig.inputs[0].q.z,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(_fields(sig) | fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Sums, and their elements, by the type."""
    out = sig.output
    sums = out.elements // max(1, out.channels)
    return {"call": len(runs), "row": out.rows, "sum": sums, out.dtype: out.elements}


OPS = (CumSum,)
KERNELS = (
    Kernel(CumSum, "mplan_cum_sum_s8", _on_grid, types=CumSum.types[0], work=_work),
    Kernel(CumSum, "mplan_cum_sum_f32", _plain, types=CumSum.types[1], work=_work),
    *(
        Kernel(CumSum, "mplan_cum_sum_s64", _plain, types=types, work=_work)
        for types in CumSum.types[2:]
    ),
)
READERS = {"CumSum": read_cum_sum}
WRITERS = {CumSum: write_cum_sum}
