# SPDX-License-Identifier: Apache-2.0
"""Products of two activations: stacks of matrices whose axes lie in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import AccumulatorOverflow, UnsupportedOp
from mcuplan.ir.geometry import ALL, InputMap, Shape, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import NO_CLAMP, Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops.fields import FLOAT_TYPES, clamp_fields, float_clamped, float_limits
from mcuplan.ops.walks import LOOPS, NOWHERE, SUMMED, Labels, Walk, walks
from mcuplan.quant.requantize import act_limits, requantize, requantize_factors

__all__ = [
    "KERNELS",
    "OPS",
    "WRITERS",
    "MatMul",
    "accumulator_max",
    "factors",
    "matmul_call",
]

_LETTERS = "abcdefgh"


@dataclass(frozen=True, slots=True)
class MatMul(Op):
    """Products of elements of two tensors, summed along one axis of each.

    ``a`` and ``b`` say for each axis of an operand which axis of the output it is, or SUMMED.
    An axis of 1 is repeated; an axis of the output that neither has is 1.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    rank: int
    act: tuple[float, float] = NO_CLAMP

    fuses_activation = True
    types = (Types(), FLOAT_TYPES)

    @property
    def labels(self) -> Labels:
        """Of both operands."""
        return self.a, self.b

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Sizes of the axes that are not summed over."""
        shapes = [kind.shape for kind in inputs]
        sizes = [1] * self.rank
        for labels, shape in zip(self.labels, shapes, strict=True):
            for label, size in zip(labels, shape, strict=True):
                if label >= 0 and size != 1:
                    if sizes[label] not in (1, size):
                        raise UnsupportedOp(f"product of shapes {shapes[0]} and {shapes[1]}")
                    sizes[label] = size
        depths = [s[own.index(SUMMED)] for own, s in zip(self.labels, shapes, strict=True)]
        if depths[0] != depths[1]:
            raise UnsupportedOp(f"product of shapes {shapes[0]} and {shapes[1]}")
        walks(self.labels, shapes, tuple(sizes))
        return (TensorType(tuple(sizes)),)

    def depth(self, inputs: Sequence[Shape]) -> int:
        """Products of one sum."""
        return inputs[0][self.a.index(SUMMED)]

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each axis where it is in the output, all of the one that is summed over."""
        return tuple(
            tuple(ALL if label < 0 else moved(axis, label) for axis, label in enumerate(labels))
            for labels in self.labels
        )

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float sums within the limits of the activation."""
        a, b = _spread(self, arrays)
        sums = np.einsum("...k,...k->...", a, b)
        return (np.clip(sums, *self.act).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """From 0 on, product by product."""
        a, b = _spread(self, arrays)
        shape = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
        sums = np.zeros(shape, np.float32)
        with np.errstate(all="ignore"):
            for k in range(a.shape[-1]):
                sums = sums + a[..., k] * b[..., k]
        return (float_clamped(sums, self.act),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Exact sums of steps from the zero points, one requantization."""
        pairs = zip(_spread(self, arrays), sig.inputs, strict=True)
        a, b = (x.astype(np.float64) - kind.q.z for x, kind in pairs)
        sums = np.einsum("...k,...k->...", a, b).astype(np.int64)
        limits = act_limits(sig.output.q, self.act)
        return (requantize(sums, *factors(sig), sig.output.q.z, limits),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One MAC for each product."""
        return Cost(macs=outputs[0].elements * self.depth([inputs[0].shape]))

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Where the first axis is that of the samples on both sides."""
        return self.a[:1] == self.b[:1] == (0,) and outputs[0].shape[:1] == (1,)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Matrices, heads within rows, either side transposed, repeated, of rank 1 to 6."""
        for a, b, rank, shapes in [
            ((0, 1, -1), (0, -1, 2), 3, ((1, 5, 7), (1, 7, 6))),
            ((0, 1, 2, -1), (0, 3, 2, -1), 4, ((1, 5, 2, 8), (1, 9, 2, 8))),
            ((0, 1, 2, -1), (0, -1, 2, 3), 4, ((1, 3, 2, 9), (1, 9, 2, 8))),
            ((0, 1, 2, -1), (0, 1, -1, 3), 4, ((1, 2, 3, 4), (1, 2, 4, 5))),
            ((0, -1, 1), (0, 2, -1), 3, ((1, 6, 4), (1, 5, 6))),
            ((0, 2, -1), (0, 1, -1), 3, ((1, 6, 4), (1, 5, 4))),
            ((0, 1, 2, 3, 4, -1), (0, 1, 2, 3, -1, 5), 6, ((1, 2, 3, 1, 2, 3), (1, 2, 1, 2, 3, 4))),
            ((0, 1, 2, -1), (0, NOWHERE, -1, 3), 4, ((1, 3, 2, 4), (1, 1, 4, 5))),
            ((0, -1), (0, -1), 2, ((1, 9), (1, 9))),
            ((0, -1), (-1, 1), 2, ((1, 3), (3, 5))),
            ((0, 1, 2, -1), (0, 3, NOWHERE, -1), 4, ((1, 4, 3, 16), (1, 6, 1, 16))),
        ]:
            yield Example(cls(a, b, rank), shapes)
        yield Example(cls((0, 1, -1), (0, 1, -1, 2), 3, (0.0, 6.0)), ((1, 4, 3), (1, 4, 3, 2)))
        matrices = ((1, 4, 3), (1, 4, 3, 2))
        yield Example(cls((0, 1, -1), (0, 1, -1, 2), 3), matrices, constants=(1,))


def _spread(op: MatMul, arrays: Sequence[Array]) -> tuple[Array, Array]:
    """Operands with the axes of the output, 1 where they have none, and the summed one last."""
    made = []
    for labels, array in zip(op.labels, arrays, strict=True):
        places = [labels.index(k) if k in labels else None for k in range(op.rank)]
        order = [axis for axis in (*places, labels.index(SUMMED)) if axis is not None]
        order += [axis for axis in range(array.ndim) if axis not in order]  # of 1
        moved_axes = array.transpose(order)
        sizes = [1 if axis is None else array.shape[axis] for axis in places]
        made.append(moved_axes.reshape(*sizes, array.shape[labels.index(SUMMED)]))
    return made[0], made[1]


def factors(sig: Signature) -> tuple[int, int]:
    """Multiplier and shift of the exact sums.

    Raises:
        AccumulatorOverflow: a sum could leave 32 bits.
    """
    most = accumulator_max(sig)
    if most >= 2**31:
        raise AccumulatorOverflow(
            f"a sum that could reach {most:,} leaves 32 bits", hint="split the product"
        )
    a, b = (kind.q.s for kind in sig.inputs)
    return requantize_factors(a * b / sig.output.q.s, most)


def accumulator_max(sig: Signature) -> int:
    """Proved bound of sums in whatever order: the zero point of one operand is met apart."""
    op = sig.op
    assert isinstance(op, MatMul)
    a, b = (kind.q.z for kind in sig.inputs)
    far = max(_steps(z) * (DType.INT8.reach + abs(other)) for z, other in ((a, b), (b, a)))
    return max(1, far * op.depth(sig.shapes))


def _steps(zero_point: int) -> int:
    """How far an int8 value may be from a zero point."""
    return max(DType.INT8.high - zero_point, zero_point - DType.INT8.low)


# -- kernels ------------------------------------------------------------------------------


def _turned(loops: Sequence[Walk]) -> bool:
    """Whether the second operand is the one that stays along the columns."""
    return any(loops[LOOPS - 1][1:3])


def _loop_fields(sig: Signature) -> tuple[dict[str, Field], tuple[int, int]]:
    """Members of both params structs, and the order in which the operands are passed."""
    op = sig.op
    assert isinstance(op, MatMul)
    loops, size = walks(op.labels, sig.shapes, sig.output.shape), sig.output.dtype.nbytes()
    first, second = (1, 0) if _turned(loops) else (0, 1)
    table = np.array(
        [
            (n, *(step for rows, far in pair for step in (rows, far * size)))
            for n, *steps in loops
            for pair in [[tuple(steps[2 * i : 2 * i + 2]) for i in (first, second)]]
        ],
        np.int32,
    )
    return {"loops": ConstArray(DType.INT32, table, "tables")}, (first, second)


def matmul_call(sig: Signature) -> tuple[Call, ...]:
    """What kernels of integers are called with."""
    fields, order = _loop_fields(sig)
    multiplier, pre_shift = factors(sig)
    a, b = (sig.inputs[i].q.z for i in order)
    fields |= {"multiplier": multiplier, "pre_shift": pre_shift, **clamp_fields(sig)}
    return (Call(fields | {"in_zero_point": a, "in2_zero_point": b}, order),)


def _float(sig: Signature) -> tuple[Call, ...]:
    fields, order = _loop_fields(sig)
    return (Call(fields | float_limits(sig.op.act), order),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two columns at a time share an element of the operand that stays."""
    op = sig.op
    assert isinstance(op, MatMul)
    *loops, (depth, *_), _ = walks(op.labels, sig.shapes, sig.output.shape)
    columns = max(1, loops[-1][0])
    lines = sig.output.elements // columns
    pairs = lines * -(-columns // 2)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "line": lines,
        "line_step": lines * depth,
        "pair": pairs,
        "step": pairs * depth,
        "output": sig.output.elements,
    }


def write_matmul(node: Node, out: Writer) -> None:
    """Einsum over our own axes; axes of 1 are left out where they are repeated."""
    op = node.op
    assert isinstance(op, MatMul)
    shape = out.shape(node.output)
    values, terms = [], []
    for name, labels in zip(node.inputs, op.labels, strict=True):
        own = out.shape(name)
        kept = [i for i, label in enumerate(labels) if label == SUMMED or own[i] == shape[label]]
        sizes = out.constant("shape", np.array([own[i] for i in kept], np.int64))
        whole = len(kept) == len(own)
        values.append(out.read(name) if whole else out.node("Reshape", [out.read(name), sizes]))
        terms.append("".join("z" if labels[i] == SUMMED else _LETTERS[labels[i]] for i in kept))
    there = [k for k in range(op.rank) if any(_LETTERS[k] in term for term in terms)]
    equation = f"{terms[0]},{terms[1]}->{''.join(_LETTERS[k] for k in there)}"
    value = out.node("Einsum", values, equation=equation)
    if len(there) < op.rank:
        value = out.node("Reshape", [value, out.constant("shape", np.array(shape, np.int64))])
    out.write(node.output, out.clamped(value, op.act))


OPS = (MatMul,)
KERNELS = (
    Kernel(MatMul, "mplan_matmul_s8", matmul_call, cost_class="dense", work=_work),
    Kernel(MatMul, "mplan_matmul_f32", _float, types=FLOAT_TYPES, cost_class="dense", work=_work),
)
WRITERS = {MatMul: write_matmul}
