# SPDX-License-Identifier: Apache-2.0
"""Channels that readers hardly see, layer by layer."""

from __future__ import annotations

from mcuplan.record import Budget
from mcuplan.report._format import Look
from mcuplan.report._text import counted, table
from mcuplan.units import format_si

__all__ = ["near_dead_lines"]

_NAME_WIDTH, _SHOWN = 24, 8


def near_dead_lines(budget: Budget, look: Look) -> list[str]:
    """What they cost; the layers with most of them, or all where that was asked for."""
    seen = budget.calibration
    if seen is None or not seen.near_dead:
        return []
    order = sorted(seen.near_dead, key=lambda row: (-row.macs, -row.weights_bytes))
    shown = order if look.every_layer else order[:_SHOWN]
    rows = [["near-dead in", "channels", "MACs", "RAM B", "flash B", ""]]
    names = look.names([row.layer for row in shown], _NAME_WIDTH)
    for name, row in zip(names, shown, strict=True):
        figures = [f"{row.channels:,} of {row.of:,}", format_si(row.macs)]
        figures += [f"{row.activation_bytes:,}", f"{row.weights_bytes:,}"]
        rows.append([name, *figures, "removed" if row.removed else ""])
    more = len(order) - len(shown)
    lines = [f" {line}".rstrip() for line in table(rows, (1, 2, 3, 4))]
    return lines + ([f" {counted(more, 'more layer')}"] if more else [])
