# SPDX-License-Identifier: Apache-2.0
"""The frontier of recompute as rows of the report."""

from __future__ import annotations

from mcuplan.record import FrontierRow
from mcuplan.schedule.explore.frontier import Price
from mcuplan.units import Origin

__all__ = ["frontier_row"]


def frontier_row(price: Price) -> FrontierRow:
    """One price; what the plan itself needs is known exactly."""
    return FrontierRow(
        price.limit,
        round(price.factor, 4),
        price.macs,
        price.ram_bytes,
        price.layers,
        price.tiles,
        Origin.MODELLED if price.layers else Origin.EXACT,
    )
