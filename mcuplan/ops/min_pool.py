# SPDX-License-Identifier: Apache-2.0
"""Least value of windows over rows of pixels: what ReduceMin is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcuplan.ir.graph import Node
from mcuplan.ir.op import Example, Kernel, QuantRule, Signature
from mcuplan.ir.types import Array
from mcuplan.ir.writer import CHANNELS_FIRST, Writer
from mcuplan.ops._pools import Pool, extreme_call

__all__ = ["KERNELS", "OPS", "WRITERS", "MinPool2D"]


@dataclass(frozen=True, slots=True)
class MinPool2D(Pool):
    """Least value of each window; padding is ignored, quantization passes through."""

    quant_rule = QuantRule.PASS_THROUGH

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Minimum."""
        return (self.windows(arrays[0], math.inf).min(axis=(3, 4)),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Minimum of the integers; the padding is their largest value."""
        return (self.windows(arrays[0], sig.output.dtype.high).min(axis=(3, 4)),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Global, rows or columns alone, strided and padded, one element."""
        yield Example(cls((5, 3)), ((1, 5, 3, 4),))
        yield Example(cls((1, 6)), ((1, 4, 6, 3),))
        yield Example(cls((4, 1)), ((1, 4, 6, 3),))
        yield Example(cls((3, 3), (2, 2), (1, 1), (1, 1, 1, 1)), ((1, 5, 7, 2),))
        yield Example(cls((1, 1)), ((1, 2, 1, 1),))


def write_min_pool(node: Node, out: Writer) -> None:
    """What is left of the largest of the negated values, channels first."""
    op = node.op
    assert isinstance(op, MinPool2D)
    value = out.node("Neg", [out.read(node.inputs[0], CHANNELS_FIRST)])
    value = out.node("Neg", [op.largest(out, value)])
    out.write(node.output, value, CHANNELS_FIRST)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Rows that are filled, then windows by lines and taps, those inside with their channels."""
    output = sig.output
    rows, columns = sig.taps(1), sig.taps(2)
    lines, taps = rows.inside * columns.windows, rows.inside * columns.inside
    return {
        "call": len(runs),
        "row": output.rows,
        "word": output.rows * (output.row_bytes // 4),
        "kernel_row": output.rows * rows.kernel,
        "line": lines,
        "column": lines * columns.kernel,
        "tap": taps,
        "step": taps * output.channels,
    }


OPS = (MinPool2D,)
KERNELS = (Kernel(MinPool2D, "mplan_min_pool2d_s8", extreme_call, cost_class="pool", work=_work),)
WRITERS = {MinPool2D: write_min_pool}
