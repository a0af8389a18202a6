# SPDX-License-Identifier: Apache-2.0
"""Graphs of parts, joins and broadcasts: every plan passes the checkers at the first attempt."""

from __future__ import annotations

import pytest
from step_graphs import random_steps
from step_sweep import plan_in_every_way

from mcuplan.ir.graph import Graph
from mcuplan.ops.eltwise import Add, Mul
from mcuplan.ops.slicing import Slice
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Streaming
from mcuplan.targets import load_target


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_random_graphs_are_planned_in_every_way(seed: int) -> None:
    """No planner makes a plan that a checker refuses, and nothing else goes wrong."""
    for each in range(seed, seed + 4):
        assert 3 == len(list(plan_in_every_way(each)))


def test_random_graphs_have_what_they_are_for() -> None:
    """Parts, joins, broadcasts and views occur, and graphs repeat."""
    graphs = [random_steps(seed, 9) for seed in range(40)]
    seen = {type(node.op).__name__ for graph in graphs for node in graph.nodes}
    assert {"Slice", "Concat", "Add", "Reshape", "Transpose", "Pad", "Conv2D", "AvgPool2D"} <= seen
    assert any(_broadcasts(graph) for graph in graphs)
    assert graphs[3].nodes == random_steps(3, 9).nodes


def _broadcasts(graph: Graph) -> bool:
    sums = (node for node in graph.nodes if isinstance(node.op, Add))
    return any(len({graph.tensor(n).type.shape for n in node.inputs}) == 2 for node in sums)


def _part_and_whole(rows: int, axis: int, *, first: bool) -> Graph:
    """``x[first elements of an axis] op x``, read by windows behind it."""
    net = Wiring("part")
    x = net.conv(net.input(1, rows, 5, 8), 8, 1)
    taken: list[tuple[int, int, int] | None] = [None] * 4
    taken[axis] = (0, 1, 1)
    part = net.add(Slice(tuple(taken)), x)
    pair = (part, x) if first else (x, part)
    return net.graph(net.conv(net.add(Mul() if first else Add(), *pair), 32, 3))


@pytest.mark.parametrize("streaming", ["off", "auto", "input"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("rows", "axis"), [(6, 1), (1, 2), (1, 3)])
def test_a_part_that_meets_its_whole_keeps_it(
    rows: int, axis: int, first: bool, streaming: Streaming
) -> None:
    """A sum does not write over an operand of which a part is broadcast."""
    if rows == 1 and streaming == "input":
        return  # one row cannot be fed
    graph = _part_and_whole(rows, axis, first=first)
    plan = plan_graph(graph, load_target("cortex-m4"), streaming=streaming)
    assert not (plan.allocation.without_copy and plan.allocation.in_place)
