# SPDX-License-Identifier: Apache-2.0
"""Plans that run row by row: an order of rows, a buffer for each row, addresses, proof."""

from __future__ import annotations

from types import MappingProxyType

from mcuplan.errors import UsageError
from mcuplan.ir.graph import Graph
from mcuplan.memory import Problem, pack
from mcuplan.passes.gather_rows import gather_rows
from mcuplan.schedule.check_rows import check_rows
from mcuplan.schedule.plan import region_for
from mcuplan.schedule.program import Plan, Sharing
from mcuplan.schedule.row_graph import RowGraph, RowOrder
from mcuplan.schedule.row_layout import lay_out
from mcuplan.schedule.row_local import RowProgram, feedable, row_program
from mcuplan.schedule.select import select_kernels
from mcuplan.targets import Target

__all__ = ["plan_rows", "streamed_plan"]


def plan_rows(
    graph: Graph, target: Target, sharing: Sharing | None = None, *, feed: bool = False
) -> Plan | None:
    """The plan of an int8 graph by rows; None where no tensor has rows that may lie apart.

    Raises:
        Problems: nodes that no kernel runs, all of them.
        UsageError: the input is to be fed and cannot arrive row by row.
    """
    sharing = sharing or Sharing()
    program = select_kernels(gather_rows(graph), target)
    reason = feedable(program, sharing) if feed else ""
    if reason:
        names = ", ".join(port.name for port in graph.inputs)
        raise UsageError(f"--streaming input: {reason}", names, "--streaming auto")
    rowed = row_program(program, sharing, feed=feed)
    if all(tensor.whole or tensor.rows == 1 for tensor in rowed.graph.tensors):
        return None
    return streamed_plan(rowed, sharing)


def streamed_plan(rowed: RowProgram, sharing: Sharing | None = None) -> Plan:
    """Addresses for a program by rows, in the best order of rows that is found."""
    sharing, program = sharing or Sharing(), rowed.program
    order = _order(rowed.graph)
    layout = lay_out(rowed, order.moves, sharing)
    memory = pack(Problem(layout.allocation.buffers, pinned=layout.pinned))
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
