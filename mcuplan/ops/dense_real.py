# SPDX-License-Identifier: Apache-2.0
"""A matrix of integers applied to values on a grid, whose results are real values.

What a quantized model that does not round the results of its last layer computes: sums of integers,
each times its scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, InputMap, Shape, each, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import NO_CLAMP, Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops.fields import float_clamped, float_limits, pixels_of

__all__ = ["KERNELS", "MOST_INPUTS", "OPS", "WRITERS", "DenseReal"]

MOST_INPUTS = 1 << 16
"""Below as many, no sum of products of int8 less a zero point leaves int32."""

_TYPES = Types(
    (DType.INT8, DType.INT8, DType.FLOAT32, DType.FLOAT32),
    (DType.FLOAT32,),
    grids=frozenset({True, False}),
)


@dataclass(frozen=True, slots=True)
class DenseReal(Op):
    """Inputs: x [..., K] on a grid, weights [O, K] as int8, their scales [O], bias [O].

    Output: [..., O] in float32.
    """

    act: tuple[float, float] = NO_CLAMP

    types = (_TYPES,)

    @property
    def label(self) -> str:
        """As of one whose results lie on a grid."""
        return "Dense"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The last axis becomes the outputs."""
        x, weights = inputs[0].shape, inputs[1].shape
        if x[-1] != weights[1] or weights[1] >= MOST_INPUTS:
            raise UnsupportedOp(f"a matrix of {weights[1]} rows for {x[-1]} inputs")
        return (TensorType((*x[:-1], weights[0])),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """A row of the input, a row of the weights."""
        own = moved(0, len(output) - 1)
        return (*each(inputs)[0][:-1], ALL), (own, ALL), (own,), (own,)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float product with bias and clamp."""
        x, weights, scales, bias = arrays
        real = weights.astype(np.float32) * scales[:, None]
        return (np.clip(x @ real.T + bias, *self.act).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Of values that lie on no grid yet."""
        return self.reference(*arrays)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Exact sums, one product and one sum in float32 for each."""
        steps = arrays[0].astype(np.float64) - sig.inputs[0].q.z
        sums = (steps @ arrays[1].astype(np.float64).T).astype(np.float32)
        return (float_clamped(sums * _scales(sig) + sig.constant(3), self.act),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One MAC per output element and input."""
        return Cost(macs=outputs[0].elements * inputs[1].shape[1])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Cases are in `tests/ops/test_dense_real.py`: constants beside a grid lie on none."""
        return ()


def _scales(sig: Signature) -> Array:
    """What a step of each sum is worth: float32 [O]."""
    real = sig.constant(2).astype(np.float64) * sig.inputs[0].q.s
    return real.astype(np.float32)


def write_dense_real(node: Node, out: Writer) -> None:
    """Weights behind a DequantizeLinear, then MatMul and Add."""
    op = node.op
    assert isinstance(op, DenseReal)
    source, weights, scales, bias = node.inputs
    zeros = out.constant("zero_point", np.zeros(out.shape(scales), np.int8))
    parts = [out.read(weights, (1, 0)), out.read(scales), zeros]
    real = out.node("DequantizeLinear", parts, axis=1)
    product = out.node("MatMul", [out.read(source), real])
    value = out.node("Add", [product, out.beside(bias, len(out.shape(source)))])
    out.write(node.output, out.clamped(value, op.act))


def _dense(sig: Signature) -> tuple[Call, ...]:
    op, weights = sig.op, sig.constant(1)
    assert isinstance(op, DenseReal)
    outputs, inputs = weights.shape
    first = -sig.inputs[0].q.z * weights.astype(np.int64).sum(axis=1)
    fields: dict[str, Field] = {
        "weights": ConstArray(DType.INT8, weights),
        "first": ConstArray(DType.INT32, first.astype(np.int32)),
        "scale": ConstArray(DType.FLOAT32, _scales(sig)),
        "bias": ConstArray(DType.FLOAT32, sig.constant(3)),
        "in_c": inputs,
        "out_c": outputs,
        "pixels": pixels_of(sig)[1],
        **float_limits(op.act),
    }
    return (Call(fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """One output of a pixel after the other."""
    made = sig.output.elements
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": made // sig.output.channels,
        "output": made,
        "step": made * sig.inputs[0].channels,
    }


OPS = (DenseReal,)
KERNELS = (
    Kernel(DenseReal, "mplan_dense_real_f32", _dense, types=_TYPES, cost_class="dense", work=_work),
)
WRITERS = {DenseReal: write_dense_real}
