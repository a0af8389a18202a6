# SPDX-License-Identifier: Apache-2.0
"""The packer: heuristics first, then proof."""

from __future__ import annotations

from mcuplan.memory.bound import lower_bound
from mcuplan.memory.check import check_plan
from mcuplan.memory.greedy import portfolio
from mcuplan.memory.problem import MemoryPlan, Placement, Problem

__all__ = ["pack"]


def pack(
    problem: Problem,
    *,
    capacity: int | None = None,
    time_limit_s: float | None = None,
    node_limit: int | None = None,
    exact: bool = True,
) -> MemoryPlan:
    """Place the buffers of one arena in as few bytes as can be found and proved."""
    bound = lower_bound(problem)
    packing = portfolio(problem, bound.bytes, climb=exact)
    placements = tuple(map(Placement, problem.buffers, packing.offsets))
    optimal = packing.arena_bytes == bound.bytes
    plan = MemoryPlan(
        placements=placements,
        arena_bytes=packing.arena_bytes,
        lower_bound_bytes=bound.bytes,
        peak_step=bound.step,
        optimal=optimal,
        method=packing.method,
        proved_bytes=bound.bytes,
        statement="the arena equals the peak of the live bytes" if optimal else "not proved",
    )
    check_plan(problem, plan)
    return plan
