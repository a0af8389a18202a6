# SPDX-License-Identifier: Apache-2.0
"""The frontier of recompute as rows of the report."""

from __future__ import annotations

from mcuplan.record import FrontierRow
from mcuplan.schedule.explore.frontier import FrontierPoint
from mcuplan.units import Origin

__all__ = ["frontier_row"]


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
