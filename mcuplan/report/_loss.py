# SPDX-License-Identifier: Apache-2.0
"""What there is to save for some loss: channels that readers hardly see, other types."""

from __future__ import annotations

from mcuplan.record import Budget
from mcuplan.report._format import Look
from mcuplan.report._text import counted, table
from mcuplan.units import format_bytes, format_si

__all__ = ["near_dead_lines", "type_lines", "types_of"]

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


def types_of(options: tuple[str, ...]) -> str:
    """What options change, without the names of layers."""
    if not options:
        return "as asked for"
    narrow = sum(option.endswith("=int4") for option in options)
    kept = sum(option.endswith("=int8") for option in options)
    if narrow:
        return f"int4 weights in {counted(narrow, 'layer')}"
    if kept or "--weight-dtype int4" in options:
        return f"int4 weights but in {counted(kept, 'layer')}" if kept else "int4 weights"
    wide = sum(option.endswith("=int16") for option in options)
    return f"int16 in {counted(wide, 'layer')}" if wide else "int16"


def type_lines(budget: Budget, look: Look) -> list[str]:
    """Plans with other types of some layers, by flash; the one that meets the limits is marked."""
    points = budget.calibration.types if budget.calibration is not None else ()
    if not points:
        return []
    rows = [["", "loss %", "flash", "RAM", "cycles", "types"]]
    for point in points:
        figures = [format_bytes(point.flash_bytes), format_bytes(point.ram_bytes)]
        figures += [format_si(point.cycles), types_of(point.options)]
        rows.append([">" if point.chosen else "", f"{point.loss:.2f}", *figures])
    what = f"loss: {points[0].measure} against the float model on samples of calibration; each is"
    lines = [f" {line}".rstrip() for line in table(rows, (1, 2, 3, 4))]
    return lines + look.wrap(f"{what} planned anew, code and cycles modelled", " ", " ")
