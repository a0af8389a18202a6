# SPDX-License-Identifier: Apache-2.0
"""The uint8 boundary of a model: inside, everything is int8."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.op import Call, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types

__all__ = ["KERNELS", "OPS", "FlipSign"]


@dataclass(frozen=True, slots=True)
class FlipSign(Op):
    """uint8 to int8 or back: the top bit of every byte is flipped, in place."""

    quant_rule = QuantRule.PASS_THROUGH
    inplace_inputs = (0,)
    types = (Types((DType.UINT8,), (DType.INT8,)), Types((DType.INT8,), (DType.UINT8,)))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Real values do not change."""
        return (arrays[0],)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Flip the top bit."""
        return (sig.inputs[0].dtype.recoded(arrays[0], sig.output.dtype),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A tensor of rows, a vector."""
        yield Example(cls(), ((1, 3, 4, 2),))
        yield Example(cls(), ((1, 5),))


def _flip(sig: Signature) -> tuple[Call, ...]:
    return (Call({"row_bytes": sig.output.row_bytes}),)


OPS = (FlipSign,)
KERNELS = tuple(
    Kernel(FlipSign, "mplan_flip_sign_s8", _flip, cost_class="copy", types=types)
    for types in FlipSign.types
)
