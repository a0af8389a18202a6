# SPDX-License-Identifier: Apache-2.0
"""Least value of windows over rows of pixels: what ReduceMin is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcuplan.ir.graph import Node
from mcuplan.ir.op import Example, QuantRule
from mcuplan.ir.types import Array
from mcuplan.ir.writer import Writer
from mcuplan.ops._pools import EXTREME_TYPES, Pool, end_of, extreme
from mcuplan.ops._windows import channels_first
from mcuplan.ops.fields import INT16_TYPES

__all__ = ["OPS", "WRITERS", "MinPool2D"]


@dataclass(frozen=True, slots=True)
class MinPool2D(Pool):
    """Least value of each window; padding is ignored, quantization passes through."""

    types = (*EXTREME_TYPES, INT16_TYPES)
    quant_rule = QuantRule.PASS_THROUGH

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Minimum."""
        border = end_of(arrays[0], least=False)
        return (self.windows(arrays[0], border).min(axis=self.tap_axes),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """The first of the least, row by row of each window."""
        return (extreme(self, arrays[0], least=True),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Global, rows or columns alone, strided and padded, one element."""
        yield Example(cls((5, 3)), ((1, 5, 3, 4),))
        yield Example(cls((1, 6)), ((1, 4, 6, 3),))
        yield Example(cls((4, 1)), ((1, 4, 6, 3),))
        yield Example(cls((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)), ((1, 5, 7, 2),))
        yield Example(cls((1, 1)), ((1, 2, 1, 1),))
        yield Example(cls((2, 3, 2), (1,) * 3, (1,) * 3, (0, 1, 0) * 2), ((1, 2, 3, 4, 3),))


def write_min_pool(node: Node, out: Writer) -> None:
    """What is left of the largest of the negated values, channels first."""
    op = node.op
    assert isinstance(op, MinPool2D)
    axes = channels_first(op.kernel)
    value = out.node("Neg", [out.read(node.inputs[0], axes)])
    out.write(node.output, out.node("Neg", [op.largest(out, value)]), axes)


OPS = (MinPool2D,)
WRITERS = {MinPool2D: write_min_pool}
