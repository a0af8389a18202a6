# SPDX-License-Identifier: Apache-2.0
"""What a plan with other types may need and lose, and which of several is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mcuplan.budget.assess import layer_rows
from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.record import Evidence, Limits, Planned, TypePoint
from mcuplan.schedule.kernels.objective import MORE_CYCLES

__all__ = ["Bounds", "bounds_of", "figures", "figures_of"]

_ALIKE = 1.05  # times the least loss that is no difference worth cycles
_SMALL = 1.02  # times the least flash, where that is what is looked for


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most of each that a plan may need, and lose; infinite where that is not limited.

    ``by_loss``: of plans within bounds that which loses least, or about as little and is fastest;
    else that which loses least of those of about the least flash. ``in_proportion``: times the
    cycles as asked for that such a plan may take, where time has no limit; None: it has, or the
    plan is taken by loss. ``alike``: times the least flash that is no difference worth loss.
    """

    flash_bytes: float
    ram_bytes: float
    cycles: float
    loss: float
    by_loss: bool
    in_proportion: float | None = None
    alike: float = 1.0

    def holds(self, point: TypePoint) -> bool:
        """Whether a plan is within them."""
        return point.loss <= self.loss and self.fits(figures(point))

    def fits(self, needed: Sequence[float]) -> bool:
        """The same of flash, RAM and cycles."""
        most = (self.flash_bytes, self.ram_bytes, self.cycles)
        return all(own <= each for own, each in zip(needed, most, strict=True))

    def best(self, points: Sequence[TypePoint]) -> TypePoint | None:
        """The plan to take; None: none is within bounds."""
        within = [point for point in points if self.holds(point)]
        if not within:
            return None
        if not self.by_loss:
            least = self.alike * min(point.flash_bytes for point in within)
            small = [point for point in within if point.flash_bytes <= least]
            return min(small, key=lambda p: (p.loss, p.flash_bytes, p.cycles))
        alike = _ALIKE * min(point.loss for point in within)
        near = [p for p in within if p.loss <= max(alike, 0.0)] or within
        return min(near, key=lambda p: (p.cycles, p.loss, p.flash_bytes))


def bounds_of(
    planned: Planned, limits: Limits, loss: float = math.inf, *, for_flash: bool = False
) -> Bounds:
    """What the target has, or what was asked for.

    Args:
        planned: as it was asked for.
        limits: of the user.
        loss: percent that outputs may lose.
        for_flash: least flash is looked for; it is not bought with more cycles than `balanced`
            would pay for RAM, where time has no limit.
    """
    flash, ram = flash_bill(planned.plan, limits, None), ram_bill(planned.plan, limits, None)
    latency, clock = limits.max_latency_s, planned.request.target.clock_hz
    asked = (limits.max_flash, limits.max_ram, latency) != (None,) * 3
    times = MORE_CYCLES if for_flash and latency is None else None
    cycles = math.inf if latency is None else latency * clock
    if times is not None:
        cycles = times * figures_of(planned)[2]
    by_loss = asked and not for_flash
    alike = _SMALL if for_flash else 1.0
    return Bounds(flash.budget_bytes, ram.budget_bytes, cycles, loss, by_loss, times, alike)


def figures_of(planned: Planned) -> tuple[int, int, int]:
    """Bytes of flash and RAM, and cycles."""
    plan, none = planned.plan, Limits()
    rows = layer_rows(plan, Evidence(), planned.removal)
    flash, ram = flash_bill(plan, none, None), ram_bill(plan, none, None)
    return flash.total_bytes, ram.total_bytes, sum(row.all_cycles for row in rows)


def figures(point: TypePoint) -> tuple[int, int, int]:
    """Of a point, in the same order."""
    return point.flash_bytes, point.ram_bytes, point.cycles
