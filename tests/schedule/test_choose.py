# SPDX-License-Identifier: Apache-2.0
"""Kernels chosen for latency, flash, RAM, and between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from networks import tiny_plan

from mcuplan import pipeline
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Kernel
from mcuplan.price import constants_of, kernel_size
from mcuplan.record import Request
from mcuplan.schedule.kernels.choose import Choice, choose
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import Candidate, candidates_of
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan, Step
from mcuplan.targets import Target, load_target

Chosen = Mapping[str, Candidate]

# arena asked of `--objective ram`, without rows
LEAST = {"mlperf_kws_dscnn": 9_000, "mlperf_ic_resnet8": 34_300, "mlperf_vww_mobilenetv1": 37_900}


def _m4() -> Target:
    return replace(load_target("cortex-m4"), backend="dsp")


def _graph() -> Graph:
    return tiny_plan().program.graph


def _cycles(chosen: Chosen) -> float:
    return sum(candidate.cycles for candidate in chosen.values())


def _scratch(chosen: Chosen) -> int:
    """A planner that holds the scratch of all steps at once, above 100 bytes of its own."""
    return 100 + sum(candidate.step.scratch_bytes for candidate in chosen.values())


def _placer() -> Placer[int]:
    return Placer(_scratch, lambda placed: placed)


def _flash(chosen: Chosen) -> int:
    kernels: dict[str, Kernel] = {c.step.kernel.function: c.step.kernel for c in chosen.values()}
    constants = sum(constants_of(c.step.kernel, c.step.signature).nbytes for c in chosen.values())
    return constants + sum(kernel_size(kernel).code_bytes for kernel in kernels.values())


def test_latency_takes_the_fastest_of_every_step() -> None:
    """No candidate of any step is faster than the one chosen for latency."""
    ways = candidates_of(_graph(), _m4())
    choice = choose(ways, Aim(Objective.LATENCY), _placer())
    for name, found in ways.items():
        assert choice.chosen[name].cycles == min(candidate.cycles for candidate in found)
    assert any(len(found) > 1 for found in ways.values())


def test_strict_takes_the_least_arena_of_any_planner() -> None:
    """The arena is the least of all choices, whatever makes plans."""
    ways = candidates_of(_graph(), _m4())
    choice = choose(ways, Aim(Objective.RAM_STRICT), _placer())
    every = [dict(zip(ways, picked, strict=True)) for picked in product(*ways.values())]
    assert choice.placed == min(map(_scratch, every))
    assert choice.trade.saved_bytes > 0


@pytest.mark.parametrize("own", [0, 100, 400, 1_000, 5_000, 50_000])
def test_ram_pays_what_a_byte_is_worth(own: int) -> None:
    """A percent of arena for up to 5 % of the cycles, and never twice those of the fastest.

    The arena is ``own`` bytes and all scratch: the less a byte counts, the less is paid.
    """
    ways = candidates_of(_graph(), _m4())

    def arena(chosen: Chosen) -> int:
        return own + sum(candidate.step.scratch_bytes for candidate in chosen.values())

    choice = choose(ways, Aim(Objective.RAM), Placer(arena, lambda placed: placed))
    fastest = {name: found[0] for name, found in ways.items()}
    strict = choose(ways, Aim(Objective.RAM_STRICT), Placer(arena, lambda placed: placed))
    assert _cycles(choice.chosen) <= 2 * _cycles(fastest)
    assert strict.placed <= choice.placed
    assert _price(choice.placed, choice) <= math.log(_cycles(fastest)) + 5 * math.log(
        arena(fastest)
    )
    if _cycles(strict.chosen) <= 2 * _cycles(fastest):
        assert _price(choice.placed, choice) <= _price(strict.placed, strict)
    assert choice.trade.at_a_rate


def _price(arena: int, choice: Choice[int]) -> float:
    return math.log(_cycles(choice.chosen)) + 5 * math.log(max(1, arena))


def test_ram_slows_no_step_for_nothing() -> None:
    """Where one step decides the arena, all others keep their fastest kernel."""
    ways, held = candidates_of(_graph(), _m4()), "node_pw"
    fastest = {name: found[0] for name, found in ways.items()}
    lean = {
        name: min(found, key=lambda candidate: candidate.step.scratch_bytes)
        for name, found in ways.items()
    }
    placer = Placer(lambda chosen: chosen[held].step.scratch_bytes, lambda placed: placed)
    choice = choose(ways, Aim(Objective.RAM), placer)
    assert choice.placed == lean[held].step.scratch_bytes < fastest[held].step.scratch_bytes
    assert all(choice.chosen[name] is c for name, c in fastest.items() if name != held)


def test_flash_is_the_least_of_all_choices() -> None:
    """Code, once for each kernel, and constants are the least, or 1 % more and far faster."""
    ways = candidates_of(_graph(), _m4())
    aim = Aim(Objective.FLASH)
    choice = choose(ways, aim, _placer())
    every = [dict(zip(ways, picked, strict=True)) for picked in product(*ways.values())]
    least = min(map(_flash, every))
    slowest = min(_cycles(one) for one in every if _flash(one) == least)
    assert _flash(choice.chosen) <= 1.01 * least
    assert _flash(choice.chosen) == least or 1.25 * _cycles(choice.chosen) < slowest


def test_balanced_stays_near_both_ends() -> None:
    """Within 5 % of the least arena where 15 % more cycles are enough for it, else near those."""
    ways = candidates_of(_graph(), _m4())
    fastest = choose(ways, Aim(Objective.LATENCY), _placer())
    least = choose(ways, Aim(Objective.RAM_STRICT), _placer())
    choice = choose(ways, Aim(), _placer())
    near = choice.placed <= 1.05 * least.placed
    assert _cycles(choice.chosen) <= 1.15 * _cycles(fastest.chosen)
    assert near or _cycles(least.chosen) > 1.15 * _cycles(fastest.chosen)
    assert least.placed == choice.trade.least_arena


@pytest.mark.parametrize("objective", list(Objective))
def test_plans_say_what_was_chosen(objective: Objective) -> None:
    """A plan knows its objective, and its order search costs no objective anything."""
    plan = plan_graph(_graph(), _m4(), aim=Aim(objective))
    assert plan.selected is not None
    assert plan.selected.objective == objective.value
    assert plan.selected.trade.steps == len(plan.program.steps)


def _planned(models: Path, name: str, objective: str) -> Plan:
    model = models / name / "model_qdq.onnx"
    request = Request(model, _m4(), objective=objective, streaming="off")
    return pipeline.plan(request).plan


def _arena(plan: Plan) -> int:
    return sum(memory.arena_bytes for memory in plan.memory.values())


def _takes_more(step: Step, than: Step) -> bool:
    """Whether the kernel of the other step keeps more weights, or has more scratch."""
    return than.kernel.trades_flash or than.scratch_bytes > step.scratch_bytes


@pytest.mark.parametrize("name", LEAST)
def test_real_networks(name: str, test_models: Path) -> None:
    """Least arenas are reached; the default is as fast as the fastest, near the least arena."""
    objectives = ("ram=strict", "ram", "balanced", "latency", "flash")
    plans = {o: _planned(test_models, name, o) for o in objectives}
    arenas = {o: _arena(plan) for o, plan in plans.items()}
    kernels = {o: [s.kernel for s in plan.program.steps] for o, plan in plans.items()}
    assert arenas["ram"] <= LEAST[name]
    assert arenas["ram=strict"] == min(arenas.values())
    assert arenas["ram"] <= 1.01 * arenas["ram=strict"]
    assert arenas["balanced"] <= 1.05 * arenas["ram"]
    steps = (plans[o].program.steps for o in ("balanced", "latency"))
    pairs = zip(*steps, strict=True)
    assert all(one.kernel == other.kernel or _takes_more(one, other) for one, other in pairs)
    code = {o: sum(kernel_size(k).code_bytes for k in set(found)) for o, found in kernels.items()}
    assert code["flash"] <= 12 << 10
    assert code["latency"] <= 30 << 10
