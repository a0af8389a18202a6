# SPDX-License-Identifier: Apache-2.0
"""Operators of two operands that broadcast: shapes, and the loops that kernels run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import NO_CLAMP, Example, Field, Op, Signature
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer
from mcuplan.ops._strided import split_rows
from mcuplan.quant.requantize import act_limits

__all__ = ["Binary", "loop_fields", "write_binary"]


@dataclass(frozen=True, slots=True)
class Binary(Op):
    """Two operands of one rank, sizes of 1 repeated as numpy does; limits of an activation."""

    act: tuple[float, float] = NO_CLAMP

    fuses_activation = True
    inplace_inputs = (0, 1)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Shape of the broadcast result."""
        a, b = inputs[0].shape, inputs[1].shape
        if len(a) != len(b) or any(n != m and 1 not in (n, m) for n, m in zip(a, b, strict=True)):
            raise UnsupportedOp(f"{self.label} of shapes {list(a)} and {list(b)}")
        shape = tuple(max(n, m) for n, m in zip(a, b, strict=True))
        _loops(shape, a, b)
        return (TensorType(shape),)

    def value(self, a: Array, b: Array) -> Array:
        """The operator's meaning on real numbers."""
        raise NotImplementedError

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The same position, of an axis of 1 the only one."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float result within the limits of the activation."""
        with np.errstate(all="ignore"):
            return (np.clip(self.value(*arrays), *self.act).astype(np.float32),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
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


_Loops = list[tuple[int, int, int]]
"""Rounds, and elements from one round to the next in each operand; outermost first."""


def _loops(shape: Sequence[int], a: Sequence[int], b: Sequence[int]) -> _Loops:
    """The loops inside an output row.

    Raises:
        UnsupportedOp: the operands need more loops than the kernels have.
    """
    _, within = split_rows(shape)
    first = len(shape) - len(within)
    if first == 0 and len(shape) > 2 and not tuple(a) == tuple(b) == tuple(shape):
        raise UnsupportedOp(f"broadcast of {list(a)} and {list(b)} without a batch axis of 1")
    found: _Loops = []
    for axis in range(first, len(shape)):
        if shape[axis] == 1:
            continue
        count = shape[axis]
        steps = [0 if s[axis] == 1 else math.prod(s[axis + 1 :]) for s in (a, b)]
        last = found[-1] if found else None
        if last and last[1:] == (count * steps[0], count * steps[1]):
            found[-1] = (last[0] * count, steps[0], steps[1])
        else:
            found.append((count, steps[0], steps[1]))
    if len(found) > 3:
        raise UnsupportedOp(f"broadcast of {list(a)} and {list(b)}", hint="use fewer axes")
    return [(1, 0, 0)] * (3 - len(found)) + found


def loop_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that every kernel of two operands has."""
    a, b, out = sig.inputs[0], sig.inputs[1], sig.output
    fields: dict[str, Field] = {
        "in_moves": int(a.rows == out.rows),
        "in2_moves": int(b.rows == out.rows),
    }
    for name, loop in zip(
        ("outer", "middle", "inner"), _loops(out.shape, a.shape, b.shape), strict=True
    ):
        fields |= {name: loop[0], f"in_{name}": loop[1], f"in2_{name}": loop[2]}
    act_min, act_max = act_limits(sig.output.q, sig.op.act)
    return fields | {"out_zero_point": out.q.z, "act_min": act_min, "act_max": act_max}


def write_binary(node: Node, out: Writer, onnx: str) -> None:
    """An ONNX operator of two operands, in an order of axes in which the larger is held."""
    op = node.op
    assert isinstance(op, Binary)
    larger = max(node.inputs, key=lambda name: math.prod(out.shape(name)))
    axes = out.orders(larger)[0]
    value = out.node(onnx, [out.read(name, axes) for name in node.inputs])
    out.write(node.output, out.clamped(value, op.act), axes)
