# SPDX-License-Identifier: Apache-2.0
"""Steps that run backwards: what they take, and the kernels that suit them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import STAMP

from mcuplan.budget.speed import step_cycles
from mcuplan.emit import emit
from mcuplan.ir.graph import Graph
from mcuplan.ops.conv2d import Conv2D
from mcuplan.prove.cores import core_named
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.proofs import Subject, count_on_core, prove_on_host
from mcuplan.schedule.kernels.choose import Aim, Objective
from mcuplan.schedule.kernels.objective import plan_cycles
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan, Sharing, whole_runs
from mcuplan.targets import load_target

_TARGET = replace(load_target("cortex-m4"), backend="dsp")


def _signal() -> Graph:
    """Depthwise and pointwise layers over one-pixel rows, wider than what they read."""
    net = Wiring("signal")
    x = net.input(1, 28, 1, 40)
    for taps, outputs in ((3, 128), (5, 120), (10, 128)):
        channels = net.shape(x)[3]
        x = net.conv_with(Conv2D((taps, 1), groups=channels), x, channels)
        x = net.conv(x, outputs)
    return net.graph(x)


def _plan(objective: Objective, backend: str = "dsp") -> Plan:
    target = replace(_TARGET, backend=backend)
    return plan_graph(_signal(), target, aim=Aim(objective), streaming="off")


def _descending(plan: Plan) -> set[int]:
    return {run.step for run in plan.runs if run.descending}


def _feeds(plan: Plan, samples: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {"in0": rng.integers(-128, 128, (samples, 28, 1, 40)).astype(np.int8)}


@pytest.mark.parametrize("objective", [Objective.BALANCED, Objective.RAM])
def test_rows_made_backwards_take_what_is_modelled(
    objective: Objective, arm_gcc: str, qemu: str
) -> None:
    """A call for each row, as the code makes them, is within 2 % of what is counted."""
    plan = _plan(objective)
    assert _descending(plan)
    counts = count_on_core(
        Subject(emit(plan, "net", STAMP), plan), _feeds(plan, 1), core_named("cortex-m4")
    )
    modelled = sum(step_cycles(step, plan).cycles for step in plan.program.steps)
    assert modelled == pytest.approx(sum(count.cycles or 0 for count in counts), rel=0.02)


def test_the_modelled_cycles_know_the_direction() -> None:
    """A step backwards is as many calls as it has rows; forwards it is one."""
    plan = _plan(Objective.BALANCED)
    for step in plan.program.steps:
        rows = step.signature.output.rows
        wanted = (1,) * rows if plan.descends(step) else (rows,)
        assert wanted == plan.rows_per_call(step)
    forwards = replace(plan, runs=whole_runs(plan.program))
    assert plan_cycles(forwards) < plan_cycles(plan)


def test_kernels_of_pairs_do_not_run_backwards_where_others_are_faster(host_gcc: str) -> None:
    """A kernel of pairs of pixels keeps to steps that run forwards, in the same arena."""
    plan = _plan(Objective.BALANCED)
    backwards = {s.kernel.function for s in plan.program.steps if plan.descends(s)}
    assert backwards & {"mplan_conv2d_patch_s8_dsp", "mplan_dense_s8_dsp"}
    assert "mplan_conv2d_s8_dsp" not in backwards
    assert plan.selected is not None
    assert (plan.selected.trade.backwards or 0) > 0


def test_whoever_wants_speed_runs_pairs_forwards() -> None:
    """With `latency` no kernel of pairs runs backwards."""
    plan = _plan(Objective.LATENCY)
    pairs = {s.index for s in plan.program.steps if s.kernel.function == "mplan_conv2d_s8_dsp"}
    assert pairs
    assert not pairs & _descending(plan)


def test_exchanged_kernels_give_the_same_bytes(host_gcc: str) -> None:
    """Every step that runs backwards gives the bytes of the reference, dead bytes spoiled."""
    plan = _plan(Objective.BALANCED, "scalar")
    proof = prove_on_host(Subject(emit(plan, "net", STAMP), plan), _feeds(plan, 4))
    assert proof.mismatch is None


def _frames() -> Graph:
    """Windows over one channel, after a layer that the windows' output may begin in."""
    net = Wiring("frames")
    x = net.conv(net.input(1, 832, 1, 1), 1)
    return net.graph(net.conv_with(Conv2D((256, 1), (128, 1)), x, 258))


@pytest.mark.parametrize("objective", [Objective.BALANCED, Objective.RAM])
def test_rows_are_made_backwards_only_where_that_is_worth_its_calls(objective: Objective) -> None:
    """Some bytes of arena are no reason for a call for each row that takes half as long again."""
    target = replace(_TARGET, backend="auto")

    def made(objective: Objective, *, backwards: bool = True) -> Plan:
        sharing = Sharing(backwards=backwards)
        return plan_graph(_frames(), target, sharing, aim=Aim(objective), streaming="off")

    onwards = made(objective, backwards=False)
    assert _descending(made(Objective.RAM_STRICT))
    plan = made(objective)
    assert not _descending(plan)
    assert (plan.arena_bytes, plan_cycles(plan)) == (onwards.arena_bytes, plan_cycles(onwards))
    assert plan.selected is not None
    assert plan.selected.trade.backwards is None
