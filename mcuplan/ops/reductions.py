# SPDX-License-Identifier: Apache-2.0
"""One number of all elements along any axes: in float32, of integers, and norms in int8."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape, row_axis
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._broadcast import INTEGERS, integer_kind
from mcuplan.ops._math_f32 import sqrt_f32
from mcuplan.ops._reduced import FORMS, divided, first_of, reduced_loops
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = ["KERNELS", "OPS", "WRITERS", "Norm", "Reduce"]


@dataclass(frozen=True, slots=True)
class Reduce(Op):
    """All elements along some axes, of which one is left; by the name that ONNX has for it.

    Real sums begin with 0 and take the elements in the order in which they lie.
    """

    kind: str
    axes: tuple[int, ...]

    types = (
        Types.all(DType.FLOAT32),
        *(Types.whole([dtype], [dtype]) for dtype in (*INTEGERS, DType.BOOL)),
    )

    @property
    def label(self) -> str:
        """The ONNX name."""
        return self.kind

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Axes of 1 where they are reduced, elements of one type."""
        shape = inputs[0].shape
        made = tuple(1 if a in self.axes else n for a, n in enumerate(shape))
        reduced_loops(shape, self.axes)
        return (TensorType(made, inputs[0].dtype),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All of the axes."""
        return (tuple(ALL if a in self.axes else SAME for a in range(len(output))),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums in double precision; of integers in 64 bits, of which the low ones stay."""
        x = arrays[0]
        wide = x.astype(np.float64 if x.dtype.kind == "f" else np.int64)
        made = self.joined(wide)
        if self.kind == "ReduceL2":
            made = np.sqrt(made)
        if self.kind == "ReduceMean":
            made = made / self._count(x) if x.dtype.kind == "f" else divided(made, self._count(x))
        return (made.astype(np.float32 if x.dtype.kind == "f" else x.dtype),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """One element after the other, each step rounded to float32."""
        with np.errstate(all="ignore"):
            made = self.joined(arrays[0])
            if self.kind == "ReduceL2":
                made = sqrt_f32(made)
            if self.kind == "ReduceMean":
                made = made / np.float32(self._count(arrays[0]))
        return (made,)

    def joined(self, x: Array) -> Array:
        """Elements joined one after the other, in their type."""
        form, kept = FORMS[self.kind], [a for a in range(x.ndim) if a not in self.axes]
        terms = form.term(x).transpose(*self.axes, *kept)
        shape = tuple(1 if a in self.axes else n for a, n in enumerate(x.shape))
        made = np.full(math.prod(shape), first_of(form.start, x.dtype), x.dtype)
        for term in terms.reshape(self._count(x), made.size):
            made = form.join(made, term)
        return made.reshape(shape)

    def _count(self, x: Array) -> int:
        return math.prod(x.shape[a] for a in self.axes)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One operation per element of the input."""
        return Cost(ops=inputs[0].elements)

    @classmethod
    def kinds(cls) -> Iterable[str]:
        """Names of those that are of the class."""
        return (kind for kind in FORMS if kind not in Norm.kinds())

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Every kind; rows, pixels, channels, all of them, axes apart."""
        real = () if Types() in cls.types else (DType.FLOAT32,)
        for kind in cls.kinds():
            yield Example(cls(kind, (2,)), ((1, 3, 4, 5),), types=real)
            yield Example(cls(kind, (1, 3)), ((1, 3, 4, 5),), types=real)
            yield Example(cls(kind, (1,)), ((1, 9),), types=real)
            if kind != "ReduceL2":
                yield Example(cls(kind, (1, 2)), ((1, 2, 3, 2),), types=(DType.INT32,))
        yield Example(cls(kind, (1,)), ((1, 6, 2, 3),), types=real)
        yield Example(cls(kind, (1, 2, 3)), ((1, 3, 4, 5),), types=real)
        yield Example(cls(kind, (2, 4)), ((1, 2, 3, 2, 4),), types=real)
        for dtype in (*INTEGERS, DType.BOOL):
            yield Example(cls(kind, (2,)), ((1, 2, 4, 3),), types=(dtype,))


@dataclass(frozen=True, slots=True)
class Norm(Reduce):
    """Sum of magnitudes, of squares, or its root, on grids too."""

    types = (Types(), *Reduce.types)

    @classmethod
    def kinds(cls) -> Iterable[str]:
        """Those that no pool is."""
        return ("ReduceL1", "ReduceL2", "ReduceSumSquare")

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """On grids the exact sum, or its root to some bits of fraction, requantized once."""
        source, output = sig.inputs[0].quant, sig.output.quant
        if source is None or output is None:
            return self.reference(*arrays)
        sums = self.joined(arrays[0].astype(np.int64) - source.z)
        if self.kind == "ReduceL2":
            squares = sums << 2 * _root_bits(sig)
            sums = np.frompyfunc(math.isqrt, 1, 1)(squares.astype(object)).astype(np.int64)
        return (requantize(sums, *_factors(sig), output.z),)


# -- norms on grids -----------------------------------------------------------------------


def _bound(sig: Signature) -> int:
    """What no sum, or root with its fraction, is above."""
    op, steps = sig.op, sig.inputs[0].q.dtype.steps
    assert isinstance(op, Reduce)
    count = sig.inputs[0].elements // max(1, sig.output.elements)
    return count * steps ** (1 if op.kind == "ReduceL1" else 2)


def _root_bits(sig: Signature) -> int:
    """Bits of fraction of a root: as many as its square has room for in 62 bits, 16 at most."""
    return min(14, (62 - _bound(sig).bit_length()) // 2, 29 - (_bound(sig).bit_length() + 1) // 2)


def _factors(sig: Signature) -> tuple[int, int]:
    """Multiplier and left shift of a sum or root.

    Raises:
        UnsupportedOp: more elements than sums of 32 bits hold.
    """
    op, source, output = sig.op, sig.inputs[0].q, sig.output.q
    assert isinstance(op, Reduce)
    bound, real = _bound(sig), source.s / output.s
    if bound >= 1 << 31:
        raise UnsupportedOp("a sum beyond 32 bits", hint="reduce fewer elements at a time")
    if op.kind == "ReduceSumSquare":
        real *= source.s
    if op.kind == "ReduceL2":
        bits = _root_bits(sig)
        return requantize_factors(real / 2.0**bits, math.isqrt(bound << 2 * bits))
    return requantize_factors(real, bound)


# -- kernels ------------------------------------------------------------------------------

_ENDED = ("ReduceMean", "ReduceL2")  # by a quotient, by a root


def _fields(sig: Signature) -> dict[str, Field]:
    op, shape = sig.op, sig.inputs[0].shape
    assert isinstance(op, Reduce)
    by_row = row_axis(shape)
    table = np.array(reduced_loops(shape, op.axes), np.uint32)
    return {
        "loops": ConstArray(DType.UINT32, table, "tables"),
        "rows": shape[by_row] if by_row is not None and by_row in op.axes else 1,
        "what": FORMS[op.kind].number,
    }


def _count(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Reduce)
    return math.prod(sig.inputs[0].shape[a] for a in op.axes)


def _real(sig: Signature) -> tuple[Call, ...]:
    return (Call(_fields(sig) | {"count": float(_count(sig))}),)


def _whole(sig: Signature) -> tuple[Call, ...]:
    kind = integer_kind(sig.inputs[0].dtype)
    return (Call(_fields(sig) | {"count": _count(sig), "kind": kind}),)


def _norm(sig: Signature) -> tuple[Call, ...]:
    multiplier, pre_shift = _factors(sig)
    op = sig.op
    assert isinstance(op, Reduce)
    fields: dict[str, Field] = {
        "multiplier": multiplier,
        "pre_shift": pre_shift,
        "root_bits": _root_bits(sig) if op.kind == "ReduceL2" else 0,
        "in_zero_point": sig.inputs[0].q.z,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(_fields(sig) | fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """For each output the innermost loops and their elements, by kind and type; what ends it."""
    op, output, dtype = sig.op, sig.output, sig.inputs[0].dtype
    assert isinstance(op, Reduce)
    inner = reduced_loops(sig.inputs[0].shape, op.axes)[-2]
    elements = output.elements * _count(sig)
    found: dict[str, float] = {
        "call": len(runs),
        "row": output.rows,
        "output": output.elements,
        "line": elements / max(1, inner),
        op.kind: elements,
        f"{op.kind}_end": output.elements if op.kind in _ENDED else 0,
    }
    if sig.inputs[0].quant is None and not dtype.is_float:
        found[dtype] = elements
    return found


def write_reduce(node: Node, out: Writer) -> None:
    """The ONNX operator, axes as it wants them in the opset that is written."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Reduce)
    places = tuple(axes.index(a) for a in op.axes)
    value, keep = out.read(node.inputs[0], axes), 1
    if not places:  # each element alone; without axes, ONNX takes all of them
        value = out.node("Unsqueeze", [value, out.constant("front", np.array([0], np.int64))])
        places, keep = (0,), 0
    if op.kind == "ReduceSum":
        given = [value, out.constant("axes", np.array(places, np.int64))]
        made = out.node(op.kind, given, keepdims=keep)
    else:
        made = out.node(op.kind, [value], axes=places, keepdims=keep)
    out.write(node.output, made, axes)


OPS = (Norm, Reduce)
KERNELS = (
    Kernel(Norm, "mplan_reduce_s8", _norm, types=Norm.types[0], work=_work),
    *(Kernel(op, "mplan_reduce_f32", _real, types=Reduce.types[0], work=_work) for op in OPS),
    *(
        Kernel(op, "mplan_reduce_s64", _whole, types=types, work=_work)
        for op in OPS
        for types in Reduce.types[1:]
    ),
)
WRITERS = {Norm: write_reduce, Reduce: write_reduce}
