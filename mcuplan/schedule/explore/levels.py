# SPDX-License-Identifier: Apache-2.0
"""A graph becomes a plan; and what each level of planning brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from mcuplan.errors import InputTooLarge, UsageError
from mcuplan.facts import (
    Aliased,
    AsAWhole,
    Naive,
    NoGainByRows,
    NotWorthCycles,
    Overlapped,
    RowsTooFar,
    SlowerByRows,
    TooManyRows,
)
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Kernel, Op
from mcuplan.schedule.assembly.aliases import possible_views
from mcuplan.schedule.assembly.arrange import arrange
from mcuplan.schedule.assembly.backwards import chosen_backwards
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.assembly.row_local import has_too_many_rows
from mcuplan.schedule.assembly.streamed import plan_rows
from mcuplan.schedule.kernels.choose import Placer, choose, kernels_of
from mcuplan.schedule.kernels.objective import Objective, Selection, price
from mcuplan.schedule.kernels.select import Candidate, candidates_of, program_of
from mcuplan.schedule.program import OrderResult, Plan, Program, Selected, Sharing, Spread
from mcuplan.solvers.packing.conflicts import Conflicts
from mcuplan.solvers.packing.greedy import first_fit
from mcuplan.solvers.packing.problem import MemoryPlan
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.solvers.steps.segments import Effort
from mcuplan.targets import Target

__all__ = ["Level", "Streaming", "copied_joins", "input_arenas", "levels", "plan_graph"]

Streaming = Literal["off", "auto", "input"]
"""Whether steps run row by row: never, where that pays, and with rows of the input fed."""


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


def plan_graph(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    selection: Selection | None = None,
    *,
    streaming: Streaming = "off",
) -> Plan:
    """Kernels, order and addresses of an int8 graph: all levels.

    The arena is never larger than with the graph's own order, nor than without streaming
    unless the input is fed or latency is asked for.

    Args:
        graph: an int8 graph.
        target: for what chip.
        sharing: what the plan may use.
        effort: how long to look for the order.
        selection: what kernels are chosen for, and what they cost.
        streaming: "auto": by rows where that needs less, for latency where it is faster;
            "input": by rows that are fed.

    Raises:
        Problems: nodes that no kernel runs, all of them.
        UsageError: the input cannot be fed.
    """
    sharing, selection = sharing or Sharing(), selection or Selection()
    if streaming == "input":
        fed = plan_rows(graph, target, sharing, effort, selection, feed=True)
        assert fed is not None, "an input that can be fed has rows"
        return fed
    whole = _plan_whole(graph, target, sharing, effort, selection)
    if streaming == "off":
        return whole
    latency, arena = selection.objective is Objective.LATENCY, _arena_bytes(whole)
    enough = None if latency else arena
    try:
        by_rows = plan_rows(graph, target, sharing, effort, selection, enough=enough)
    except InputTooLarge as error:
        by_rows, whole = None, replace(whole, as_a_whole=RowsTooFar(error.message))
    if not latency:
        return whole if by_rows is None else _leaner(by_rows, whole, selection)
    best = whole if by_rows is None else _faster(by_rows, whole, selection)
    if selection.fits(best):
        return best
    others = _smaller(graph, target, sharing, effort, selection)
    found = _fastest([best, *others], selection)
    return found if found is best else replace(found, selected=_as_latency(found))


def _smaller(
    graph: Graph, target: Target, sharing: Sharing, effort: Effort | None, selection: Selection
) -> Iterator[Plan]:
    """Plans of other objectives, where what latency asks for does not fit; least first."""
    for objective in (Objective.RAM_STRICT, Objective.RAM, Objective.BALANCED):
        wanted = replace(selection, objective=objective)
        plan = plan_graph(graph, target, sharing, effort, wanted, streaming="auto")
        yield plan
        if not selection.fits(plan):
            break  # nor does anything else


def _as_latency(plan: Plan) -> Selected | None:
    """Of a plan that was made for another objective."""
    selected, objective = plan.selected, Objective.LATENCY.value
    return selected and replace(selected, objective=objective, among_fitting=True)


def _fastest(plans: Sequence[Plan], selection: Selection) -> Plan:
    """The plan with the least cycles of those that fit, then with the least arena."""
    return min(plans, key=lambda p: (not selection.fits(p), selection.cycles(p), _arena_bytes(p)))


def _faster(by_rows: Plan, whole: Plan, selection: Selection) -> Plan:
    """The faster plan; where both are as fast, the one that needs less."""
    if _fastest([whole, by_rows], selection) is by_rows:
        return by_rows
    more = 100 * (selection.cycles(by_rows) / max(1.0, selection.cycles(whole)) - 1)
    return replace(whole, as_a_whole=SlowerByRows(more)) if more > 0 else whole


def _leaner(by_rows: Plan, whole: Plan, selection: Selection) -> Plan:
    """The plan by rows where it needs less, and for `ram` where that is worth its cycles."""
    sizes = _arena_bytes(by_rows), _arena_bytes(whole)
    if sizes[0] >= sizes[1]:
        return whole
    if selection.objective is not Objective.RAM or not selection.fits(whole):
        return by_rows
    cycles = selection.cycles(by_rows), selection.cycles(whole)
    if price(sizes[0], cycles[0]) <= price(sizes[1], cycles[1]):
        return by_rows
    return replace(whole, as_a_whole=NotWorthCycles(sizes[1] - sizes[0]))


def _plan_whole(
    graph: Graph, target: Target, sharing: Sharing, effort: Effort | None, selection: Selection
) -> Plan:
    """Every step as a whole, with kernels for the objective."""
    maker = _Maker(graph, target, sharing, effort)
    placer = Placer(maker.place, _arena_bytes, maker.finish)
    ways = candidates_of(graph, target)
    choice = choose(ways, selection, placer)
    choice = chosen_backwards(choice, ways, selection, placer, sharing)
    plans = [choice.placed]
    if selection.objective is Objective.LATENCY:
        fastest = program_of(graph, target, {name: found[0] for name, found in ways.items()})
        if possible_views(graph):
            plans.append(_placed(fastest, sharing, effort, eager=True))
        if any(run.descending for plan in plans for run in plan.runs):
            # rows made backwards may take longer
            onwards = replace(sharing, backwards=False)
            plans.append(_placed(fastest, onwards, effort, eager=True))
    best = plans[0] if len(plans) == 1 else _fastest(plans, selection)
    check_rows(best, keep_inputs=sharing.keep_inputs)
    return replace(best, selected=Selected(selection.objective.value, choice.trade))


@dataclass(slots=True)
class _Maker:
    """Plans of one graph with different kernels; the order is searched for the first of them."""

    graph: Graph
    target: Target
    sharing: Sharing
    effort: Effort | None
    first: Plan | None = None
    searched: tuple[Kernel, ...] = ()

    def place(self, chosen: Mapping[str, Candidate]) -> Plan:
        """A plan in the order of the first one."""
        if self.first is None:
            self.first, self.searched = self.finish(chosen), kernels_of(chosen)
            return self.first
        graph = self.first.program.graph
        copying = program_of(graph, self.target, chosen)
        arranged = arrange(graph, self.target, self.sharing, reorder=False, copying=copying)
        return make_plan(arranged.program, self.sharing, arranged.order, checked=False)

    def finish(self, chosen: Mapping[str, Candidate]) -> Plan:
        """A plan in the best order for its own kernels."""
        if self.first is not None and kernels_of(chosen) == self.searched:
            return self.first
        copying = program_of(self.graph, self.target, chosen)
        return _placed(copying, self.sharing, self.effort)


def _placed(
    copying: Program, sharing: Sharing, effort: Effort | None, *, eager: bool = False
) -> Plan:
    """The plan of given kernels, one for every node that is no view by itself; not checked yet.

    ``eager``: without copies that a view saves, whatever their arena is.
    """
    graph, target = copying.graph, copying.target
    arranged = arrange(graph, target, sharing, effort, copying=copying, eager=eager)
    plan = make_plan(arranged.program, sharing, arranged.order, checked=False)
    if arranged.program.graph is graph:
        return plan
    own = arrange(graph, target, sharing, reorder=False, copying=copying, eager=eager)
    other = make_plan(own.program, sharing, own.order, checked=False)
    return other if _arena_bytes(other) < _arena_bytes(plan) else plan


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
        graph: an int8 graph in its own order.
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
    nothing = replace(sharing, views=False, in_place=False, overlap=False)
    own = arrange(graph, target, nothing, reorder=False, copying=copying)
    naive = make_plan(own.program, nothing)
    ordered = _placed(copying, nothing, effort)
    aliased = _placed(copying, replace(sharing, overlap=False), effort)
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
    return (*found, Level("placement", _arena_bytes(final), Arenas.of(final)))


def _with_kernels_of(plan: Plan, graph: Graph) -> Program:
    """A graph with the kernels of its plan; what is a view there gets its fastest one."""
    kernels = {step.node.name: step.kernel for step in plan.program.steps}
    target = plan.program.target
    chosen = {
        name: next((c for c in ways if c.step.kernel == kernels.get(name)), ways[0])
        for name, ways in candidates_of(graph, target).items()
    }
    return program_of(graph, target, chosen)


def input_arenas(
    graph: Graph,
    target: Target,
    plan: Plan,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    selection: Selection | None = None,
) -> tuple[int, int] | None:
    """The arena with the input held as a whole, and with its rows fed; None: it cannot be fed.

    ``plan`` is one of the two.
    """
    known = _arena_bytes(plan)
    if plan.fed_rows:
        return _arena_bytes(
            plan_graph(graph, target, sharing, effort, selection, streaming="auto")
        ), known
    try:
        fed = plan_graph(graph, target, sharing, effort, selection, streaming="input")
    except UsageError:
        return None
    return known, _arena_bytes(fed)


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


def _arena_bytes(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


def _greedy_bytes(plan: Plan) -> int:
    """The arena when the buffers of a plan are placed largest first."""
    if _by_rows(plan):
        return _arena_bytes(plan)
    buffers, problem = plan.allocation.buffers, plan.allocation.problem
    order = sorted(range(len(buffers)), key=lambda i: (-buffers[i].nbytes, buffers[i].live.start))
    offsets = first_fit(problem, Conflicts(problem), order)
    return max((at + b.nbytes for at, b in zip(offsets, buffers, strict=True)), default=0)


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
