# SPDX-License-Identifier: Apache-2.0
"""What each level of planning brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Op
from mcuplan.plan_facts import (
    Aliased,
    AsAWhole,
    Naive,
    NoGainByRows,
    Overlapped,
    TooManyRows,
)
from mcuplan.schedule.assembly.arrange import arrange
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.assembly.row_local import has_too_many_rows
from mcuplan.schedule.kernels.select import candidates_of, program_of
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.planning.making import placed
from mcuplan.schedule.program import OrderResult, Plan, Program, Sharing, Spread, Streaming
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.packing.conflicts import Conflicts
from mcuplan.solvers.packing.greedy import Packing, first_fit
from mcuplan.solvers.packing.problem import MemoryPlan, Placement
from mcuplan.solvers.packing.table import ranked
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.targets import Target

__all__ = ["Level", "copied_joins", "levels", "naive_plan"]


@dataclass(frozen=True, slots=True)
class ByRows:
    """So many steps run row by row, in an order of rows; the input may be fed that way, too."""

    steps: int
    fed: bool
    order: RowOrder


@dataclass(frozen=True, slots=True)
class Arenas:
    """The arenas of a plan, and how buffers were given to the regions where that was a choice."""

    memory: Mapping[str, MemoryPlan]
    spread: Spread | None

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Of a plan."""
        return cls(plan.memory, plan.spread)


Reason = (
    Aliased
    | Arenas
    | AsAWhole
    | ByRows
    | Naive
    | NoGainByRows
    | OrderResult
    | Overlapped
    | TooManyRows
)
"""Why the arena of a level is what it is."""


@dataclass(frozen=True, slots=True)
class Level:
    """The arena with one more way of saving bytes than the level before, and why."""

    name: str
    arena_bytes: int
    why: Reason


def levels(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    plan: Plan | None = None,
    *,
    streaming: Streaming = "off",
) -> tuple[Level, ...]:
    """The arena of a graph level by level: what each of them brings.

    Naive is the graph's own order with a buffer for every tensor. Up to the last level the
    buffers are placed largest first, each at the lowest free offset, as planners usually do;
    a level that does not pay with this placement keeps the bytes of the one before.

    All levels run the kernels of the last one.

    Args:
        graph: a lowered graph in its own order.
        target: for what chip.
        sharing: what the plan may use; a level that it may not use brings nothing.
        effort: how long to look for the order.
        plan: the plan of all this, where it is known.
        streaming: as the plan was asked for; "off" has no level of that name.
    """
    sharing = sharing or Sharing()
    final = plan or plan_graph(graph, target, sharing, effort, streaming=streaming)
    whole = plan_graph(graph, target, sharing, effort) if _by_rows(final) else final
    copying = _with_kernels_of(whole, graph)
    nothing = _nothing(sharing)
    naive = _naive(graph, copying, nothing)
    ordered = placed(copying, nothing, effort)
    aliased = placed(copying, replace(sharing, overlap=False), effort)
    order = ordered.order
    stages: tuple[tuple[str, Plan, Reason], ...] = (
        ("naive", naive, Naive()),
        ("order", ordered, order if isinstance(order, OrderResult) else Naive()),
        ("in place", aliased, _aliased(whole)),
        ("overlap", whole, _overlapped(whole)),
        ("streaming", final, _streamed(final)),
    )
    found: list[Level] = []
    for name, stage, why in stages[: 4 if streaming == "off" else 5]:
        arena = min([_greedy_bytes(stage), *(level.arena_bytes for level in found[-1:])])
        found.append(Level(name, arena, why))
    return (*found, Level("placement", final.arena_bytes, Arenas.of(final)))


def naive_plan(graph: Graph, plan: Plan, sharing: Sharing) -> Plan:
    """The graph's own order with a buffer for every tensor, largest first as low as they go.

    Args:
        graph: a lowered graph in its own order.
        plan: of that graph; its kernels run.
        sharing: what the plan may use; only what callers rely on remains.
    """
    naive = _naive(graph, _with_kernels_of(plan, graph), _nothing(sharing))
    buffers, packing = naive.allocation.buffers, _largest_first(naive)
    (region, memory), *_ = naive.memory.items()
    places = tuple(map(Placement, buffers, packing.offsets))
    packed = replace(memory, placements=places, arena_bytes=packing.arena_bytes, optimal=False)
    return replace(naive, memory={region: packed})


def _nothing(sharing: Sharing) -> Sharing:
    return replace(sharing, views=False, in_place=False, overlap=False)


def _naive(graph: Graph, copying: Program, nothing: Sharing) -> Plan:
    own = arrange(graph, copying.target, nothing, reorder=False, copying=copying)
    return make_plan(own.program, nothing)


def _with_kernels_of(plan: Plan, graph: Graph) -> Program:
    """A graph with the kernels of its plan; what is a view there gets its fastest one."""
    kernels = {step.node.name: step.kernel for step in plan.program.steps}
    target = plan.program.target
    chosen = {
        name: next((c for c in ways if c.step.kernel == kernels.get(name)), ways[0])
        for name, ways in candidates_of(graph, target).items()
    }
    return program_of(graph, target, chosen)


def copied_joins(program: Program) -> tuple[str, ...]:
    """Joins that run as steps, by the names of their nodes in the model."""
    return tuple(
        program.graph.node_name(step.node)
        for step in program.steps
        if type(step.node.op).join_offsets is not Op.join_offsets
    )


def _by_rows(plan: Plan) -> bool:
    """Whether an order of rows is behind a plan."""
    return isinstance(plan.order, RowOrder)


def _greedy_bytes(plan: Plan) -> int:
    """The arena when the buffers of a plan are placed largest first."""
    if _by_rows(plan):
        return plan.arena_bytes
    return _largest_first(plan).arena_bytes


def _largest_first(plan: Plan) -> Packing:
    buffers = plan.allocation.buffers
    rank = ranked([-b.nbytes for b in buffers], [b.live.start for b in buffers])
    return first_fit(Conflicts(plan.allocation.problem), rank)


def _aliased(plan: Plan) -> Aliased:
    """How many steps run in place, what is no step, and which joins still copy."""
    allocation = plan.allocation
    copied = copied_joins(plan.program)
    return Aliased(len(allocation.in_place), len(allocation.without_copy), copied)


def _streamed(plan: Plan) -> AsAWhole | ByRows | NoGainByRows | TooManyRows:
    """How many steps run row by row and in what order of rows, or why none does."""
    if plan.as_a_whole is not None:
        return plan.as_a_whole
    if not isinstance(plan.order, RowOrder):
        return TooManyRows() if has_too_many_rows(plan.program) else NoGainByRows()
    divided = sum(len(plan.runs_of[step.index]) > 1 for step in plan.program.steps)
    return ByRows(divided, bool(plan.fed_rows), plan.order)


def _overlapped(plan: Plan) -> Overlapped:
    """How many outputs start inside their input's bytes."""
    pairs = [p for of_step in plan.allocation.overlaps.pairs.values() for p in of_step]
    buffers = plan.allocation.buffers
    places = [plan.places[buffer.name] for buffer in buffers]
    shared = 0
    for pair in pairs:
        (region, low), (other, high) = places[pair.output], places[pair.source]
        ends = low + buffers[pair.output].nbytes, high + buffers[pair.source].nbytes
        shared += region == other and low < ends[1] and high < ends[0]
    return Overlapped(shared)
