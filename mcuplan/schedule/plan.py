# SPDX-License-Identifier: Apache-2.0
"""An address for every buffer of a program, proved by the independent checker."""

from __future__ import annotations

from types import MappingProxyType

from mcuplan.memory import Problem, check_plan, pack
from mcuplan.memory.problem import MemoryPlan, Region
from mcuplan.schedule.liveness import allocate
from mcuplan.schedule.program import Plan, Program

__all__ = ["make_plan"]


def make_plan(program: Program) -> Plan:
    """Allocate and place: everything in the first RAM region that holds it, else the largest.

    The checker, which shares no code with the packers, passes every plan.
    """
    allocation = allocate(program)
    problem = Problem(allocation.buffers)
    memory = pack(problem)
    check_plan(problem, memory)
    region = _region(program.target.ram, memory)
    return Plan(program, allocation, MappingProxyType({region.name: memory}))


def _region(regions: tuple[Region, ...], memory: MemoryPlan) -> Region:
    for region in regions:
        if memory.arena_bytes <= region.usable_bytes:
            return region
    return max(regions, key=lambda region: region.usable_bytes)
