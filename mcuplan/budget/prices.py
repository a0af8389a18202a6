# SPDX-License-Identifier: Apache-2.0
"""The frontier of recompute as rows of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcuplan.record import Budget, FrontierRow
from mcuplan.schedule.explore.frontier import Price
from mcuplan.units import Origin

__all__ = ["with_frontier"]


def with_frontier(budget: Budget, prices: Sequence[Price]) -> Budget:
    """The report with what recompute would buy; no figure of the plan changes."""
    return replace(budget, frontier=tuple(map(_row, prices)))


def _row(price: Price) -> FrontierRow:
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
