# SPDX-License-Identifier: Apache-2.0
"""Cycles in words, and layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcuplan.record import Budget, Latency, LayerRow
from mcuplan.report._format import Look
from mcuplan.report._text import clip, table
from mcuplan.safe_text import plain
from mcuplan.units import Origin, counted, format_si

__all__ = ["cycle_lines", "cycle_sum", "how_known"]

_SHOWN = 8
_NAME_WIDTH = 18


def how_known(latency: Latency) -> str:
    """Where the cycles come from, and how far they may be off."""
    if latency.origin is Origin.MEASURED:
        counted_by = "counted on the emulator"
        return f"{counted_by}, {_error(latency.error)}" if latency.error else counted_by
    if latency.origin is not Origin.MODELLED:
        return latency.origin.value
    stalls = latency.stall_cycles
    if stalls and {latency.core_origin, stalls.origin} == {Origin.MEASURED}:
        return "counted on the emulator, RAM modelled"
    if latency.error is None:
        return "modelled by rates, error not known"
    error = f"modelled, {_error(latency.error)}"
    return error if stalls else f"{error} at 0 wait states"


def _error(share: float) -> str:
    return f"+-{max(1, math.ceil(100 * share))} %"


def cycle_sum(latency: Latency, clock_hz: int, link: str = ", ") -> str:
    """Cycles as time; on a board what they are the sum of."""
    cycles, time = f"{format_si(latency.cycles)} cycles", format_si(latency.seconds, "s")
    stalls = latency.stall_cycles
    if stalls is None or latency.core_cycles is None:
        return f"{cycles}{link}{time}"
    causes = [
        ("core", latency.core_cycles),
        ("flash code", stalls.code),
        ("constants", stalls.constants),
        ("pipeline", stalls.rules),
        ("RAM", stalls.data),
    ]
    parts = [f"{name} {format_si(count)}" for name, count in causes if count or name == "core"]
    return f"{', '.join(parts)} = {cycles}, {time} at {format_si(clock_hz, 'Hz')}"


def cycle_lines(budget: Budget, look: Look) -> list[str]:
    """Instructions and cycles by layer: all of them if asked, else the slowest."""
    layers = budget.layers
    counted_ones = any(row.instructions is not None for row in layers)
    if not layers or not (counted_ones or look.every_layer):
        return []
    shown: Sequence[LayerRow] = layers
    if not look.every_layer and len(layers) > _SHOWN:
        slowest = sorted(layers, key=lambda row: -_weight(row))[:_SHOWN]
        shown = sorted(slowest, key=lambda row: row.index)
    whole = max(1, sum(_weight(row) for row in layers))
    names = look.names([row.name for row in layers], _NAME_WIDTH)
    board = budget.latency.stall_cycles is not None
    heads = ("core", "cycles") if board else ("instructions", "cycles")
    rows = [["#", "layer", "kernel", *heads, "all", "/MAC"]]
    for row in shown:
        kernel = plain(row.kernel).removeprefix("mplan_")
        made = f"{row.instructions:,}" if row.instructions is not None else "-"
        made = _cycles(row, row.cycles) if board else made
        cycles = row.cycles + (row.stall_cycles.flash if row.stall_cycles else 0)
        each = f"{cycles / row.macs:.2f}" if row.macs else "-"
        share = f"{100 * _weight(row) / whole:.1f} %"
        figures = (made, _cycles(row, cycles), share, each)
        rows.append([str(row.index), names[row.index], clip(kernel, 19), *figures])
    lines = [f" {line}" for line in table(rows, (0, 3, 4, 5, 6), " ")]
    if len(shown) < len(layers):
        lines.append(f"   {counted(len(layers) - len(shown), 'quicker step')}   (--all)")
    return lines


def _weight(row: LayerRow) -> int:
    """What layers are compared by: cycles, or instructions of a core without timings."""
    measured = row.cycles_origin is Origin.MEASURED
    return row.all_cycles if measured or row.instructions is None else row.instructions


def _cycles(row: LayerRow, cycles: int) -> str:
    return f"{cycles:,}" if row.cycles_origin is Origin.MEASURED else f"~{cycles:,}"
