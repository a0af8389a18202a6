# SPDX-License-Identifier: Apache-2.0
"""Where: elements of one of two tensors, as truth values say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Example, Field, Kernel, Signature
from mcuplan.ir.types import WHOLE, Array, DType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._broadcast import Broadcast, add_broadcast, loop_fields, loops, write_broadcast
from mcuplan.ops._tables import apply_table
from mcuplan.ops.unary import requantize_table

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Where"]


@dataclass(frozen=True, slots=True)
class Where(Broadcast):
    """The second operand where the first is true, else the third."""

    inplace_inputs = (1, 2)
    types = (
        Types((DType.BOOL, DType.INT8)),
        Types((DType.BOOL, DType.FLOAT32), (DType.FLOAT32,)),
        *(Types.whole([DType.BOOL, dtype], [dtype]) for dtype in WHOLE),
    )

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Either of them."""
        lows, highs = zip(*inputs[1:], strict=True)
        return min(lows), max(highs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Each element on its own."""
        return (np.where(arrays[0] != 0, arrays[1], arrays[2]),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """On grids both are rounded to that of the output first."""
        tables = _tables(sig)
        sides = [
            a if t is None else apply_table(t, a) for a, t in zip(arrays[1:], tables, strict=True)
        ]
        return self.reference(arrays[0], *sides)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """One shape, channels, numbers, a condition for each row."""
        full = (1, 4, 3, 5)
        yield Example(cls(), (full, full, full))
        yield Example(cls(), ((1, 4, 1, 1), full, (1, 1, 1, 5)))
        yield Example(cls(), (full, (1, 1, 1, 1), full), constants=(1,))
        yield Example(cls(), (full, (1, 1, 1, 1), (1, 1, 1, 1)), constants=(1, 2))
        yield Example(cls(), ((1, 7), (1, 7), (1, 1)))
        for dtype in (DType.FLOAT32, *WHOLE):
            types = (DType.BOOL, dtype, dtype)
            yield Example(cls(), (full, full, full), types=types)
            yield Example(cls(), ((1, 4, 1, 1), full, (1, 1, 1, 5)), types=types)


def _tables(sig: Signature) -> list[Array | None]:
    """What each side's values become on the grid of the output, where that is another one."""
    wanted = sig.output.quant
    grids = [kind.quant for kind in sig.inputs[1:]]
    return [
        None if q == wanted or q is None or wanted is None else requantize_table(q, wanted)
        for q in grids
    ]


def read_where(node: OnnxNode, build: Builder) -> None:
    """Where of any three tensors that broadcast."""
    add_broadcast(Where(), node.inputs, node, build)


def write_where(node: Node, out: Writer) -> None:
    """The ONNX operator."""
    write_broadcast(node, out, "Where")


def _where(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {"size": sig.output.dtype.nbytes()}
    for name, table in zip(("table2", "table3"), _tables(sig), strict=True):
        fields[name] = None if table is None else ConstArray(DType.INT8, table, "tables")
    return (Call(loop_fields(sig) | fields, inputs=(0, 1, 2)),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Innermost loops; elements, half of them of either side: as their tables or sizes say."""
    out = sig.output
    inner = loops(out.shape, sig.shapes)[-1][0]
    found: dict[str, float] = {
        "call": len(runs),
        "row": out.rows,
        "line": out.elements / max(1, inner),
    }
    for table in _tables(sig):
        how = f"size{out.dtype.nbytes()}" if table is None else "table"
        found[how] = found.get(how, 0) + out.elements / 2
    return found


OPS = (Where,)
KERNELS = tuple(
    Kernel(Where, "mplan_where_s8", _where, types=types, work=_work) for types in Where.types
)
READERS = {"Where": read_where}
WRITERS = {Where: write_where}
