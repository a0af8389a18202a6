# SPDX-License-Identifier: Apache-2.0
"""A program, its buffers and where they lie become a plan, proved by independent checkers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.liveness import allocate
from mcuplan.schedule.assembly.row_reach import check_reach
from mcuplan.schedule.gaps import Overlaps
from mcuplan.schedule.program import (
    Allocation,
    OrderResult,
    Plan,
    Program,
    Run,
    Sharing,
    whole_runs,
)
from mcuplan.solvers.packing import check_plan, pack
from mcuplan.solvers.packing.problem import MemoryPlan, Region
from mcuplan.solvers.rows.problem import RowOrder

__all__ = ["assemble", "directed", "make_plan"]


def make_plan(
    program: Program,
    sharing: Sharing | None = None,
    order: OrderResult | None = None,
    *,
    exact: bool = True,
    checked: bool = True,
) -> Plan:
    """A plan of whole steps, each one run.

    Without ``exact`` no search follows where quick placing is not proved best. ``checked``:
    see :func:`assemble`.
    """
    sharing = sharing or Sharing()
    allocation = allocate(program, sharing)
    memory = pack(allocation.problem, exact=exact)
    runs = whole_runs(program)
    return assemble(program, allocation, runs, memory, order, sharing, checked=checked)


def assemble(
    program: Program,
    allocation: Allocation,
    runs: tuple[Run, ...],
    memory: MemoryPlan,
    order: OrderResult | RowOrder | None,
    sharing: Sharing,
    *,
    checked: bool = True,
) -> Plan:
    """Everything in the first RAM region that holds it, else the largest.

    The checker of offsets, which shares no code with the packers, passes every plan, and so
    does the one that follows every row; not without ``checked``, of a plan that is only rated.

    Raises:
        InputTooLarge: rows lie further apart than the generated code can say.
    """
    check_plan(allocation.problem, memory)
    region = _region_for(program.target.ram, memory)
    runs = directed(runs, allocation.overlaps, [p.offset for p in memory.placements])
    plan = Plan(program, allocation, MappingProxyType({region.name: memory}), runs, order)
    check_reach(plan)
    if checked:
        check_rows(plan, keep_inputs=sharing.keep_inputs)
    return plan


def directed(runs: tuple[Run, ...], overlaps: Overlaps, offsets: Sequence[int]) -> tuple[Run, ...]:
    """The runs, those backwards that buffers at these offsets ask for."""
    falling = overlaps.descending(offsets)
    return tuple(replace(run, descending=at in falling) for at, run in enumerate(runs))


def _region_for(regions: tuple[Region, ...], memory: MemoryPlan) -> Region:
    """The first region that holds an arena, else the largest."""
    for region in regions:
        if memory.arena_bytes <= region.usable_bytes:
            return region
    return max(regions, key=lambda region: region.usable_bytes)
