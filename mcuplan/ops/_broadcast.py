# SPDX-License-Identifier: Apache-2.0
"""Operators of operands that broadcast: shapes, and the loops that kernels run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import NO_CLAMP, Example, Field, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import inner
from mcuplan.ops._strided import split_rows
from mcuplan.ops.fields import clamp_fields, float_clamped, float_limits
from mcuplan.ops.movement import add_view

__all__ = [
    "INTEGERS",
    "Binary",
    "Broadcast",
    "act_fields",
    "add_broadcast",
    "broadcast_work",
    "clamped",
    "integer_kind",
    "loop_fields",
    "loops",
    "write_broadcast",
]

INTEGERS = (DType.INT8, DType.UINT8, DType.INT32, DType.INT64)
"""Types of integers, on no grid, that are computed with."""

_SIGNED = 16


def integer_kind(dtype: DType) -> int:
    """How `mplan_integers.h` names a type of integers: its bytes, 16 more with a sign."""
    return dtype.nbytes() + (_SIGNED if dtype.sort == "s" else 0)


@dataclass(frozen=True, slots=True)
class Broadcast(Op):
    """Operands of one rank, sizes of 1 repeated as numpy does, element by element."""

    made_type: ClassVar[DType | None] = None  # of the result; None: that of the last operand

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Shape of the broadcast result."""
        shapes = [kind.shape for kind in inputs]
        said = " and ".join(str(list(shape)) for shape in shapes)
        if len({len(shape) for shape in shapes}) > 1:
            raise UnsupportedOp(f"{self.label} of shapes {said}")
        sizes = [{*axis} - {1} or {1} for axis in zip(*shapes, strict=True)]
        if any(len(size) > 1 for size in sizes):
            raise UnsupportedOp(f"{self.label} of shapes {said}")
        shape = tuple(next(iter(size)) for size in sizes)
        loops(shape, shapes)
        return (TensorType(shape, self.made_type or inputs[-1].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The same position, of an axis of 1 the only one."""
        return each(inputs)


@dataclass(frozen=True, slots=True)
class Binary(Broadcast):
    """Two operands, and limits of an activation; integers on no grid keep their low bits."""

    act: tuple[float, float] = NO_CLAMP

    fuses_activation = True
    inplace_inputs = (0, 1)
    types = (Types(), Types.all(DType.FLOAT32), *(Types.whole([d], [d]) for d in INTEGERS))

    def value(self, a: Array, b: Array) -> Array:
        """The operator's meaning on real numbers, and on integers."""
        raise NotImplementedError

    def on_grid(self, sig: Signature, a: Array, b: Array) -> Array:
        """Its meaning on int8 values of grids."""
        raise NotImplementedError

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Result within the limits of the activation, in the type of the operands."""
        with np.errstate(all="ignore"):
            made = self.value(*arrays)
            if arrays[0].dtype.kind == "f":
                made = clamped(made, self.act)
        return (made.astype(arrays[0].dtype if arrays[0].dtype.kind != "f" else np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """On grids, or plain integers."""
        if sig.output.quant is None:
            return self.reference(*arrays)
        return (self.on_grid(sig, *arrays),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """On grids, where it is there, and integers; one shape, scalars, rows, channels, clamps."""
        full = (1, 4, 3, 5)
        if Types() in cls.types:
            yield from cls._real_examples()
        else:
            real = (DType.FLOAT32,) * 2
            for a, b, op in [
                (full, full, cls()),
                (full, (1, 1, 1, 5), cls((0.0, 6.0))),
                ((1, 4, 1, 1), (1, 1, 3, 5), cls()),
                ((1, 7), (1, 1), cls()),
            ]:
                yield Example(op, (a, b), types=real)
        for dtype in INTEGERS:
            yield Example(cls(), (full, full), types=(dtype, dtype))
            yield Example(cls(), ((1, 1, 3, 1), (1, 4, 3, 5)), types=(dtype, dtype))
        yield Example(cls(), ((1, 7), (1, 1)), (1,), (DType.INT64,) * 2)

    @classmethod
    def _real_examples(cls) -> Iterable[Example]:
        """One shape, scalars, rows, columns and channels, either side, constants, clamps."""
        full = (1, 4, 3, 5)
        relu6 = cls((0.0, 6.0))
        for a, b, op in [
            (full, full, cls()),
            (full, full, relu6),
            (full, (1, 1, 1, 5), cls()),
            ((1, 1, 1, 5), full, relu6),
            (full, (1, 4, 3, 1), cls()),
            (full, (1, 1, 1, 1), cls()),
            ((1, 4, 1, 1), (1, 1, 3, 5), cls()),
            ((1, 4, 3, 1), (1, 1, 1, 5), cls()),
            ((1, 1, 3, 5), (1, 4, 3, 5), cls()),
            ((1, 7), (1, 7), cls((-1.0, 1.0))),
            ((1, 7), (1, 1), cls()),
            ((1, 2, 3, 2, 4), (1, 2, 1, 2, 1), cls()),
            ((1, 2, 2, 3, 4), (1, 1, 2, 1, 4), cls()),
            ((3, 2, 2), (3, 2, 2), cls()),
        ]:
            yield Example(op, (a, b))
        yield Example(cls(), (full, (1, 1, 1, 5)), constants=(1,))
        yield Example(cls(), (full, full), constants=(0,))
        yield Example(cls(), ((1, 4, 3, 5), (1, 4, 1, 1)), constants=(1,))


def clamped(values: Array, act: tuple[float, float]) -> Array:
    """Real values within the limits of an activation, where there is one."""
    return values if act == NO_CLAMP else float_clamped(values, act)


Loops = list[tuple[int, ...]]
"""Rounds, and elements from one round to the next in each operand; outermost first."""


def loops(shape: Sequence[int], operands: Sequence[Sequence[int]]) -> Loops:
    """The loops inside an output row.

    Raises:
        UnsupportedOp: the operands need more loops than the kernels have.
    """
    _, within = split_rows(shape)
    first = len(shape) - len(within)
    said = " and ".join(str(list(operand)) for operand in operands)
    if first == 0 and len(shape) > 2 and any(tuple(o) != tuple(shape) for o in operands):
        raise UnsupportedOp(f"broadcast of {said} without a batch axis of 1")
    found: Loops = []
    for axis in range(first, len(shape)):
        if shape[axis] == 1:
            continue
        count = shape[axis]
        steps = [0 if s[axis] == 1 else math.prod(s[axis + 1 :]) for s in operands]
        last = found[-1] if found else None
        if last and last[1:] == tuple(count * step for step in steps):
            found[-1] = (last[0] * count, *steps)
        else:
            found.append((count, *steps))
    if len(found) > 3:
        raise UnsupportedOp(f"broadcast of {said}", hint="use fewer axes")
    return [(1, *(0 for _ in operands))] * (3 - len(found)) + found


def loop_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that every kernel of several operands has."""
    out = sig.output
    names = ["in", *(f"in{k}" for k in range(2, len(sig.inputs) + 1))]
    fields: dict[str, Field] = {
        f"{name}_moves": int(kind.rows == out.rows)
        for name, kind in zip(names, sig.inputs, strict=True)
    }
    for level, loop in zip(("outer", "middle", "inner"), loops(out.shape, sig.shapes), strict=True):
        fields[level] = loop[0]
        fields |= {f"{n}_{level}": step for n, step in zip(names, loop[1:], strict=True)}
    return fields


def act_fields(sig: Signature) -> dict[str, Field]:
    """Limits of the activation: on the grid of the output, or real."""
    if sig.output.quant is not None:
        return clamp_fields(sig)
    return float_limits(sig.op.act) | {"clamped": int(sig.op.act != NO_CLAMP)}


def add_broadcast(op: Op, names: Sequence[str], node: OnnxNode, build: Builder) -> None:
    """An operator on all operands as tensors of one rank, in a layout of the largest activation.

    Where the first axis is no batch of 1 and an operand is repeated, there is one before it.
    """
    shapes = [build.shape(name) for name in names]
    rank = max(map(len, shapes))
    wide = list(names)
    for side, name in enumerate(names):
        missing = rank - len(shapes[side])
        if missing and build.constant(name) is None:
            seen = inner(replace(node, inputs=(name,)), f"wide{side}")
            add_view(seen, build, (1,) * missing + shapes[side])
            wide[side] = seen.outputs[0]
    layout = build.preferred_layout(wide)
    if None not in layout and rank and layout[0] is not None:
        sizes = {(1,) * (rank - len(shape)) + shape for shape in shapes}
        if len(sizes) > 1 and any(shape[layout[0]] != 1 for shape in sizes):
            layout = (None, *layout)
    inputs = []
    for name in wide:
        value = build.constant(name)
        if value is None:
            inputs.append(build.in_layout(name, layout))
        else:
            stem = f"{node.outputs[0]}_operand"
            inputs.append(build.constant_in_layout(value, layout, rank, stem))
    build.add(op, inputs, node, layout)


def write_broadcast(node: Node, out: Writer, onnx: str) -> None:
    """An ONNX operator of such operands, in an order of axes in which the largest is held."""
    op = node.op
    largest = max(node.inputs, key=lambda name: math.prod(out.shape(name)))
    axes = out.orders(largest)[0]
    value = out.node(onnx, [out.read(name, axes) for name in node.inputs])
    out.write(node.output, out.clamped(value, op.act), axes)


def broadcast_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Innermost loops and their elements; of integers, what is taken and put too."""
    assert isinstance(sig.op, Broadcast)
    out, read, made = sig.output, sig.inputs[-1], sig.op.made_type
    rounds = [loop[0] for loop in loops(out.shape, sig.shapes)]
    found: dict[str, float] = {
        "call": len(runs),
        "row": out.rows,
        "line": out.elements / max(1, rounds[-1]),
        "related" if made is DType.BOOL else sig.op.label.lower(): out.elements,
        "clamped": out.elements if sig.op.act != NO_CLAMP else 0,
    }
    if read.quant is None and not read.dtype.is_float:
        found[read.dtype] = out.elements
    return found
