# SPDX-License-Identifier: Apache-2.0
"""Plans that run row by row: an order of rows, a buffer for each row, addresses, proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mcuplan.errors import InputTooLarge
from mcuplan.ir.op import Kernel
from mcuplan.price.cycles import calls_timing, expected_cycles
from mcuplan.schedule.assembly.plan import assemble
from mcuplan.schedule.assembly.row_layout import lay_out
from mcuplan.schedule.assembly.row_local import RowProgram
from mcuplan.schedule.assembly.row_reach import unit_for
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.program import FEED, Allocation, Plan, Run, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.packing import MemoryPlan, Packer, Problem
from mcuplan.solvers.packing.bound import lower_bound
from mcuplan.solvers.rows.order import find_row_order, smooth
from mcuplan.solvers.rows.pace import pace
from mcuplan.solvers.rows.problem import RowGraph, RowOrder, RowStep
from mcuplan.units import align_up

__all__ = ["Packed", "best_of", "fed", "least_bytes", "plans_in_reach", "streamed_plan"]

_FAR = 0.10  # of the peak: that the arena may be larger
_FOR_LONGER_RUNS = 0.02  # of the peak: fewer calls, and pairs of pixels across rows
_FOR_THE_LAST_BYTE = 0.05  # of the peak: an order that may lie better
_FEW = 400  # buffers: other places for the inputs are tried
_PLACES = 8
_LEAST_UNIT = 4  # bytes
_FOR_EVEN_ROWS = 0.02  # of the peak: rows of the input that come before they are read

_Found = tuple[Allocation, tuple[Run, ...], MemoryPlan]


def fed(rowed: RowProgram, found: RowOrder, aim: Aim, packed: Packed, limit: int) -> Plan:
    """The plan whose rows of the input bring little work each.

    Runs stay short: long ones wait for many rows, and then take as long as all of them.
    """
    feed, peak = rowed.steps.index(FEED), found.peak_bytes
    if aim.objective in (Objective.BALANCED, Objective.LATENCY):
        peak += int(_FOR_EVEN_ROWS * peak)
    costs = [_move_cycles(rowed, number) for number in range(len(rowed.steps))]
    order = pace(rowed.graph, found, feed, costs, limit=peak, most=aim.row_cycles)
    paced = packed(rowed, order)
    if aim.objective is not Objective.RAM_STRICT or aim.row_cycles:
        return paced
    return min(paced, best_of(rowed, found, aim, packed, limit), key=lambda p: p.arena_bytes)


def _move_cycles(rowed: RowProgram, number: int) -> int:
    """Modelled cycles of a move of a row step."""
    if rowed.steps[number] == FEED:
        return 0
    step, count = rowed.program.steps[rowed.steps[number]], len(rowed.runs[number])
    rows = tuple(end - first for first, end in rowed.runs[number])
    expected = expected_cycles(step.kernel, step.signature, rowed.program.target, rows)
    return round(expected.total / count + calls_timing().fed)


def best_of(rowed: RowProgram, found: RowOrder, aim: Aim, packed: Packed, limit: int) -> Plan:
    """The plan with few long runs, or that of the order as found where its arena is smaller.

    Rows that are made together lie less well. For latency runs are as long as ``limit`` allows;
    for RAM they take no more than single rows, and for the last byte every order is packed: one
    of a higher peak may lie better. Else a percent of arena is worth a percent of cycles.
    """
    graph, peak, objective = rowed.graph, found.peak_bytes, aim.objective
    if objective is Objective.LATENCY:
        return packed(rowed, smooth(graph, found, limit))
    longer = packed(rowed, smooth(graph, found, peak))
    plans = [longer]
    if objective not in (Objective.RAM, Objective.RAM_STRICT):
        plans.append(packed(rowed, smooth(graph, found, peak + int(_FOR_LONGER_RUNS * peak))))
    least = min(plan.arena_bytes for plan in plans)
    if least > peak + int(peak * packed.effort.slack):
        plans.append(packed(rowed, found))
        if objective is Objective.RAM_STRICT:
            loose = peak + int(_FOR_THE_LAST_BYTE * peak)
            plans.append(packed(rowed, smooth(graph, found, loose)))
    if objective in (Objective.RAM, Objective.RAM_STRICT):
        return min(plans, key=lambda plan: plan.arena_bytes)
    return min(plans, key=lambda plan: plan.arena_bytes * plan_cycles(plan))


@dataclass(slots=True)
class Packed:
    """Plans of orders of rows, each made once."""

    sharing: Sharing
    effort: Effort
    enough: int = 0  # bytes of an arena that needs not be smaller
    packer: Packer = field(default_factory=Packer)
    known: dict[tuple[tuple[Kernel, ...], tuple[int, ...]], Plan] = field(default_factory=dict)

    def __call__(self, rowed: RowProgram, order: RowOrder) -> Plan:
        """The plan of an order; see :func:`streamed_plan`."""
        key = tuple(step.kernel for step in rowed.program.steps), order.moves
        if key not in self.known:
            asked = self.sharing, self.effort, order, self.enough, self.packer
            self.known[key] = streamed_plan(rowed, *asked)
        return self.known[key]


def plans_in_reach(
    rowed: RowProgram, orders: Iterable[RowOrder], sharing: Sharing, effort: Effort
) -> Iterator[Plan]:
    """Plans of orders, without those whose rows lie further apart than C code can say."""
    for order in orders:
        with suppress(InputTooLarge):
            yield streamed_plan(rowed, sharing, effort, order)


def least_bytes(graph: RowGraph) -> int:
    """What some move needs in every order: rows that it reads, the row it makes, scratch."""
    made = {step.output for step in graph.steps}
    start = sum(t.rows * t.row_bytes for i, t in enumerate(graph.tensors) if i not in made)
    return max([start, *(_move_bytes(graph, step) for step in graph.steps)])


def _move_bytes(graph: RowGraph, step: RowStep) -> int:
    """The most that a move of a step needs by itself."""
    most, output = 0, graph.tensors[step.output]
    before = 0
    for move in step.moves:
        rows = {(t, y) for t, first, end in move.reads for y in range(first, end)}
        whole = {t for t, _ in rows if graph.tensors[t].whole}
        read = sum(graph.tensors[t].row_bytes for t, _ in rows if t not in whole)
        read += sum(graph.tensors[t].rows * graph.tensors[t].row_bytes for t in whole)
        count = output.rows if output.whole else max(1, move.made - before)
        shared = count if step.replaces >= 0 else 0
        most = max(most, read + (count - shared) * output.row_bytes + step.scratch_bytes)
        before = move.made
    return most


def streamed_plan(
    rowed: RowProgram,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    order: RowOrder | None = None,
    enough: int = 0,
    packer: Packer | None = None,
) -> Plan:
    """Addresses for a program by rows, in an order of rows; by default the best one found.

    An arena of ``enough`` bytes needs not be smaller. ``packer`` knows what was placed already.

    Raises:
        InputTooLarge: rows would lie further apart than the generated code can say.
    """
    sharing, effort = sharing or Sharing(), effort or Effort()
    order = order or find_row_order(rowed.graph, states=effort.row_states)
    place = _Place(packer or Packer(), effort)
    allocation, runs, memory = _placed(rowed, order, sharing, place, enough)
    return assemble(rowed.program, allocation, runs, memory, order, sharing)


@dataclass(frozen=True, slots=True)
class _Place:
    """Gives addresses, as good as the effort asks for."""

    packer: Packer
    effort: Effort

    def __call__(self, problem: Problem, enough: int = 0) -> MemoryPlan:
        """Addresses; an arena of ``enough`` bytes needs not be smaller."""
        bound, effort = lower_bound(problem).bytes, self.effort
        enough = max(enough, bound + int(bound * effort.slack))
        return self.packer(
            problem,
            capacity=enough,
            exact=effort.nodes > 0,
            node_limit=effort.nodes,
            work_limit=effort.work,
            rounds=effort.rounds,
            ejections=effort.ejections,
        )


def _placed(
    rowed: RowProgram, order: RowOrder, sharing: Sharing, place: _Place, enough: int
) -> _Found:
    """Buffers and addresses; scratch in one place unless it needs less to let it move."""
    align = unit_for(order.peak_bytes + int(_FAR * order.peak_bytes))
    fixed, runs = lay_out(rowed, order.moves, sharing, align=align, one_scratch=True)
    moving = fixed
    if fixed.scratch:
        moving, _ = lay_out(rowed, order.moves, sharing, align=align)
    least, other_least = lower_bound(fixed.problem).bytes, lower_bound(moving.problem).bytes
    other = place(moving.problem, enough) if other_least < least else None
    found = (moving, runs, other) if other and other.arena_bytes < least else None
    if found is None:
        memory = place(fixed.problem, enough)
        found = fixed, runs, memory
        if moving is not fixed and memory.arena_bytes > max(enough, other_least):
            other = other or place(moving.problem, enough)
            found = (moving, runs, other) if other.arena_bytes < memory.arena_bytes else found
    enough = max(enough, other_least + int(other_least * place.effort.slack))
    if found[2].arena_bytes > enough and len(fixed.buffers) <= _FEW:
        return min([found, *_moved(rowed, order, sharing, place, align)], key=_arena)
    return found


def _moved(
    rowed: RowProgram, order: RowOrder, sharing: Sharing, place: _Place, align: int
) -> list[_Found]:
    """With the inputs that are there from the start somewhere else: at the best of some places.

    Rows that take the place of those that were read then join what is free in front of them.
    """
    tensors = rowed.graph.tensors
    resident = [tensors[rowed.tensors[name]] for name in rowed.resident]
    free = order.peak_bytes - sum(t.rows * t.row_bytes for t in resident)
    widest = max((t.row_bytes for t in tensors if t not in resident), default=0)
    unit = max(_LEAST_UNIT, align_up(widest // 4, _LEAST_UNIT))
    step = unit * (free // (unit * _PLACES) | 1) if resident else 0
    found: list[_Found] = []
    for before in range(step, free + 1, step) if step else ():
        allocation, runs = lay_out(rowed, order.moves, sharing, align=align, before=before)
        found.append((allocation, runs, place.packer(allocation.problem, exact=False)))
    if not found:
        return []
    allocation, runs, memory = min(found, key=_arena)
    better = place(allocation.problem)
    return [(allocation, runs, min(memory, better, key=lambda one: one.arena_bytes))]


def _arena(found: _Found) -> int:
    return found[2].arena_bytes
