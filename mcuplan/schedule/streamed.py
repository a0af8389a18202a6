# SPDX-License-Identifier: Apache-2.0
"""Plans that run row by row: an order of rows, a buffer for each row, addresses, proof."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from mcuplan.memory import check_plan, pack
from mcuplan.memory.conflicts import Conflicts
from mcuplan.memory.problem import MemoryPlan, Placement, Problem
from mcuplan.schedule.check_rows import check_rows
from mcuplan.schedule.plan import region_for
from mcuplan.schedule.program import Plan, Program, Sharing
from mcuplan.schedule.row_graph import RowGraph, RowOrder
from mcuplan.schedule.row_layout import lay_out
from mcuplan.schedule.row_local import row_program

__all__ = ["streamed_plan"]


def streamed_plan(program: Program, sharing: Sharing | None = None, *, feed: bool = False) -> Plan:
    """The plan of a program by rows, in the best order of rows that is found.

    Args:
        program: what runs.
        sharing: what the plan may use.
        feed: rows of the input arrive one by one.
    """
    sharing = sharing or Sharing()
    rowed = row_program(program, sharing, feed=feed)
    order = _order(rowed.graph)
    layout = lay_out(rowed, order.moves, sharing)
    memory = _place(Problem(layout.allocation.buffers), dict(layout.pinned))
    region = region_for(program.target.ram, memory)
    plan = Plan(
        program,
        layout.allocation,
        MappingProxyType({region.name: memory}),
        runs=layout.runs,
        rows=order,
    )
    check_rows(plan, keep_inputs=sharing.keep_inputs)
    return plan


def _order(graph: RowGraph) -> RowOrder:
    """Depth first: always the last step that can move."""
    have = [t.rows for t in graph.tensors]
    for step in graph.steps:
        have[step.output] = 0
    moved = [0] * len(graph.steps)
    found = []
    while True:
        for number in reversed(range(len(graph.steps))):
            step = graph.steps[number]
            if moved[number] < len(step.moves) and all(
                have[t] >= end for t, _, end in step.moves[moved[number]].reads
            ):
                break
        else:
            break
        have[step.output] = step.moves[moved[number]].made
        moved[number] += 1
        found.append(number)
    return RowOrder(tuple(found), 0, 0, "depth first", 0)


def _place(problem: Problem, pinned: dict[int, int]) -> MemoryPlan:
    if not pinned:
        return pack(problem)
    buffers = problem.buffers
    conflicts = Conflicts(problem)
    keys = (
        lambda i: (-buffers[i].nbytes, buffers[i].live.start),
        lambda i: (-len(buffers[i].live), -buffers[i].nbytes),
        lambda i: (-buffers[i].nbytes * len(buffers[i].live), buffers[i].live.start),
        lambda i: (buffers[i].live.start, -buffers[i].nbytes),
    )
    best: list[int] = []
    for key in keys:
        order = sorted((i for i in range(len(buffers)) if i not in pinned), key=key)
        offsets = _first_fit(problem, conflicts, order, pinned)
        if not best or _top(problem, offsets) < _top(problem, best):
            best = offsets
    bound, at = 0, 0
    for step in {b.live.start for b in buffers}:
        live = sum(b.nbytes for b in buffers if b.live.start <= step < b.live.end)
        if live > bound:
            bound, at = live, step
    top = _top(problem, best)
    memory = MemoryPlan(
        tuple(map(Placement, buffers, best)), top, bound, at, top == bound, "first fit", bound, ""
    )
    check_plan(problem, memory)
    return memory


def _top(problem: Problem, offsets: Sequence[int]) -> int:
    return max(o + b.nbytes for o, b in zip(offsets, problem.buffers, strict=True))


def _first_fit(
    problem: Problem, conflicts: Conflicts, order: Sequence[int], pinned: dict[int, int]
) -> list[int]:
    offsets = [pinned.get(i, -1) for i in range(len(problem.buffers))]
    for index in order:
        align = problem.buffers[index].align
        forbidden = sorted(
            (offsets[other] - above, offsets[other] + below)
            for other, below, above in conflicts.of[index]
            if offsets[other] >= 0
        )
        at = 0
        for low, high in forbidden:
            if low >= at:
                break
            if high > at:
                at = -(-high // align) * align
        offsets[index] = at
    return offsets
