# SPDX-License-Identifier: Apache-2.0
"""Copies of weights in the arena, where RAM is to spare and flash is slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mcuplan.budget.footprint import ram_bill
from mcuplan.ir.graph import Graph
from mcuplan.price.structs import kernel_struct
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.record import Limits
from mcuplan.schedule.code import model_code
from mcuplan.schedule.kernels.as_many import as_many
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.planning.spare_ram import with_copies
from mcuplan.schedule.program import Plan, Program, Streaming
from mcuplan.targets import Target, load_target


def _board(name: str = "nucleo-l4r5zi") -> Target:
    return replace(load_target(name), backend="dsp")


def _net() -> Graph:
    """A layer of many pixels with few weights, and later ones with more weights."""
    net = Wiring("copies")
    x = net.conv(net.input(1, 16, 16, 4), 16, 3)
    x = net.conv(x, 16, 1)
    return net.graph(net.conv(net.conv(x, 32, 3, 2), 32, 1))


def _plan(aim: Aim, target: Target | None = None, streaming: Streaming = "off") -> Plan:
    return plan_graph(_net(), target or _board(), aim=aim, streaming=streaming)


def _copied(plan: Plan) -> int:
    return sum(step.kernel.staged for step in plan.program.steps)


def test_latency_spends_what_ram_there_is() -> None:
    """Never more than the limit, never slower than without; with enough of it the fastest."""
    own = ram_bill(_plan(Aim(Objective.RAM)), Limits(), None).total_bytes
    plans = []
    for limit in range(own, 3 * own, own // 6):
        aim = Aim(Objective.LATENCY, ram_limit=limit, flash_limit=0)
        plans.append(_plan(aim))
        assert ram_bill(plans[-1], Limits(), None).total_bytes <= limit
    cycles = list(map(plan_cycles, plans))
    assert cycles[-1] == min(cycles) < cycles[0]
    assert _copied(plans[0]) < _copied(plans[-1])


def test_a_plan_says_what_it_spent() -> None:
    """Steps that read copies, and percents of their cycles."""
    fast = _plan(Aim(Objective.LATENCY))
    assert fast.selected is not None
    spent = fast.selected.trade.ram
    assert spent is not None
    assert _copied(fast) == spent.steps
    assert spent.nbytes >= 0 < spent.fewer_cycles


@pytest.mark.parametrize("objective", [Objective.RAM, Objective.RAM_STRICT, Objective.FLASH])
def test_other_objectives_spend_none(objective: Objective) -> None:
    """What RAM or flash is saved for stays."""
    assert 0 == _copied(_plan(Aim(objective)))


def test_no_copies_where_flash_is_as_fast_as_ram() -> None:
    """A core without wait states would only pay for the copying."""
    plan = _plan(Aim(Objective.LATENCY), _board("cortex-m4"))
    assert 0 == _copied(plan)


def test_the_default_objective_spends_a_tenth() -> None:
    """The arena grows by no more than that share of the limit."""
    net, limit = Wiring("copies"), 64 << 10
    x = net.conv(net.conv(net.input(1, 16, 16, 16), 64, 1), 64, 1)
    graph, aim = net.graph(net.conv(x, 16, 1)), Aim(Objective.BALANCED, ram_limit=limit)
    plan, least = (plan_graph(graph, _board(n), aim=aim) for n in ("nucleo-l4r5zi", "cortex-m4"))
    assert plan.arena_bytes <= least.arena_bytes * 1.05 + limit // 10
    assert _copied(plan)


def test_plans_by_rows_have_copies() -> None:
    """They take no more than the limit, and say what they took, as plans of whole steps do."""
    own = ram_bill(_plan(Aim(Objective.RAM), streaming="input"), Limits(), None).total_bytes
    plans = [_plan(Aim(Objective.LATENCY, limit), streaming="input") for limit in (own, 3 * own)]
    assert ram_bill(plans[1], Limits(), None).total_bytes <= 3 * own
    assert _copied(plans[0]) < _copied(plans[1])
    assert plan_cycles(plans[1]) < plan_cycles(plans[0])
    assert plans[1].selected is not None
    spent = plans[1].selected.trade.ram
    assert spent is not None
    assert _copied(plans[1]) == spent.steps


def test_only_those_are_left_out_that_do_not_fit_together() -> None:
    """A dear one at the peak keeps no other from its copy."""
    sizes = {"peak": 95, "a": 10, "b": 20, "c": 30, "d": 40}

    def fits(names: Sequence[str]) -> bool:
        return sum(map(sizes.__getitem__, names)) <= 100

    assert ["a", "b", "c", "d"] == [*as_many(["a", "peak", "b", "c", "d"], fits)]
    assert ["a", "b"] == [*as_many(["a", "b"], fits)]
    assert [] == [*as_many(["peak"], lambda names: False)]
    assert [] == [*as_many([], fits)]


@pytest.mark.parametrize("streaming", ["off", "auto"])
def test_little_ram_keeps_copies_of_steps_that_have_room(streaming: Streaming) -> None:
    """The widest steps take all the RAM there is; those behind them have copies."""
    net = Wiring("copies")
    x = net.conv(net.conv(net.input(1, 48, 48, 4), 16, 1), 8, 3, 2)
    graph = net.graph(net.conv(net.conv(net.conv(x, 8, 3, 2), 8, 3), 8, 3))
    least = plan_graph(graph, _board(), aim=Aim(Objective.RAM_STRICT), streaming=streaming)
    limit = ram_bill(least, Limits(), None).total_bytes + 1000
    aim = Aim(Objective.LATENCY, ram_limit=limit, flash_limit=0)
    plan = plan_graph(graph, _board(), aim=aim, streaming=streaming)
    copied = [step.kernel.staged for step in plan.program.steps]
    assert ram_bill(plan, Limits(), None).total_bytes <= limit
    assert any(copied[-2:])
    assert not all(copied)


def test_copies_of_one_call_fit_where_longer_ones_do_not() -> None:
    """A copy stays from the first row of its step to the last, through others that need more."""
    net = Wiring("copies")
    x = net.conv(net.conv(net.input(1, 24, 24, 4), 16, 3), 16, 3, 2)
    graph = net.graph(net.conv(net.conv(x, 32, 3, 2), 64, 1))
    plan = plan_graph(graph, _board(), aim=Aim(Objective.RAM), streaming="auto")
    calls = [len(plan.rows_per_call(step)) for step in plan.program.steps]
    assert min(calls) == 1 < max(calls)

    def place(program: Program) -> Plan | None:
        long = any(s.kernel.staged and n > 1 for s, n in zip(program.steps, calls, strict=True))
        return None if long else replace(plan, program=program)

    fast = with_copies(plan, Aim(Objective.LATENCY), Rating(None, False), place)
    assert [n == 1 for n in calls] == [step.kernel.staged for step in fast.program.steps]


def test_the_modelled_stack_has_the_params_of_every_kernel_with_a_copy() -> None:
    """Compilers give each a place of its own in the frame of the call."""
    plan = _plan(Aim(Objective.LATENCY, flash_limit=0))
    kernels = {s.kernel.function: s.kernel for s in plan.program.steps if s.kernel.staged}
    assert len(kernels) >= 2
    plain = replace(
        plan.program,
        steps=tuple(replace(s, kernel=replace(s.kernel, staged=False)) for s in plan.program.steps),
    )
    added = sum(kernel_struct(name).nbytes for name in kernels)
    target = plan.program.target
    before, after = (model_code(program, target).stack_bytes for program in (plain, plan.program))
    assert added == after - before
