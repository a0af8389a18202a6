# SPDX-License-Identifier: Apache-2.0
"""Plans by rows with kernels that make several rows together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcuplan.ir.graph import Graph
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.schedule.assembly import row_reach
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.kernels.select import candidates_of, program_of, tall_apart
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.planning.rating import apart_bytes
from mcuplan.schedule.planning.streamed import plans_in_reach
from mcuplan.schedule.program import Plan, Sharing, Streaming
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.rows.order import find_row_order
from mcuplan.targets import Target, load_target


def _m0plus() -> Target:
    return replace(load_target("cortex-m0plus"), backend="scalar")


def _net() -> Graph:
    """More than the RAM limits of these tests hold as a whole."""
    net = Wiring("rows")
    x = net.conv(net.input(1, 24, 24, 8), 16, 3)
    y = net.conv(x, 16, 3)
    return net.graph(net.conv(net.sum([x, y]), 4, 3, 2))


def _plan(objective: Objective, limit: int | None, streaming: Streaming = "auto") -> Plan:
    return plan_graph(_net(), _m0plus(), aim=Aim(objective, limit), streaming=streaming)


def _tall_runs(plan: Plan) -> list[tuple[int, int]]:
    steps = plan.program.steps
    tall = {step.index: step.kernel.tall for step in steps if step.kernel.tall > 1}
    return [(run.end - run.first, tall[run.step]) for run in plan.runs if run.step in tall]


def test_spare_ram_buys_rows_made_together() -> None:
    """The more RAM, the faster; runs of such a kernel are no shorter than what it makes."""
    plans = [_plan(Objective.LATENCY, limit) for limit in (9_000, 18_000, 22_000, 30_000)]

    cycles = [plan_cycles(plan) for plan in plans]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > 1.5 * cycles[-1]
    assert not _tall_runs(plans[0])
    for plan, limit in zip(plans[1:], (18_000, 22_000, 30_000), strict=True):
        assert plan.arena_bytes + apart_bytes(plan) <= limit
        assert _tall_runs(plan)
        assert all(count % tall == 0 for count, tall in _tall_runs(plan))


@pytest.mark.parametrize("streaming", ["auto", "input"])
def test_ram_strict_has_the_least_arena_of_all(streaming: Streaming) -> None:
    """Kernels that make rows together are tried for every objective, and cost this one nothing."""
    asked = (Objective.RAM_STRICT, Objective.RAM, Objective.BALANCED)
    plan, *others = (_plan(objective, None, streaming) for objective in asked)
    assert plan.selected is not None
    assert plan.selected.trade.least_arena == plan.arena_bytes
    assert plan.arena_bytes <= min(other.arena_bytes for other in others)


def test_fed_rows_are_made_together() -> None:
    """Where the input is fed, latency has such kernels, too."""
    plans = [_plan(objective, None, "input") for objective in (Objective.LATENCY, Objective.RAM)]
    assert _tall_runs(plans[0])
    assert plan_cycles(plans[0]) < plan_cycles(plans[1])


def test_rows_made_together_are_made_in_order() -> None:
    """No plan makes such rows from the last to the first, which is one at a time."""
    whole = _plan(Objective.LATENCY, 60_000, "off")

    assert _tall_runs(whole)
    assert not any(run.descending for run in whole.runs if run.step < 2)


def test_orders_whose_rows_lie_too_far_apart_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost a plan, not the search."""
    graph, target = _net(), _m0plus()
    ways, _ = tall_apart(candidates_of(graph, target))
    chosen = {name: found[0] for name, found in ways.items()}
    rowed = row_program(program_of(graph, target, chosen), Sharing())
    orders = [find_row_order(rowed.graph)]
    assert 1 == len(list(plans_in_reach(rowed, orders, Sharing(), Effort())))
    monkeypatch.setattr(row_reach, "_MOST", 1)
    assert not list(plans_in_reach(rowed, orders, Sharing(), Effort()))
