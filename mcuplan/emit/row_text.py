# SPDX-License-Identifier: Apache-2.0
"""C text of where rows lie and when they run: tables, and the arenas as a comment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.emit.bundle import Symbol
from mcuplan.emit.c_writer import COLUMNS, array, table
from mcuplan.emit.places import Places
from mcuplan.ir.types import DType
from mcuplan.safe_text import comment_text
from mcuplan.schedule.assembly.row_places import call_ends, run_bytes
from mcuplan.schedule.program import FEED
from mcuplan.solvers.packing.problem import Buffer, MemoryPlan

__all__ = ["RowConstants", "arena_table", "row_constants"]


@dataclass(frozen=True, slots=True)
class RowConstants:
    """Constants that a plan by rows has besides those of its steps."""

    texts: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()


def row_constants(places: Places) -> RowConstants:
    """Tables of rows that lie apart, and the table of runs."""
    texts, symbols = [], []
    note = "/* Row y lies at offset + table[y] * stride of the tensors that name the table;\n"
    note += " * in the same way what a call for the rows from y on has as scratch. */\n"
    for numbers, name in places.tables.items():
        texts.append(note + array(name, numbers.dtype, np.array(numbers.numbers)))
        symbols.append(Symbol(name, numbers.nbytes, "tables", -1))
        note = ""
    if not places.plan.is_straight:
        nbytes = run_bytes(places.plan) * len(places.plan.runs)
        symbols.append(Symbol("runs", nbytes, "tables", -1))
        texts.append(_runs(places))
    if ends := call_ends(places.plan):
        note = "/* Calls from the last row on end before these runs. */\n"
        texts.append(note + array("call_ends", ends.dtype, np.array(ends.numbers)))
        symbols.append(Symbol("call_ends", ends.nbytes, "tables", -1))
    return RowConstants(tuple(texts), tuple(symbols))


def _runs(places: Places) -> str:
    """The type and table of runs."""
    dtype = DType.UINT8 if run_bytes(places.plan) == 3 else DType.UINT16
    fed = places.plan.fed_rows > 0
    ctype, feed = dtype.c_type, dtype.high
    runs = places.plan.runs
    cases = ["FEED" if run.step == FEED else places.plan.case_of(run) for run in runs]
    entries = [f"{{{c}, {r.first}, {r.end}}}" for c, r in zip(cases, runs, strict=True)]
    head = f"#define RUNS ({len(runs)}U)\n"
    head += f"#define FEED ({feed}U) /* no step: rows of the input come */\n" if fed else ""
    steps = len(places.plan.program.steps)
    more = f"; from {steps} on:\n * of a step with other scratch, see run_step()"
    forms = more if len(places.steps) > steps else ""
    return (
        f"{head}\n/* Rows [first, end) of a step, in the order in which they run{forms}. */\n"
        f"typedef struct {{\n    {ctype} step;\n    {ctype} first;\n    {ctype} end;\n}} run_t;\n\n"
        f"static const run_t runs[RUNS] = {{\n{table(entries)}\n}};\n"
    )


def arena_table(places: Places) -> str:
    """The arenas as a comment: a line for each tensor, however many rows it has."""
    plan, apart = places.plan, bool(places.rows) or not places.plan.is_straight
    usable = {r.name: r.usable_bytes for r in plan.program.target.ram}
    head = "        bytes  runs          tensor" if apart else "  bytes  live        tensor"
    lines = []
    for region, memory in plan.memory.items():
        lines.append(f' * Arena "{region}": {memory.arena_bytes} of {usable[region]} B.')
        lines.append(f" *   offset {head}")
        lines += _lines(places, memory, apart=apart)
    if apart:
        lines.append(
            " * A tensor of rows ends with each of its rows; where they lie apart, the offset is"
        )
        lines.append(" * that of the lowest.")
    return "\n".join(lines)


def _lines(places: Places, memory: MemoryPlan, *, apart: bool) -> Iterator[str]:
    """A line for each name in ``macros`` in a region; ``apart``: some rows lie apart."""
    placed = {p.buffer.name: p for p in memory.placements}
    for name in places.macros:
        placements = [placed[buffer] for buffer in _buffers(places, name) if buffer in placed]
        if not placements:
            continue
        buffers = [placement.buffer for placement in placements]
        nbytes = str(max(buffer.nbytes for buffer in buffers))
        span = _span(places, buffers)
        if apart:
            nbytes = f"{len(buffers)} x {nbytes}" if name in places.rows else nbytes
            line = f" * {places.offset(name):8d} {nbytes:>13}  {span:<12}  "
        else:
            line = f" * {placements[0].offset:8d} {nbytes:>7}  {span:<10}  "
        yield line + comment_text(name, min(60, COLUMNS - len(line)))


def _buffers(places: Places, name: str) -> Sequence[str]:
    """The buffers behind a name in ``macros``."""
    allocation = places.plan.allocation
    if name in allocation.rows:
        return [slot.buffer for slot in allocation.rows[name]]
    runs = places.plan.runs_of[int(name.removeprefix("scratch"))]
    return [allocation.scratch[number] for number in runs]


def _span(places: Places, buffers: Sequence[Buffer]) -> str:
    """First run and the run after the last one in which any of the buffers exists."""
    ends = [end for _, end in places.plan.run_moves]
    start = min(buffer.live.start for buffer in buffers)
    last = max(buffer.live.end for buffer in buffers) - 1
    behind = min(bisect_right(ends, last), max(0, len(ends) - 1)) + 1
    return f"[{bisect_right(ends, start)}, {behind})"
