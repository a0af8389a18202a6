# SPDX-License-Identifier: Apache-2.0
"""What each objective promises against the others, streaming included, on many networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from step_graphs import random_steps

from mcuplan import pipeline
from mcuplan.ir.graph import Graph
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.plan_facts import SlowerByRows
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.record import Request
from mcuplan.schedule.kernels.objective import Aim, Objective, plan_cycles
from mcuplan.schedule.kernels.select import flash_bytes
from mcuplan.schedule.planning.by_rows import ByRows
from mcuplan.schedule.planning.choice import plan_asked, plan_graph
from mcuplan.schedule.planning.rating import Rating, apart_bytes
from mcuplan.schedule.program import Plan, Streaming
from mcuplan.solvers.effort import EFFORTS
from mcuplan.solvers.packing.problem import Region
from mcuplan.targets import Target, load_target

_DSCNN = Path(__file__).parents[2] / "models" / "digits_dscnn" / "model.onnx"


def _m4() -> Target:
    return replace(load_target("cortex-m4"), backend="dsp")


def _small(nbytes: int) -> Target:
    """The same chip with little RAM."""
    target = _m4()
    ram = Region("sram", "ram", nbytes)
    return replace(target, regions=(ram, *target.flash))


def _depthwise(net: Wiring, x: str, channels: int, stride: int = 1) -> str:
    groups = net.shape(x)[3]
    op = Conv2D((3, 3), (stride, stride), pads=(1, 1, 1, 1), groups=groups)
    return net.conv(net.conv_with(op, x, groups), channels)


def _separable() -> Graph:
    net = Wiring("separable")
    x = net.conv(net.input(1, 13, 5, 1), 16, 3)
    for _ in range(2):
        x = _depthwise(net, x, 16)
    return net.graph(net.add(AvgPool2D(net.shape(x)[1:3]), x))


def _residual() -> Graph:
    net = Wiring("residual")
    x = net.conv(net.input(1, 10, 10, 3), 8, 3)
    for stride, channels in ((1, 8), (2, 16)):
        side = net.conv(x, channels, 1, stride)
        x = net.sum([net.conv(net.conv(x, channels, 3, stride), channels, 3), side])
    return net.graph(x)


def _joined() -> Graph:
    net = Wiring("joined")
    x = net.conv(net.input(1, 8, 8, 4), 8, 3)
    for _ in range(2):
        x = net.add(Concat(3), net.conv(x, 8, 3), net.conv(x, 4), x)
    return net.graph(net.conv(x, 4, 3, 2))


_NETWORKS = {"separable": _separable, "residual": _residual, "joined": _joined}


def _plan(graph: Graph, target: Target, objective: Objective, streaming: Streaming) -> Plan:
    quick, aim = EFFORTS["fast"], Aim(objective)
    return plan_graph(graph, target, None, quick, aim, streaming=streaming)


_WAYS: tuple[tuple[Objective, Streaming], ...] = tuple(
    (objective, streaming) for objective in Objective for streaming in ("off", "auto")
)


_Plans = dict[tuple[Objective, Streaming], Plan]


def _fits(plan: Plan, target: Target) -> bool:
    """Whether a target holds the arena of a plan beside stack and context."""
    return plan.arena_bytes + apart_bytes(plan) <= target.ram[0].usable_bytes


def _is_kept(graph: Graph, target: Target, known: _Plans | None = None) -> _Plans:
    """What latency and ram=strict promise, of the plans of every objective, by rows or not.

    ``known`` plans are of more RAM, which only some objectives ask for.
    """
    asking = (Objective.LATENCY, Objective.RAM)
    ways = [way for way in _WAYS if known is None or way[0] in asking]
    plans = (known or {}) | {way: _plan(graph, target, *way) for way in ways}
    for allowed in (("off",), ("off", "auto")):
        fit = [p for way, p in plans.items() if way[1] in allowed and _fits(p, target)]
        fastest = plans[Objective.LATENCY, allowed[-1]]
        if fit:
            assert _fits(fastest, target)
            assert plan_cycles(fastest) <= min(map(plan_cycles, fit)) * (1 + 1e-9)
    least = plans[Objective.RAM_STRICT, "auto"]
    for way in ((Objective.RAM_STRICT, "off"), (Objective.RAM, "auto"), (Objective.RAM, "off")):
        assert least.arena_bytes <= plans[way].arena_bytes
    return plans


@pytest.mark.parametrize("name", _NETWORKS)
def test_latency_never_loses(name: str) -> None:
    """No plan of another objective, by rows or not, is faster; none has less RAM than strict."""
    _is_kept(_NETWORKS[name](), _m4())


@pytest.mark.slow
@pytest.mark.parametrize("name", _NETWORKS)
def test_latency_never_loses_in_little_ram(name: str) -> None:
    """Where the fastest does not fit, the fastest is sought among what does, whatever the RAM."""
    graph = _NETWORKS[name]()
    plans = _is_kept(graph, _m4())
    rooms = sorted({plan.arena_bytes + apart_bytes(plan) for plan in plans.values()})
    for room in (rooms[0], rooms[len(rooms) // 2], rooms[-2]):
        _is_kept(graph, _small(room), plans)


def test_latency_never_loses_to_what_lies_in_faster_ram() -> None:
    """Kernels that need less RAM may be faster: nothing waits for them."""
    graph, target = _residual(), _m4()
    least = _plan(graph, target, Objective.RAM_STRICT, "off")
    room = least.arena_bytes + apart_bytes(least)
    ram = (Region("dtcm", "ram", room), Region("sram", "ram", 1 << 17, wait_states=9))
    target = replace(target, regions=(*ram, *target.flash))

    def cycles(objective: Objective) -> float:
        plan = plan_graph(graph, target, None, EFFORTS["fast"], Aim(objective))
        return Rating().cycles(plan)

    every = {objective: cycles(objective) for objective in Objective}
    assert every[Objective.LATENCY] == min(every.values()) < every[Objective.FLASH]


@pytest.mark.parametrize("seed", range(0, 12, 4))
def test_latency_never_loses_on_random_graphs(seed: int) -> None:
    """The same of small graphs of parts, joins and windows."""
    for each in range(seed, seed + 4):
        _is_kept(random_steps(each, 9), _m4())


def test_latency_fits_where_nothing_runs_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slower kernels with less scratch are taken where only they fit, without rows, too."""
    graph = _residual()
    strict = _plan(graph, _m4(), Objective.RAM_STRICT, "off")
    least = strict.arena_bytes
    assert least < _plan(graph, _m4(), Objective.LATENCY, "off").arena_bytes
    monkeypatch.setattr(ByRows, "plan", lambda *_, **__: None)
    room = least + apart_bytes(strict)
    plan = _plan(graph, _small(room), Objective.LATENCY, "auto")
    assert plan.arena_bytes + apart_bytes(plan) <= room
    assert plan.selected is not None
    assert "latency" == plan.selected.objective


def test_latency_says_what_rows_would_cost() -> None:
    """A plan as a whole that is faster says so, where a level is about rows."""
    plan = _plan(_separable(), _m4(), Objective.LATENCY, "auto")
    assert plan.is_straight
    assert isinstance(plan.as_a_whole, SlowerByRows)
    assert plan.as_a_whole.more_cycles > 0


def test_ram_pays_no_multiple_for_the_last_bytes() -> None:
    """`ram` takes at most twice the cycles; `ram=strict` may take more, and less RAM."""
    for build in _NETWORKS.values():
        plans = {o: _plan(build(), _m4(), o, "off") for o in Objective}
        cycles = {o: plan_cycles(plan) for o, plan in plans.items()}
        assert cycles[Objective.RAM] <= 2 * cycles[Objective.LATENCY]
        assert plans[Objective.RAM_STRICT].arena_bytes <= plans[Objective.RAM].arena_bytes


def _of_model(
    objective: Objective, streaming: Streaming = "auto", board: str = "cortex-m4"
) -> Plan:
    target = replace(load_target(board), backend="dsp")
    request = Request(_DSCNN, target, objective=objective.value, streaming=streaming)
    return pipeline.plan(request, sizes_only=True).plan


def test_little_ram_costs_no_multiple_of_the_speed() -> None:
    """`ram` takes at most 1.3 times the cycles of `latency`, within 3 % of the least arena."""
    plan, least = _of_model(Objective.RAM), _of_model(Objective.RAM_STRICT)
    assert plan_cycles(plan) <= 1.3 * plan_cycles(_of_model(Objective.LATENCY))
    assert plan.arena_bytes <= 1.03 * least.arena_bytes


def test_rows_that_are_fed_cost_little() -> None:
    """For latency, at most 1.08 times the cycles of the whole image."""
    fed, whole = (_of_model(Objective.LATENCY, way) for way in ("input", "auto"))
    assert plan_cycles(fed) <= 1.08 * plan_cycles(whole)


@pytest.mark.parametrize("board", ["cortex-m4", "nucleo-l4r5zi"])
def test_the_default_is_near_latency_or_says_what_that_takes(board: str) -> None:
    """What it says are the differences of the two plans."""
    plan, fast = (_of_model(o, board=board) for o in (Objective.BALANCED, Objective.LATENCY))
    assert plan.selected is not None
    faster = plan.selected.trade.faster
    assert (faster is None) == (plan_cycles(plan) <= 1.15 * plan_cycles(fast))


def test_the_default_says_what_latency_takes() -> None:
    """Little flash and RAM, where tiles of the plan for latency take far more of both."""
    target = replace(load_target("cortex-m4"), backend="dsp")
    plan, fast = (
        plan_asked(Request(_DSCNN, target, objective=o), _tiles(), target)[0]
        for o in ("balanced", "latency")
    )
    assert plan.selected is not None
    faster = plan.selected.trade.faster
    assert faster is not None
    assert faster.cycles == round(plan_cycles(plan) - plan_cycles(fast))
    ram = [each.arena_bytes + apart_bytes(each) for each in (fast, plan)]
    assert faster.ram_bytes == ram[0] - ram[1] > 0
    assert faster.flash_bytes == flash_bytes(fast.program) - flash_bytes(plan.program) > 0


def test_the_default_keeps_a_limit_that_another_plan_keeps() -> None:
    """Of RAM or of time: the fastest plan that keeps both, and it says so."""
    target, graph = replace(load_target("cortex-m4"), backend="dsp"), _tiles()
    asked = Request(_DSCNN, target)
    usual = plan_asked(asked, graph, target)[0]
    bytes_, seconds = _needs(usual)
    fast = plan_asked(replace(asked, objective="latency"), graph, target)[0]
    lean = plan_asked(replace(asked, objective="ram=strict"), graph, target)[0]
    assert _needs(lean)[0] < bytes_
    assert _needs(fast)[1] < seconds
    limits = ({"ram_limit": bytes_ - 1}, {"latency_limit_s": _needs(fast)[1] * 1.001})
    for limit in limits:
        plan = plan_asked(replace(asked, **limit), graph, target)[0]
        assert plan.selected is not None
        assert plan.selected.instead_of == "balanced"
        needs = _needs(plan)
        assert needs[0] <= limit.get("ram_limit", needs[0])
        assert needs[1] <= limit.get("latency_limit_s", needs[1])
    for limit in ({"ram_limit": _needs(lean)[0] // 2}, {"latency_limit_s": 1e-9}):
        plan = plan_asked(replace(asked, **limit), graph, target)[0]
        assert plan.selected is not None
        assert not plan.selected.instead_of


def _needs(plan: Plan) -> tuple[int, float]:
    """Bytes of RAM, and seconds."""
    target = plan.program.target
    return plan.arena_bytes + apart_bytes(plan), plan_cycles(plan) / target.clock_hz


def _tiles() -> Graph:
    net = Wiring("tiles")
    x = net.conv(net.input(1, 16, 16, 16), 32, 3)
    return net.graph(net.conv(net.conv(x, 32, 3), 32, 3))
