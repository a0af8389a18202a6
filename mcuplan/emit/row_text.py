# SPDX-License-Identifier: Apache-2.0
"""C text of a plan that works by rows: tables of rows and runs, and its arena as a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.emit.bundle import Symbol
from mcuplan.emit.c_writer import array, table
from mcuplan.emit.layout import Layout
from mcuplan.emit.names import comment_text
from mcuplan.emit.row_places import run_bytes
from mcuplan.ir.types import DType
from mcuplan.schedule.program import FEED
from mcuplan.solvers.packing.problem import Buffer, MemoryPlan

__all__ = ["RowTables", "row_arena_table", "row_tables"]


@dataclass(frozen=True, slots=True)
class RowTables:
    """Constants that a plan by rows has besides those of its steps."""

    texts: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()


def row_tables(layout: Layout) -> RowTables:
    """Tables of rows that lie apart, and the table of runs."""
    if not layout.plan.runs:
        return RowTables()
    texts, symbols = [], []
    note = "/* Row y lies at offset + table[y] * stride of the tensors that name the table. */\n"
    for numbers, name in layout.tables.items():
        texts.append(note + array(name, numbers.dtype, np.array(numbers.numbers)))
        symbols.append(Symbol(name, numbers.nbytes, "tables", -1))
        note = ""
    runs = layout.plan.runs
    symbols.append(Symbol("runs", run_bytes(layout.plan) * len(runs), "tables", -1))
    return RowTables((*texts, _runs(layout)), tuple(symbols))


def _runs(layout: Layout) -> str:
    """The type and table of runs."""
    dtype = DType.UINT8 if run_bytes(layout.plan) == 3 else DType.UINT16
    fed = layout.fed_rows > 0
    ctype, feed = dtype.c_type, dtype.high
    runs = layout.plan.runs
    entries = [f"{{{'FEED' if r.step == FEED else r.step}, {r.first}, {r.end}}}" for r in runs]
    head = f"#define RUNS ({len(runs)}U)\n"
    head += f"#define FEED ({feed}U) /* no step: rows of the input come */\n" if fed else ""
    return (
        f"{head}\n/* Rows [first, end) of a step, in the order in which they run. */\n"
        f"typedef struct {{\n    {ctype} step;\n    {ctype} first;\n    {ctype} end;\n}} run_t;\n\n"
        f"static const run_t runs[RUNS] = {{\n{table(entries)}\n}};\n"
    )


def row_arena_table(layout: Layout) -> str:
    """The arena of a plan by rows: one line for each tensor, however many rows it has."""
    plan = layout.plan
    usable = {r.name: r.usable_bytes for r in plan.program.target.ram}
    lines = []
    for region, memory in plan.memory.items():
        lines.append(f' * Arena "{region}": {memory.arena_bytes} of {usable[region]} B.')
        lines.append(" *   offset         bytes  runs          tensor")
        lines += _lines(layout, region, memory)
    lines.append(
        " * A tensor of rows ends with each of its rows; where they lie apart, the offset is"
    )
    lines.append(" * that of the lowest.")
    return "\n".join(lines)


def _lines(layout: Layout, region: str, memory: MemoryPlan) -> Iterator[str]:
    placed = {p.buffer.name: p for p in memory.placements}
    for name in layout.macros:
        buffers = [placed[b].buffer for b in _buffers(layout, name) if b in placed]
        if not buffers:
            continue
        sizes = {buffer.nbytes for buffer in buffers}
        nbytes = str(max(sizes)) if name not in layout.rows else f"{len(buffers)} x {max(sizes)}"
        span = _span(layout, buffers)
        yield f" * {layout.offset(name):8d} {nbytes:>13}  {span:<12}  {comment_text(name)}"


def _buffers(layout: Layout, name: str) -> Sequence[str]:
    """The buffers behind a name in ``macros``."""
    allocation = layout.plan.allocation
    if name in allocation.rows:
        return [slot.buffer for slot in allocation.rows[name]]
    if name in allocation.slots:
        return [allocation.slots[name].buffer]
    step = int(name.removeprefix("scratch"))
    runs = enumerate(layout.plan.runs)
    return [allocation.scratch[i] for i, r in runs if r.step == step and i in allocation.scratch]


def _span(layout: Layout, buffers: Sequence[Buffer]) -> str:
    """First run and the run after the last one in which any of the buffers exists."""
    start = min(buffer.live.start for buffer in buffers)
    last = max(buffer.live.end for buffer in buffers) - 1
    moves = layout.plan.run_moves
    first = next(i for i, (_, end) in enumerate(moves) if start < end)
    behind = next((i for i, (_, end) in enumerate(moves) if last < end), len(moves) - 1) + 1
    return f"[{first}, {behind})"
