# SPDX-License-Identifier: Apache-2.0
"""Planes of channels become rows of pixels, a row at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.geometry import SAME, Gathered, InputMap, Shape, row_axis
from mcuplan.ir.op import Call, Cost, Example, Field, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ops.movement import Transpose

__all__ = ["KERNELS", "OPS", "Interleave"]


@dataclass(frozen=True, slots=True)
class Interleave(Op):
    """Planes [1,C*H,W], one below the other, as pixels [1,H,W,C].

    A Transpose whose input has a row for each row of each plane, so that these can end by
    themselves.
    """

    planes: int

    types = tuple(
        Types.all(dtype, frozenset({True, False}))
        for dtype in (DType.INT8, DType.UINT8, DType.BOOL)
    )
    quant_rule = QuantRule.PASS_THROUGH

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Pixels of as many channels as there are planes."""
        _, rows, width = inputs[0].shape
        assert rows % self.planes == 0, f"{rows} rows of {self.planes} planes"
        return (TensorType((1, rows // self.planes, width, self.planes)),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """The row of each plane; the channel picks one of them."""
        rows = range(output[1])
        planes = (range(y, self.planes * len(rows), len(rows)) for y in rows)
        return ((SAME, Gathered(tuple(map(tuple, planes))), SAME),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Planes as the last axis."""
        count, rows, width = arrays[0].shape
        planes = arrays[0].reshape(count, self.planes, rows // self.planes, width)
        return (np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One move per element, as of a Transpose."""
        return Cost(ops=outputs[0].elements)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Three planes of four columns and a rest, one, more than a word, one column."""
        for planes, shape in [
            (3, (1, 12, 11)),
            (1, (1, 3, 4)),
            (5, (1, 10, 3)),
            (4, (1, 8, 1)),
        ]:
            yield Example(cls(planes), (shape,))


def _fields(sig: Signature) -> Mapping[str, Field]:
    """Where the row of a plane lies: in a row of its own, or in that of its plane."""
    _, height, width, channels = sig.output.shape
    own = isinstance(sig.op, Interleave)
    return {
        "width": width,
        "channels": channels,
        "plane_rows": height if own else 1,
        "y_rows": 1 if own else 0,
        "y_bytes": 0 if own else width,
    }


def _interleave(sig: Signature) -> tuple[Call, ...]:
    return (Call(_fields(sig)),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Rows of planes, of which each takes four columns at a time."""
    _, height, width, channels = sig.output.shape
    lines = height * channels
    return {
        "call": len(runs),
        "row": height,
        "line": lines,
        "long_line": lines * (width >= 4),
        "four": lines * (width // 4),
        "rest": lines * (width % 4 > 0),
        "one": lines * (width % 4),
    }


def _moves_channels_last(sig: Signature) -> bool:
    op, kind = sig.op, sig.inputs[0]
    assert isinstance(op, Transpose)
    return op.axes == (0, 2, 3, 1) and row_axis(kind.shape) is not None


OPS = (Interleave,)
KERNELS = (
    *(
        Kernel(
            Interleave,
            "mplan_interleave_s8",
            _interleave,
            cost_class="copy",
            work=_work,
            types=types,
        )
        for types in Interleave.types
    ),
    Kernel(
        Transpose,
        "mplan_interleave_s8",
        _interleave,
        supports=_moves_channels_last,
        cost_class="copy",
        work=_work,
    ),
)
