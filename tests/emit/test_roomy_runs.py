# SPDX-License-Identifier: Apache-2.0
"""Runs of a step in several forms of its kernel, each in as much scratch as lies free."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import PurePosixPath

import numpy as np
import pytest
from networks import STAMP

from mcuplan.budget.footprint import step_bytes
from mcuplan.emit import emit
from mcuplan.ir.graph import Graph
from mcuplan.plan_facts import Trade
from mcuplan.price.structs import kernel_struct
from mcuplan.prove.cores import core_named
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.proofs import Subject, prove_on_core
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.calls import feed_cycles, kernel_cycles, run_cycles
from mcuplan.schedule.kernels.objective import Objective, plan_cycles
from mcuplan.schedule.kernels.select import candidates_of, flash_bytes, program_of
from mcuplan.schedule.planning.roomy_runs import with_roomy_runs
from mcuplan.schedule.planning.streamed import streamed_plan
from mcuplan.schedule.program import FEED, Plan, Selected, Sharing
from mcuplan.solvers.packing import PlanError
from mcuplan.targets import load_target

_LINES = "mplan_winograd_line_s8_dsp"


def _net() -> Graph:
    """Two blocks of 3x3 layers beside a skip connection, the second with more channels."""
    net = Wiring("blocks")
    x = net.conv(net.input(1, 12, 12, 3), 16, 3)
    x = net.sum([x, net.conv(net.conv(x, 16, 3), 16, 3)])
    x = net.conv(x, 32, 3, 2)
    return net.graph(net.conv(net.sum([x, net.conv(net.conv(x, 32, 3), 32, 3)]), 4, 1))


@cache
def _lean(feed: bool) -> Plan:
    """Tiles along lines in little scratch; no other kernel has several forms."""
    target, graph = replace(load_target("cortex-m4"), backend="dsp"), _net()
    chosen = {
        name: min(
            (c for c in found if c.step.kernel.tall == 1 and not c.step.kernel.staged),
            key=lambda c: (c.step.kernel.function != _LINES, c.step.scratch_bytes, c.cycles),
        )
        for name, found in candidates_of(graph, target).items()
    }
    rowed = row_program(program_of(graph, target, chosen), Sharing(), feed=feed)
    selected = Selected(Objective.RAM.value, Trade(len(chosen)))
    return replace(streamed_plan(rowed), selected=selected)


def _roomy(feed: bool = False, more: int = 400) -> Plan:
    """Its runs in the forms that they find room for, with some bytes more."""
    plan = _lean(feed)
    return with_roomy_runs(plan, plan.arena_bytes + more, Sharing())


def _plain(plan: Plan) -> Plan:
    """The same runs, all in the leanest form."""
    leanest = {
        step.index: min(range(1 + len(step.forms)), key=lambda k: step.in_forms[k].scratch_bytes)
        for step in plan.program.steps
    }
    runs = (run if run.step == FEED else replace(run, form=leanest[run.step]) for run in plan.runs)
    return replace(plan, runs=tuple(runs))


def _feeds(plan: Plan, count: int) -> dict[str, np.ndarray]:
    rng, port = np.random.default_rng(3), plan.program.graph.inputs[0].tensor
    shape = plan.program.graph.tensor(port).type.shape[1:]
    return {port: rng.integers(-128, 128, (count, *shape)).astype(np.int8)}


@pytest.mark.parametrize("feed", [False, True])
def test_runs_take_faster_forms_where_there_is_room(feed: bool) -> None:
    """Each finds as many bytes as its form needs; the plan is faster, and says by how much."""
    plan = _roomy(feed)
    check_rows(plan)
    formed = [step for step in plan.program.steps if step.forms]
    assert formed
    sizes = {buffer.name: buffer.nbytes for buffer in plan.allocation.buffers}
    for number, name in plan.allocation.scratch.items():
        run = plan.runs[number]
        assert sizes[name] == plan.program.steps[run.step].in_forms[run.form].scratch_bytes
    assert plan_cycles(plan) < plan_cycles(_plain(plan))
    assert plan.selected is not None
    gain = plan.selected.trade.roomy
    assert gain is not None
    assert (gain.steps, gain.fewer_cycles > 0) == (len(formed), True)


def test_no_run_takes_what_is_not_there() -> None:
    """A larger form in the bytes of a smaller one is found by the proof of rows."""
    plan = _roomy()
    step = next(step for step in plan.program.steps if step.forms)
    large = max(range(1 + len(step.forms)), key=lambda k: step.in_forms[k].scratch_bytes)
    numbers = [n for n in plan.runs_of[step.index] if plan.runs[n].form != large]
    runs = list(plan.runs)
    runs[numbers[0]] = replace(runs[numbers[0]], form=large)
    with pytest.raises(PlanError, match="scratch of step"):
        check_rows(replace(plan, runs=tuple(runs)))


def test_the_arena_keeps_its_limit_and_its_rows() -> None:
    """More bytes never make it slower; rows stay where they are."""
    plan, cycles = _lean(feed=False), []
    for more in range(0, 2_001, 400):
        found = with_roomy_runs(plan, plan.arena_bytes + more, Sharing())
        assert found.arena_bytes <= plan.arena_bytes + more
        cycles.append(plan_cycles(found))
        for tensor in plan.allocation.rows:
            assert found.row_addresses(tensor) == plan.row_addresses(tensor)
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] < cycles[0]


def test_a_plan_whose_rows_lie_beyond_the_limit_stays() -> None:
    """There is nothing to gain by other scratch."""
    plan = _lean(feed=False)
    assert with_roomy_runs(plan, 1_000, Sharing()) is plan


def test_forms_cost_a_struct_each() -> None:
    """The arrays are there once, in the bundle and in the bill."""
    plan = _roomy()
    bundle, plain = emit(plan, "blocks", STAMP), _plain(plan)
    for step in plan.program.steps:
        own = step_bytes(step)
        symbols = [s for s in bundle.symbols if s.step == step.index]
        assert sum(s.nbytes for s in symbols) == own.weights_bytes + own.tables_bytes
        alone = step_bytes(step.in_forms[0])
        struct = kernel_struct(step.kernel.function).nbytes
        assert own.tables_bytes - alone.tables_bytes == len(step.forms) * struct
        assert own.weights_bytes == alone.weights_bytes
    lean = replace(plain.program, steps=tuple(s.in_forms[0] for s in plain.program.steps))
    assert flash_bytes(plan.program) > flash_bytes(lean)


def test_the_source_says_what_is_no_step() -> None:
    """From the first number that is a form on; where there is none, every number is a step."""
    plan = _roomy()
    forms, plain = (emit(one, "blocks", STAMP).files for one in (plan, _lean(feed=False)))
    said = f"in which they run; from {len(plan.program.steps)} on:\n * of a step"
    assert said in forms[PurePosixPath("blocks.c")]
    assert "in which they run. */" in plain[PurePosixPath("blocks.c")]


def test_runs_of_a_form_take_as_long_as_it() -> None:
    """The cycles of all runs are those of their steps, and those in less scratch take longer."""
    plan = _roomy(feed=True)
    by_step = {step.index: kernel_cycles(plan, step).total for step in plan.program.steps}
    for step in plan.program.steps:
        runs = {number: run_cycles(plan, number, by_step) for number in plan.runs_of[step.index]}
        assert sum(runs.values()) == pytest.approx(by_step[step.index])
        rows = {n: plan.runs[n].end - plan.runs[n].first for n in runs}
        each = {(plan.runs[n].form, round(cycles / rows[n])) for n, cycles in runs.items()}
        assert len(each) == 1 + len(step.forms)
    assert sum(feed_cycles(plan, by_step)) == pytest.approx(sum(by_step.values()))


@pytest.mark.parametrize("feed", [False, True])
def test_forms_equal_the_reference_on_a_core(feed: bool, arm_gcc: str, qemu: str) -> None:
    """Every row of every step; constants and stack of the linked image are those of the plan."""
    plan = _roomy(feed)
    subject = Subject(emit(plan, "blocks", STAMP), plan)
    proof = prove_on_core(subject, _feeds(plan, 2), core_named("cortex-m4"))
    assert proof.equal
    assert () == proof.drift
    assert proof.stack_bytes <= proof.measured.stack.nbytes
