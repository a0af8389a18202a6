# SPDX-License-Identifier: Apache-2.0
"""Truth values of two tensors, element by element: comparisons, And, Or and Xor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from types import MappingProxyType

import numpy as np

from mcuplan.ir.builder import Builder, Constant, OnnxNode, Reader
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Example, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType, Quant, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._broadcast import (
    INTEGERS,
    Broadcast,
    add_broadcast,
    broadcast_work,
    integer_kind,
    loop_fields,
    write_broadcast,
)

__all__ = ["KERNELS", "OPS", "READERS", "RELATIONS", "WRITERS", "Compare", "Logic"]

_LESS, _EQUAL, _GREATER = 1, 2, 4  # as mplan_relations.h has them
RELATIONS: Mapping[str, int] = MappingProxyType(
    {
        "Equal": _EQUAL,
        "Greater": _GREATER,
        "GreaterOrEqual": _GREATER | _EQUAL,
        "Less": _LESS,
        "LessOrEqual": _LESS | _EQUAL,
    }
)
"""Comparisons of ONNX, and how operands may stand to each other where one holds."""

_LOGIC: Mapping[str, tuple[int, Callable[[Array, Array], Array]]] = MappingProxyType(
    {"And": (9, np.logical_and), "Or": (10, np.logical_or), "Xor": (11, np.logical_xor)}
)
"""Numbers of mplan_binary_s64.h, and meanings."""

_COMPARE = 12
"""That of comparisons."""

_CODES = DType.INT8.codes


@dataclass(frozen=True, slots=True)
class Compare(Broadcast):
    """Whether the first operand stands to the second in one of some relations."""

    relation: str

    types = (
        Types(outputs=(DType.BOOL,)),
        Types((DType.FLOAT32,), (DType.BOOL,)),
        *(Types.whole([dtype], [DType.BOOL]) for dtype in (*INTEGERS, DType.BOOL)),
    )
    made_type = DType.BOOL

    @property
    def label(self) -> str:
        """The ONNX name."""
        return self.relation

    def limits(self, inputs: object) -> tuple[float, float]:
        """False or true."""
        return 0.0, 1.0

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """False wherever an operand is no number."""
        wanted = RELATIONS[self.relation]
        a, b = arrays
        pairs = ((_LESS, a < b), (_EQUAL, a == b), (_GREATER, a > b))
        return (reduce(np.logical_or, (found for bit, found in pairs if bit & wanted)),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """The real values of grids, exactly; others as they are."""
        if sig.inputs[0].quant is None:
            return self.reference(*arrays)
        first, end = bounds(sig.inputs[0].q, sig.inputs[1].q)
        place = arrays[0].astype(np.int64) - DType.INT8.low
        below, above = arrays[1] < first[place], arrays[1] >= end[place]
        return self.reference(np.where(below, 1, np.where(above, -1, 0)), np.array(0))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Every comparison; one shape, channels, a number on either side."""
        full = (1, 4, 3, 5)
        for name in RELATIONS:
            yield Example(cls(name), (full, full))
        yield Example(cls("Less"), (full, (1, 1, 1, 5)))
        yield Example(cls("Greater"), ((1, 1, 1, 1), full), constants=(0,))
        yield Example(cls("Equal"), ((1, 7), (1, 7)))
        for dtype, name in zip((*INTEGERS, DType.BOOL), RELATIONS, strict=True):
            yield Example(cls(name), (full, (1, 1, 3, 1)), types=(dtype, dtype))


@dataclass(frozen=True, slots=True)
class Logic(Broadcast):
    """And, Or or Xor of truth values."""

    name: str

    types = (Types.whole([DType.BOOL], [DType.BOOL]),)
    inplace_inputs = (0, 1)

    @property
    def label(self) -> str:
        """The ONNX name."""
        return self.name

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Of truth values."""
        return (_LOGIC[self.name][1](*arrays),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Each of them; one shape, channels, the same for all."""
        full, truth = (1, 4, 3, 5), (DType.BOOL,) * 2
        for name in _LOGIC:
            yield Example(cls(name), (full, full), types=truth)
        yield Example(cls("And"), ((1, 1, 3, 1), full), types=truth)
        yield Example(cls("Xor"), (full, (1, 1, 1, 1)), (1,), truth)


def bounds(a: Quant, b: Quant) -> tuple[Array, Array]:
    """For each code of one grid the first code of another that is not below it, and not above.

    Int16 [256] each: compared as the real numbers that the float32 scales are, without rounding.
    """
    steps = Fraction(a.s) / Fraction(b.s)
    places = [(int(code) - a.z) * steps + b.z for code in _CODES]
    first = [-((-place.numerator) // place.denominator) for place in places]
    end = [place.numerator // place.denominator + 1 for place in places]
    low, high = DType.INT8.low, DType.INT8.high + 1
    made = (np.clip(np.array(codes, object), low, high) for codes in (first, end))
    below, above = (codes.astype(np.int16) for codes in made)
    return below, above


# -- readers and writers ------------------------------------------------------------------


def _comparison(node: OnnxNode, build: Builder) -> None:
    add_broadcast(Compare(node.op_type), node.inputs[:2], node, build)


def _logic(node: OnnxNode, build: Builder) -> None:
    add_broadcast(Logic(node.op_type), node.inputs[:2], node, build)


def read_not(node: OnnxNode, build: Builder) -> None:
    """What true is not."""
    true = f"{node.outputs[0]}\0true"
    build.constants[true] = Constant(np.array(True))
    add_broadcast(Logic("Xor"), (node.input(0), true), node, build)


def write_compare(node: Node, out: Writer) -> None:
    """The ONNX operator of the name."""
    write_broadcast(node, out, node.op.label)


# -- kernels ------------------------------------------------------------------------------


def _on_grids(sig: Signature) -> tuple[Call, ...]:
    first, end = bounds(sig.inputs[0].q, sig.inputs[1].q)
    fields: dict[str, Field] = {
        "first": ConstArray(DType.INT16, first, "tables"),
        "end": ConstArray(DType.INT16, end, "tables"),
    }
    return (Call(loop_fields(sig) | _what(sig) | fields, inputs=(0, 1)),)


def _what(sig: Signature) -> dict[str, Field]:
    assert isinstance(sig.op, Compare)
    return {"what": RELATIONS[sig.op.relation]}


def _real(sig: Signature) -> tuple[Call, ...]:
    return (Call(loop_fields(sig) | _what(sig), inputs=(0, 1)),)


def _whole(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "in_kind": integer_kind(sig.inputs[0].dtype),
        "out_kind": integer_kind(DType.BOOL),
    }
    if isinstance(sig.op, Logic):
        fields |= {"what": _LOGIC[sig.op.name][0]}
    else:
        fields |= {"what": _COMPARE, "relations": _what(sig)["what"]}
    return (Call(loop_fields(sig) | fields, inputs=(0, 1)),)


OPS = (Compare, Logic)
KERNELS = (
    Kernel(Compare, "mplan_compare_s8", _on_grids, types=Compare.types[0], work=broadcast_work),
    Kernel(Compare, "mplan_compare_f32", _real, types=Compare.types[1], work=broadcast_work),
    *(
        Kernel(Compare, "mplan_binary_s64", _whole, types=types, work=broadcast_work)
        for types in Compare.types[2:]
    ),
    Kernel(Logic, "mplan_binary_s64", _whole, types=Logic.types[0], work=broadcast_work),
)
READERS: dict[str, Reader] = {
    **dict.fromkeys(RELATIONS, _comparison),
    **dict.fromkeys(_LOGIC, _logic),
    "Not": read_not,
}
WRITERS = {Compare: write_compare, Logic: write_compare}
