# SPDX-License-Identifier: Apache-2.0
"""Plans in place of those that break a limit of flash, or of RAM by their stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mcuplan.schedule.kernels.flash_price import price_of
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import Offers, flash_room
from mcuplan.schedule.kernels.smallest import least_flash
from mcuplan.schedule.planning.by_rows import ByRows
from mcuplan.schedule.planning.rating import Rating, apart_bytes, plan_flash
from mcuplan.schedule.program import Plan

__all__ = ["Held", "instead"]

_FAR_OVER = 1.2  # times the flash
_LITTLE_RAM = (Objective.RAM, Objective.RAM_STRICT)
_Make = Callable[[Offers, Aim], Plan]


@dataclass(frozen=True, slots=True)
class Held:
    """What plans are held by: memory by their rating, and cycles."""

    rating: Rating
    most_cycles: float

    def keeps(self, plan: Plan) -> bool:
        """Whether a plan keeps the limits of RAM, flash and time."""
        kept = self.rating.fits(plan) and self.rating.in_flash(plan)
        return kept and self.rating.cycles(plan) <= self.most_cycles

    def instead_of(self, plan: Plan, rows: ByRows, aim: Aim, make: _Make) -> Plan:
        """Another plan that keeps all limits, where one is over the flash; else that one.

        So, too, where it is over the RAM by no more than its stack may be. Where little RAM is
        asked for the other plan has kernels for that, of the functions that fit.

        Args:
            plan: what was asked for.
            rows: the graph, and its candidates.
            aim: what the plan was made for.
            make: makes plans of other candidates.
        """
        offers = rows.offers.short_of_flash()
        if not self._is_near(plan) or _hopeless(rows, offers, aim):
            return plan
        found = self._found(offers, aim, make)
        if found is None:
            return plan
        if aim.objective in _LITTLE_RAM:
            functions = frozenset(step.kernel.function for step in found.program.steps)
            lean = make(offers.short_of_flash(functions), aim)
            if self.keeps(lean) and lean.arena_bytes < found.arena_bytes:
                return lean
        return instead(found, aim.objective)

    def _is_near(self, plan: Plan) -> bool:
        """Whether a plan breaks a limit that other kernels may keep."""
        rating = self.rating
        if not rating.in_flash(plan):
            return True
        return not rating.fits(plan) and rating.fits(plan, apart_bytes(plan) // 2)

    def _found(self, offers: Offers, aim: Aim, make: _Make) -> Plan | None:
        """The plan of the fastest kernels that leave the flash for its tables, or the smallest.

        These first where little RAM is asked for: they leave more for tables of rows.
        """
        limit, beside = flash_room(offers.target, aim.flash_limit), 0
        tried, known = (Objective.LATENCY, Objective.LATENCY, Objective.FLASH), set[Aim]()
        for objective in reversed(tried) if aim.objective in _LITTLE_RAM else tried:
            wanted = replace(aim, objective=objective, flash_beside=beside)
            if wanted in known:
                continue
            known.add(wanted)
            found = make(offers, wanted)
            if self.keeps(found):
                return found
            beside = max(0, plan_flash(found) - limit)
        return None


def _hopeless(rows: ByRows, offers: Offers, aim: Aim) -> bool:
    """Whether the smallest kernels are over the flash by far: other forms save little code."""
    ways, limit = offers.of(rows.graph), flash_room(offers.target, aim.flash_limit)
    return least_flash(ways, price_of(rows.graph, offers.target, ways)) > _FAR_OVER * limit


def instead(plan: Plan, asked: Objective) -> Plan:
    """A plan in place of that of another objective, which misses a limit."""
    selected = plan.selected
    assert selected is not None, "its kernels were chosen"
    return replace(plan, selected=replace(selected, instead_of=asked.value, among_fitting=False))
