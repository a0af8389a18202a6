# SPDX-License-Identifier: Apache-2.0
"""Cycles in words, and layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcuplan.record import Budget, Latency, LayerRow
from mcuplan.report._format import Look
from mcuplan.report._text import clip, counted, table
from mcuplan.safe_text import plain
from mcuplan.units import Origin

__all__ = ["cycle_lines", "how_known"]

_SHOWN = 8
_NAME_WIDTH = 18


def how_known(latency: Latency) -> str:
    """Where the cycles come from, and how far they may be off."""
    if latency.origin is Origin.MEASURED:
        return "counted on the emulator"
    if latency.origin is not Origin.MODELLED:
        return latency.origin.value
    if latency.error is None:
        return "modelled by rates, error not known"
    return f"modelled, +-{max(1, math.ceil(100 * latency.error))} % at 0 wait states"


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
    rows = [["#", "layer", "kernel", "instructions", "cycles", "all", "/MAC"]]
    for row in shown:
        kernel = plain(row.kernel).removeprefix("mplan_")
        made = f"{row.instructions:,}" if row.instructions is not None else "-"
        each = f"{row.cycles / row.macs:.2f}" if row.macs else "-"
        share = f"{100 * _weight(row) / whole:.1f} %"
        figures = (made, _cycles(row), share, each)
        rows.append([str(row.index), names[row.index], clip(kernel, 19), *figures])
    lines = [f" {line}" for line in table(rows, (0, 3, 4, 5, 6), " ")]
    if len(shown) < len(layers):
        lines.append(f"   {counted(len(layers) - len(shown), 'quicker step')}   (--all)")
    return lines


def _weight(row: LayerRow) -> int:
    """What layers are compared by: cycles, or instructions of a core without timings."""
    measured = row.cycles_origin is Origin.MEASURED
    return row.cycles if measured or row.instructions is None else row.instructions


def _cycles(row: LayerRow) -> str:
    return f"{row.cycles:,}" if row.cycles_origin is Origin.MEASURED else f"~{row.cycles:,}"
