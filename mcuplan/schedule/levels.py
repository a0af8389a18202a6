# SPDX-License-Identifier: Apache-2.0
"""A graph becomes a plan; and what each level of planning brings."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.graph import Graph
from mcuplan.schedule.arrange import arrange
from mcuplan.schedule.plan import make_plan
from mcuplan.schedule.program import Plan, Sharing
from mcuplan.schedule.segments import Effort
from mcuplan.targets import Target

__all__ = ["Level", "levels", "plan_graph"]


@dataclass(frozen=True, slots=True)
class Level:
    """The arena with one more way of saving bytes than the level before."""

    name: str
    arena_bytes: int
    note: str


def plan_graph(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
) -> Plan:
    """Kernels, order and addresses of an int8 graph: all levels.

    The arena is never larger than with the graph's own order.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    sharing = sharing or Sharing()
    arranged = arrange(graph, target, sharing, effort)
    plan = make_plan(arranged.program, sharing, arranged.order)
    if arranged.program.graph is graph:
        return plan
    own = arrange(graph, target, sharing, reorder=False)
    other = make_plan(own.program, sharing, own.order)
    return other if _arena_bytes(other) < _arena_bytes(plan) else plan


def levels(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
) -> tuple[Level, ...]:
    """The arena of a graph level by level: what each of them brings.

    Naive is the graph's own order with a buffer for every tensor, addresses reused.
    """
    sharing = sharing or Sharing()

    def alike(views: bool, in_place: bool, overlap: bool) -> Sharing:
        return Sharing(
            views and sharing.views,
            in_place and sharing.in_place,
            overlap and sharing.overlap,
            sharing.keep_inputs,
            sharing.keep_outputs,
        )

    nothing = alike(False, False, False)
    naive = make_plan(arrange(graph, target, nothing, reorder=False).program, nothing)
    ordered = plan_graph(graph, target, nothing, effort)
    aliased = plan_graph(graph, target, alike(True, True, False), effort)
    final = plan_graph(graph, target, sharing, effort)
    return (
        Level("naive", _arena_bytes(naive), "the model's order, a buffer for every tensor"),
        Level("order", _arena_bytes(ordered), ordered.order.statement if ordered.order else ""),
        Level("in place", _arena_bytes(aliased), "; ".join(aliased.allocation.notes)),
        Level("overlap", _arena_bytes(final), _overlap_note(final)),
    )


def _arena_bytes(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


def _overlap_note(plan: Plan) -> str:
    """How many outputs start inside their input's bytes."""
    pairs = [p for of_step in plan.allocation.overlaps.pairs.values() for p in of_step]
    buffers = plan.allocation.buffers
    places = [plan.place(buffer.name) for buffer in buffers]
    shared = 0
    for pair in pairs:
        (region, low), (other, high) = places[pair.output], places[pair.source]
        ends = low + buffers[pair.output].nbytes, high + buffers[pair.source].nbytes
        shared += region == other and low < ends[1] and high < ends[0]
    return f"{shared} outputs start among the rows of their input that are done with"
