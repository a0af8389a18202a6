# SPDX-License-Identifier: Apache-2.0
"""Means over all pixels in two steps: sums that grow as rows arrive, then their division.

Together they are the average pool whose one window is the whole input, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape, each
from mcuplan.ir.op import Call, Cost, Example, Field, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ops._pools import half_to_even
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = ["KERNELS", "OPS", "MeanOfSum", "RowSum"]


@dataclass(frozen=True, slots=True)
class RowSum(Op):
    """Sum of all pixels of x [1,H,W,C]: int8 in, int32 [1,1,1,C] out on the same grid."""

    quant_rule = QuantRule.PASS_THROUGH
    gathers = True
    types = (Types(outputs=(DType.INT32,)),)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """One pixel."""
        return (TensorType((1, 1, 1, inputs[0].channels)),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All pixels of each channel."""
        return ((SAME, ALL, ALL, SAME),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Exact sum."""
        return (arrays[0].sum(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Sum of the distances from the zero point, from the zero point on."""
        z = sig.inputs[0].q.z
        return (
            (arrays[0].astype(np.int32) - z).sum(axis=(1, 2), keepdims=True, dtype=np.int32) + z,
        )

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One addition per element of the input."""
        return Cost(ops=inputs[0].elements)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """More channels than a block, one row, one pixel."""
        for shape in [(1, 5, 3, 12), (1, 1, 4, 3), (1, 7, 1, 8), (1, 1, 1, 1)]:
            yield Example(cls(), (shape,))


@dataclass(frozen=True, slots=True)
class MeanOfSum(Op):
    """Sums of ``elements`` values each, divided by ``count``: int32 in, int8 out."""

    elements: int
    count: int

    types = (Types(inputs=(DType.INT32,)),)

    @property
    def label(self) -> str:
        """What it makes of the sums."""
        return f"Mean of {self.count}" if self.count > 1 else "Sum"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """One division."""
        return ((arrays[0].astype(np.float64) / self.count).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Half to even where input and output lie on one grid, else requantized."""
        source, output = sig.inputs[0].q, sig.output.q
        sums = arrays[0].astype(np.int64) - source.z
        if _divides(sig):
            whole = half_to_even(sums, np.full_like(sums, self.count)) + output.z
            return (sig.output.dtype.clip(whole),)
        return (requantize(sums, *_factors(sig), output.z),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """A mean, a mean with counted padding, a sum."""
        yield Example(cls(25, 25), ((1, 1, 1, 12),))
        yield Example(cls(12, 16), ((1, 1, 1, 3),))
        yield Example(cls(9, 1), ((1, 1, 1, 5),))


def _divides(sig: Signature) -> bool:
    """Whether the exact sum is divided by the count, with no change of grid."""
    assert isinstance(sig.op, MeanOfSum)
    return sig.op.count > 1 and sig.inputs[0].q == sig.output.q


def _factors(sig: Signature) -> tuple[int, int]:
    """Multiplier and left shift of a sum."""
    op = sig.op
    assert isinstance(op, MeanOfSum)
    real = sig.inputs[0].q.s / sig.output.q.s / op.count
    return requantize_factors(real, sig.inputs[0].q.dtype.steps * op.elements)


def _row_sum(sig: Signature) -> tuple[Call, ...]:
    _, _, width, channels = sig.inputs[0].shape
    zero_point = sig.inputs[0].q.z
    return (Call({"in_w": width, "channels": channels, "in_zero_point": zero_point}),)


def _mean(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, MeanOfSum)
    fields: dict[str, Field] = {
        "count": op.count if _divides(sig) else 0,
        "channels": sig.output.channels,
        "in_zero_point": sig.inputs[0].q.z,
        "out_zero_point": sig.output.q.z,
    }
    if not _divides(sig):
        fields["multiplier"], fields["pre_shift"] = _factors(sig)
    return (Call(fields),)


def _row_sum_work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Rows of the input, each of which adds its pixels to the sums, of four channels at a time."""
    kind = sig.inputs[0]
    fours, rest = divmod(kind.channels, 4)
    pixels = kind.elements // kind.channels
    return {
        "call": len(runs),
        "start": kind.channels,
        "row": kind.rows,
        "four": kind.rows * fours,
        "four_step": pixels * fours,
        "sum": kind.rows * rest,
        "step": pixels * rest,
    }


def _mean_work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """One sum after the other, divided or requantized."""
    elements, divides = sig.output.elements, _divides(sig)
    return {
        "call": len(runs),
        "output": elements,
        "divided": elements * divides,
    }


OPS = (MeanOfSum, RowSum)
KERNELS = (
    Kernel(
        MeanOfSum,
        "mplan_mean_of_sum_s8",
        _mean,
        cost_class="pool",
        work=_mean_work,
        types=MeanOfSum.types[0],
    ),
    Kernel(
        RowSum,
        "mplan_row_sum_s8",
        _row_sum,
        cost_class="pool",
        work=_row_sum_work,
        types=RowSum.types[0],
    ),
)
