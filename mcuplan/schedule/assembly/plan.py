# SPDX-License-Identifier: Apache-2.0
"""An address for every buffer of a program, proved by the independent checker."""

from __future__ import annotations

from types import MappingProxyType

from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.liveness import allocate
from mcuplan.schedule.program import OrderResult, Plan, Program, Sharing, whole_runs
from mcuplan.solvers.packing import check_plan, pack
from mcuplan.solvers.packing.problem import MemoryPlan, Region

__all__ = ["make_plan", "region_for"]


def make_plan(
    program: Program,
    sharing: Sharing | None = None,
    order: OrderResult | None = None,
    *,
    exact: bool = True,
    checked: bool = True,
) -> Plan:
    """Allocate and place: everything in the first RAM region that holds it, else the largest.

    Without ``exact`` no search follows where quick placing is not proved best.

    The checker, which shares no code with the packers, passes every plan, and so does the
    one that follows every row; not without ``checked``, of a plan that is only rated.
    """
    sharing = sharing or Sharing()
    allocation = allocate(program, sharing)
    problem = allocation.problem
    memory = pack(problem, exact=exact)
    check_plan(problem, memory)
    region = region_for(program.target.ram, memory)
    descending = allocation.overlaps.descending([p.offset for p in memory.placements])
    runs = whole_runs(program, descending)
    plan = Plan(program, allocation, MappingProxyType({region.name: memory}), runs, order)
    if checked:
        check_rows(plan, keep_inputs=sharing.keep_inputs)
    return plan


def region_for(regions: tuple[Region, ...], memory: MemoryPlan) -> Region:
    """The first region that holds an arena, else the largest."""
    for region in regions:
        if memory.arena_bytes <= region.usable_bytes:
            return region
    return max(regions, key=lambda region: region.usable_bytes)
