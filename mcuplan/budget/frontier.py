# SPDX-License-Identifier: Apache-2.0
"""Frontiers as the report has them: of recompute, and of types."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.findings import Finding, Severity
from mcuplan.record import MEAN_ERROR, RELATIVE_ERROR, FrontierRow, TypePoint
from mcuplan.safe_text import arguments
from mcuplan.schedule.explore.frontier import FrontierPoint
from mcuplan.units import Origin

__all__ = ["frontier_row", "type_findings"]


def frontier_row(point: FrontierPoint) -> FrontierRow:
    """One point; what the plan itself needs is known exactly."""
    return FrontierRow(
        point.limit,
        round(point.factor, 4),
        point.macs,
        point.ram_bytes,
        point.layers,
        point.tiles,
        Origin.MODELLED if point.layers else Origin.EXACT,
    )


def type_findings(points: Sequence[TypePoint]) -> list[Finding]:
    """A note that says how the plan is asked for that meets the limits, where it is another one."""
    chosen = next((point for point in points if point.chosen and point.options), None)
    if chosen is None:
        return []
    needs = f"{chosen.flash_bytes:,} B of flash, {chosen.ram_bytes:,} B of RAM, {chosen.cycles:,}"
    text = f"{needs} cycles, {_lost(chosen)} the float model"
    how = "taken, as it is within the limits" if chosen.taken else "within the limits"
    hint = arguments(chosen.options)
    return [Finding("quant/types", Severity.NOTE, f"{how}: {text}", hint=hint)]


def _lost(point: TypePoint) -> str:
    """By how much of what outputs are worse than those of the float model; better: less than 0."""
    match point.measure:
        case measure if measure == RELATIVE_ERROR:
            return f"{measure} {point.loss:.2f} % off"
        case measure if measure == MEAN_ERROR:
            return f"{measure} {point.loss:+.2f} % of the mean label beyond that of"
        case measure:
            return f"{point.loss:.2f} points of {measure} below"
