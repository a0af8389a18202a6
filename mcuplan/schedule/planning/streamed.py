# SPDX-License-Identifier: Apache-2.0
"""Plans that run row by row: an order of rows, a buffer for each row, addresses, proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from mcuplan.errors import InputTooLarge
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Kernel
from mcuplan.price.cycles import calls_timing, expected_cycles
from mcuplan.schedule.assembly.plan import assemble
from mcuplan.schedule.assembly.row_layout import lay_out
from mcuplan.schedule.assembly.row_local import (
    RowProgram,
    check_feedable,
    has_too_many_rows,
    row_program,
)
from mcuplan.schedule.assembly.row_reach import unit_for
from mcuplan.schedule.kernels.choose import Placer, choose, kernels_of
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import (
    Candidate,
    Chosen,
    Offers,
    program_of,
    tall_apart,
    traded_apart,
)
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.program import FEED, Allocation, Plan, Run, Selected, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.packing import MemoryPlan, Problem, pack
from mcuplan.solvers.packing.bound import lower_bound
from mcuplan.solvers.rows.order import check_row_order, depth_first, find_row_order, smooth
from mcuplan.solvers.rows.pace import pace
from mcuplan.solvers.rows.problem import RowGraph, RowOrder, RowStep

__all__ = ["least_bytes", "plan_lowered", "plans_in_reach", "streamed_plan"]

_FOR_FEWER_CALLS = 0.10  # of the arena, packed, unless all is for RAM
_FOR_LONGER_RUNS = 0.05  # of the peak: fewer calls, and pairs of pixels across rows
_FOR_EVEN_ROWS = 0.02  # of the peak: rows of the input that come before they are read


def plan_lowered(
    graph: Graph,
    offers: Offers,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    aim: Aim | None = None,
    *,
    feed: bool = False,
    enough: int | None = None,
) -> Plan | None:
    """The plan by rows of a lowered graph as it is; None where it must need ``enough`` bytes.

    None, too, where there are more rows than an order can be found of in reasonable time.

    Raises:
        Problems: nodes that no kernel runs, all of them.
        UsageError: the input is to be fed and cannot arrive row by row.
        InputTooLarge: rows would lie further apart than the generated code can say.
    """
    sharing, aim, effort = sharing or Sharing(), aim or Aim(), effort or Effort()
    (ways, _), target = tall_apart(traded_apart(offers.of(graph))[0]), offers.target

    def by_rows(chosen: Chosen) -> RowProgram:
        return row_program(program_of(graph, target, chosen), sharing, feed=feed)

    fewest = {name: min(c, key=_scratch) for name, c in ways.items()}
    program = program_of(graph, target, fewest)
    if feed:
        check_feedable(program, sharing)
    elif has_too_many_rows(program):
        return None
    leanest = by_rows(fewest)
    if enough is not None and least_bytes(leanest.graph) >= enough:
        return None
    orders, asked = _Orders(leanest, effort), aim.objective
    plans: dict[tuple[Kernel, ...], Plan] = {}
    for objective in (asked, Objective.RAM) if asked is Objective.RAM_STRICT else (asked,):
        wanted = replace(aim, objective=objective)
        choice = choose(ways, wanted, Placer(by_rows, orders.peak))
        if kernels_of(choice.chosen) not in plans:
            found, make = orders.best(choice.placed), _fed if feed else _best_of
            plan = make(choice.placed, found, sharing, effort, wanted)
            selected = Selected(asked.value, choice.trade)
            plans[kernels_of(choice.chosen)] = replace(plan, selected=selected)
    if len(plans) == 1:
        return next(iter(plans.values()))
    # Kernels go by the peak; packed, more of them may need no more, and then be faster.
    rating = Rating(aim.ram_limit, sharing.keep_inputs)
    return min(plans.values(), key=lambda plan: (plan.arena_bytes, rating.cycles(plan)))


def _fed(rowed: RowProgram, found: RowOrder, sharing: Sharing, effort: Effort, aim: Aim) -> Plan:
    """The plan whose rows of the input bring little work each.

    Runs stay short: long ones wait for many rows, and then take as long as all of them.
    """
    feed, limit = rowed.steps.index(FEED), found.peak_bytes
    if aim.objective in (Objective.BALANCED, Objective.LATENCY):
        limit += int(_FOR_EVEN_ROWS * limit)
    costs = [_move_cycles(rowed, number) for number in range(len(rowed.steps))]
    order = pace(rowed.graph, found, feed, costs, limit=limit, most=aim.row_cycles)
    paced = streamed_plan(rowed, sharing, effort, order)
    if aim.objective is not Objective.RAM_STRICT or aim.row_cycles:
        return paced
    return min(paced, _best_of(rowed, found, sharing, effort, aim), key=lambda p: p.arena_bytes)


def _move_cycles(rowed: RowProgram, number: int) -> int:
    """Modelled cycles of a move of a row step."""
    if rowed.steps[number] == FEED:
        return 0
    step, count = rowed.program.steps[rowed.steps[number]], len(rowed.runs[number])
    rows = tuple(end - first for first, end in rowed.runs[number])
    expected = expected_cycles(step.kernel, step.signature, rowed.program.target, rows)
    return round(expected.total / count + calls_timing().fed)


def _best_of(
    rowed: RowProgram, found: RowOrder, sharing: Sharing, effort: Effort, aim: Aim
) -> Plan:
    """The plan with few long runs, or that of the order as found where its arena is smaller.

    Rows that are made together lie less well. Unless all is for RAM, some of it is given up.
    For the last byte every order is packed: one of a higher peak may lie better.
    """
    objective, ram = aim.objective, aim.objective in (Objective.RAM, Objective.RAM_STRICT)
    loose = found.peak_bytes + int(_FOR_LONGER_RUNS * found.peak_bytes)
    limit = found.peak_bytes if ram else loose
    longer = streamed_plan(rowed, sharing, effort, smooth(rowed.graph, found, limit))
    arena = longer.arena_bytes
    if arena <= limit + int(limit * effort.slack):
        return longer
    given_up = 0 if ram else int(_FOR_FEWER_CALLS * arena)
    if not ram and _least_arena(rowed, found, sharing) >= arena - given_up:
        return longer
    plain = streamed_plan(rowed, sharing, effort, found)
    if objective is Objective.RAM_STRICT:
        loosest = streamed_plan(rowed, sharing, effort, smooth(rowed.graph, found, loose))
        return min(longer, plain, loosest, key=lambda plan: plan.arena_bytes)
    return plain if plain.arena_bytes < arena - given_up else longer


def plans_in_reach(
    rowed: RowProgram, orders: Iterable[RowOrder], sharing: Sharing, effort: Effort
) -> Iterator[Plan]:
    """Plans of orders, without those whose rows lie further apart than C code can say."""
    for order in orders:
        with suppress(InputTooLarge):
            yield streamed_plan(rowed, sharing, effort, order)


def _least_arena(rowed: RowProgram, order: RowOrder, sharing: Sharing) -> int:
    """What no placement of an order of rows is smaller than."""
    layouts = (lay_out(rowed, order.moves, sharing, one_scratch=one) for one in (False, True))
    return min(lower_bound(allocation.problem).bytes for allocation, _ in layouts)


def _scratch(candidate: Candidate) -> tuple[int, float]:
    return candidate.step.scratch_bytes, candidate.cycles


class _Orders:
    """Orders of rows of one network with different kernels; searched for with the leanest."""

    def __init__(self, leanest: RowProgram, effort: Effort) -> None:
        self._effort, self._steps = effort, _move_counts(leanest)
        self._first = find_row_order(leanest.graph, states=effort.row_states)

    def peak(self, rowed: RowProgram) -> int:
        """Prices kernels by the most bytes alive, in the order of the leanest ones."""
        if _move_counts(rowed) != self._steps:
            return depth_first(rowed.graph).peak_bytes
        return check_row_order(rowed.graph, self._first.moves)

    def best(self, rowed: RowProgram) -> RowOrder:
        """The best order for kernels that stay."""
        if _move_counts(rowed) != self._steps:
            return find_row_order(rowed.graph, states=self._effort.row_states)
        peak = check_row_order(rowed.graph, self._first.moves)
        if peak == self._first.peak_bytes:
            return self._first
        own = find_row_order(rowed.graph, states=self._effort.row_states)
        if own.peak_bytes <= peak:
            return own
        bound = min(own.lower_bound_bytes, peak)
        return replace(own, moves=self._first.moves, peak_bytes=peak, lower_bound_bytes=bound)


def _move_counts(rowed: RowProgram) -> tuple[int, ...]:
    return tuple(len(step.moves) for step in rowed.graph.steps)


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
) -> Plan:
    """Addresses for a program by rows, in an order of rows; by default the best one found.

    Raises:
        InputTooLarge: rows would lie further apart than the generated code can say.
    """
    sharing, effort = sharing or Sharing(), effort or Effort()
    order = order or find_row_order(rowed.graph, states=effort.row_states)
    allocation, runs, memory = _placed(rowed, order, sharing, effort)
    return assemble(rowed.program, allocation, runs, memory, order, sharing)


def _placed(
    rowed: RowProgram, order: RowOrder, sharing: Sharing, effort: Effort
) -> tuple[Allocation, tuple[Run, ...], MemoryPlan]:
    """Buffers and addresses; scratch in one place unless it needs less to let it move."""
    align = unit_for(order.peak_bytes + int(_FOR_FEWER_CALLS * order.peak_bytes))
    fixed, runs = lay_out(rowed, order.moves, sharing, align=align, one_scratch=True)
    if not fixed.scratch:
        return fixed, runs, _place(fixed.problem, effort)
    moving, _ = lay_out(rowed, order.moves, sharing, align=align)
    least, other_least = lower_bound(fixed.problem).bytes, lower_bound(moving.problem).bytes
    other = _place(moving.problem, effort) if other_least < least else None
    if other and other.arena_bytes < least:
        return moving, runs, other
    memory = _place(fixed.problem, effort)
    if memory.arena_bytes > other_least:
        other = other or _place(moving.problem, effort)
        if other.arena_bytes < memory.arena_bytes:
            return moving, runs, other
    return fixed, runs, memory


def _place(problem: Problem, effort: Effort) -> MemoryPlan:
    """Addresses, as good as the effort asks for."""
    bound = lower_bound(problem).bytes
    enough = bound + int(bound * effort.slack)
    return pack(problem, capacity=enough, node_limit=effort.nodes, rounds=effort.rounds)
