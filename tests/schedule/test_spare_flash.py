# SPDX-License-Identifier: Apache-2.0
"""Kernels that keep a multiple of their weights, where flash is to spare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest
from networks import STAMP

from mcuplan.budget.footprint import flash_bill
from mcuplan.emit import emit
from mcuplan.ir.graph import Graph
from mcuplan.ops.conv2d import Conv2D
from mcuplan.price import constants_of
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.record import Limits
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.kernels.select import Candidate, candidates_of, program_of, traded_apart
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.planning.rating import Rating, apart_bytes
from mcuplan.schedule.planning.spare_flash import bought
from mcuplan.schedule.program import Plan
from mcuplan.targets import Target, load_target

_SPARE = 1 << 20


def _m4() -> Target:
    return replace(load_target("cortex-m4"), backend="dsp")


def _net() -> Graph:
    """Three layers of tiles: few channels of many pixels, more of fewer, and a shortcut."""
    net = Wiring("tiles")
    x = net.conv(net.input(1, 16, 16, 4), 16, 3)
    y = net.conv(x, 16, 3)
    x = net.conv(net.sum([x, y]), 32, 3, 2)
    return net.graph(net.conv(x, 32, 3))


def _plan(aim: Aim, graph: Graph | None = None) -> Plan:
    return plan_graph(graph or _net(), _m4(), aim=aim, streaming="off")


def _traded(plan: Plan) -> int:
    return sum(step.kernel.trades_flash for step in plan.program.steps)


def _flash(plan: Plan) -> int:
    return flash_bill(plan, Limits(), None).total_bytes


def test_latency_spends_what_flash_there_is() -> None:
    """Never more than the limit, never slower than without; with enough of it the fastest."""
    plans = [_plan(Aim(Objective.LATENCY, flash_limit=0))]
    own = _flash(plans[0])
    assert 0 == _traded(plans[0])
    for limit in range(own, 3 * own, own // 4):
        plans.append(_plan(Aim(Objective.LATENCY, flash_limit=limit)))
        assert _flash(plans[-1]) <= limit
        assert plan_cycles(plans[-1]) <= plan_cycles(plans[0])
    plans.append(_plan(Aim(Objective.LATENCY, flash_limit=_SPARE)))
    assert {0, 3} < {_traded(plan) for plan in plans}
    assert plan_cycles(plans[-1]) == min(map(plan_cycles, plans))


def test_a_plan_says_what_it_spent() -> None:
    """Bytes are those of the two bills, percents those of the steps."""
    plain, fast = (_plan(Aim(Objective.LATENCY, flash_limit=limit)) for limit in (0, _SPARE))
    assert fast.selected is not None
    spent = fast.selected.trade.flash
    assert spent is not None
    assert _traded(fast) == spent.steps
    assert _flash(fast) - _flash(plain) == spent.nbytes
    assert spent.fewer_cycles == pytest.approx(
        100 * (1 - plan_cycles(fast) / plan_cycles(plain)), abs=1
    )
    assert plain.selected is not None
    assert plain.selected.trade.flash is None


@pytest.mark.parametrize("objective", [Objective.BALANCED, Objective.RAM, Objective.RAM_STRICT])
def test_no_other_objective_takes_more_arena(objective: Objective) -> None:
    """An eighth of the flash is spent where the arena stays; so it gets faster, not larger."""
    plain, spent = (_plan(Aim(objective, flash_limit=limit)) for limit in (0, _SPARE))
    assert spent.arena_bytes <= plain.arena_bytes
    assert plan_cycles(spent) <= plan_cycles(plain)
    assert _flash(spent) - _flash(plain) <= _SPARE // 8
    little = _plan(Aim(objective, flash_limit=2 * _flash(plain)))
    assert _flash(little) - _flash(plain) <= _flash(plain) // 4


def test_nothing_saves_more_in_the_same_flash() -> None:
    """Of all sets of kernels that the flash holds, that with the fewest cycles is bought."""
    graph, target = _net(), _m4()
    plain, more = traded_apart(candidates_of(graph, target))
    chosen = {name: found[0] for name, found in plain.items()}
    program = program_of(graph, target, chosen)
    ways = [(chosen[name], *found) for name, found in more.items()]
    every = [dict(zip(more, picked, strict=True)) for picked in product(*ways)]
    aim = Aim(Objective.LATENCY, flash_limit=0)
    for limit in range(20_000, 200_000, 9_000):
        now = {**chosen, **bought(chosen, more, replace(aim, flash_limit=limit), program)}
        nbytes = _constants(now)
        rivals = [_cycles(one) for one in every if _constants(one) <= nbytes]
        assert _cycles(now) <= min(rivals) + 0.06 * _cycles(chosen)
    assert _cycles(now) == min(map(_cycles, every))


def _cycles(chosen: Mapping[str, Candidate]) -> float:
    return sum(candidate.cycles for candidate in chosen.values())


def _constants(chosen: Mapping[str, Candidate]) -> int:
    steps = [candidate.step for candidate in chosen.values()]
    return sum(constants_of(step.kernel, step.signature).nbytes for step in steps)


def test_flash_spends_none() -> None:
    """The objective that flash counts for never trades it."""
    assert 0 == _traded(_plan(Aim(Objective.FLASH, flash_limit=_SPARE)))


def test_what_does_not_fit_is_left() -> None:
    """Scratch beyond the RAM limit costs the kernel, not the verdict."""
    fast, plain = (_plan(Aim(Objective.LATENCY, flash_limit=limit)) for limit in (_SPARE, 0))
    assert fast.arena_bytes > plain.arena_bytes
    for room in (plain.arena_bytes, fast.arena_bytes - 1, fast.arena_bytes):
        limit = room + apart_bytes(fast)
        plan = _plan(Aim(Objective.LATENCY, ram_limit=limit, flash_limit=_SPARE))
        assert Rating(limit).fits(plan)
        assert plan_cycles(fast) <= plan_cycles(plan) <= plan_cycles(plain)


def test_the_sources_call_it() -> None:
    """A bundle carries the kernel that the plan has, and its weights as the plan bills them."""
    plan = _plan(Aim(Objective.LATENCY, flash_limit=_SPARE))
    names = {path.name for path in emit(plan, "net", STAMP).files}
    assert "mplan_winograd_s8_dsp.c" in names


@pytest.mark.parametrize("share", [0.5, 0.65, 0.8])
def test_rows_of_tiles_fit(share: float) -> None:
    """By rows flash buys speed within the RAM there is, in runs of several rows."""
    whole = _plan(Aim(Objective.LATENCY, flash_limit=_SPARE))
    room = int(share * whole.arena_bytes) + apart_bytes(whole)
    plans = [
        plan_graph(
            _net(),
            _m4(),
            aim=Aim(Objective.LATENCY, ram_limit=room, flash_limit=limit),
            streaming="auto",
        )
        for limit in (0, _SPARE)
    ]
    assert all(Rating(room).fits(plan) for plan in plans)
    assert 0 == _traded(plans[0]) < _traded(plans[1])
    assert plan_cycles(plans[1]) < 0.95 * plan_cycles(plans[0])
    runs = [
        plans[1].rows_per_call(step) for step in plans[1].program.steps if step.kernel.trades_flash
    ]
    assert all(max(found) > 1 for found in runs)
    assert plans[1].selected is not None
    assert plans[1].selected.trade.flash is not None


def test_kernels_with_more_constants_stay_out_where_flash_is_short() -> None:
    """Kernels may pack weights less tightly: a limit between those and lean ones is kept."""
    net = Wiring("planes")
    x = net.conv(net.input(1, 20, 20, 8), 64, 1)
    for _ in range(3):
        x = net.conv_with(Conv2D((5, 5), (1, 1), (1, 1), (2, 2, 2, 2), 64), x, 64)
    graph = net.graph(x)
    fast, lean = (_flash(_plan(Aim(o), graph)) for o in (Objective.LATENCY, Objective.FLASH))
    assert lean < fast
    for limit in (fast, fast - 1, (fast + lean) // 2):
        assert _flash(_plan(Aim(Objective.LATENCY, flash_limit=limit), graph)) <= limit
