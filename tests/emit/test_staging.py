# SPDX-License-Identifier: Apache-2.0
"""Weights that are copied to the arena before a kernel reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from networks import STAMP
from row_nets import NARROW, WIDE_BY_NARROW, in_types, row_net

from mcuplan.backends import kernels_for
from mcuplan.emit import emit
from mcuplan.ir.op import Kernel
from mcuplan.ir.staging import own_scratch_bytes, staged, staged_bytes
from mcuplan.ir.types import DType
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.making import placed
from mcuplan.schedule.planning.streamed import streamed_plan
from mcuplan.schedule.program import Plan, Program, Sharing, Step
from mcuplan.solvers.packing import PlanError
from mcuplan.targets import load_target
from mcuplan.units import align_up


def _staged_plan(seed: int, backend: str) -> Plan:
    """All steps that have weights read them from the arena."""
    target = replace(load_target("cortex-m4"), backend=backend)
    program = select_kernels(row_net(seed), target)
    steps = []
    for step in program.steps:
        has = staged_bytes(step.kernel, step.signature) > 0
        steps.append(replace(step, kernel=staged(step.kernel)) if has else step)
    return placed(Program(program.graph, target, tuple(steps)), Sharing(), None)


def _by_rows(seed: int) -> Plan:
    """The same row by row, in an order of rows."""
    program = _staged_plan(seed, "c99").program
    return streamed_plan(row_program(program, Sharing()))


def _feeds(plan: Plan) -> dict[str, np.ndarray]:
    rng, graph = np.random.default_rng(7), plan.program.graph
    kinds = {port.tensor: graph.tensor(port.tensor).type for port in graph.inputs}
    return {
        name: rng.integers(-128, 128, (6, *kind.shape[1:])).astype(kind.dtype.value)
        for name, kind in kinds.items()
    }


@pytest.mark.parametrize("seed", range(4))
def test_staged_weights_give_the_same_bytes_on_the_host(seed: int, host_gcc: str) -> None:
    """The copy lies behind the kernel's scratch, within the arena, and is what it reads."""
    plan = _staged_plan(seed, "c99")
    subject = Subject(emit(plan, "tiny", STAMP), plan)
    source = next(text for path, text in subject.bundle.files.items() if path.name == "tiny.c")
    steps = [step for step in plan.program.steps if step.kernel.staged]
    assert source.count("mplan_stage(") == sum(len(step.calls) for step in steps) > 0
    assert prove_on_host(subject, _feeds(plan)).mismatch is None


def test_staged_weights_give_the_same_bytes_on_the_core(arm_gcc: str, qemu: str) -> None:
    """The same with kernels of another set; stack and bytes are as planned."""
    plan = _staged_plan(1, "auto")
    subject = Subject(emit(plan, "tiny", STAMP), plan)
    proof = prove_on_core(subject, _feeds(plan), core_named("cortex-m4"))
    assert proof.equal
    assert () == proof.drift


@pytest.mark.parametrize("seed", range(4))
def test_copies_stay_from_row_to_row(seed: int, host_gcc: str) -> None:
    """By rows the first call of a step makes the copy; nothing is laid over it until the last."""
    plan = _by_rows(seed)
    source = emit(plan, "tiny", STAMP).files[PurePosixPath("tiny.c")]
    copied = [step for step in plan.program.steps if step.kernel.staged]
    assert source.count("if (y0 == 0U) {") == len(copied) > 0
    assert any(len(plan.runs_of[step.index]) > 1 for step in copied)
    subject = Subject(emit(plan, "tiny", STAMP), plan)
    assert prove_on_host(subject, _feeds(plan)).mismatch is None


@pytest.mark.parametrize("types", [NARROW, WIDE_BY_NARROW])
def test_narrow_weights_are_widened_on_the_core(
    types: tuple[DType, DType], arm_gcc: str, qemu: str
) -> None:
    """Copies of 8 bits of weights of 4, whole and by rows; stack and bytes are as planned."""
    graph = in_types(row_net(4), *types)
    for core in ("cortex-m4", "cortex-m0plus", "cortex-m55"):
        program = select_kernels(graph, load_target(core))
        steps = tuple(replace(s, kernel=_widening(s, core)) for s in program.steps)
        plan = placed(replace(program, steps=steps), Sharing(), None)
        subject = Subject(emit(plan, "tiny", STAMP), plan)
        assert any("mplan_widen(" in text for text in subject.bundle.files.values())
        proof = prove_on_core(subject, _feeds(plan), core_named(core))
        assert proof.equal, core
        assert () == proof.drift, core


def _widening(step: Step, core: str) -> Kernel:
    """The first kernel of a step that widens its weights, or its own where none does."""
    features = frozenset(load_target(core).features)
    found = [k for k in kernels_for(features)[type(step.node.op)] if k.runs(step.signature)]
    return next((k for k in found if k.staged), step.kernel)


def test_what_lies_over_a_copy_is_found() -> None:
    """A plan whose copies end too early is refused."""
    plan, refused = _by_rows(1), 0
    for step in (step for step in plan.program.steps if step.kernel.staged):
        name = plan.allocation.scratch[plan.runs_of[step.index][0]]
        ((region, memory),) = plan.memory.items()
        for other in memory.placements:
            moved = replace(other, offset=plan.places[name][1])
            places = tuple(moved if p is other else p for p in memory.placements)
            wrong = replace(plan, memory={region: replace(memory, placements=places)})
            try:
                check_rows(wrong)
            except PlanError as error:
                refused += "copy of the weights" in str(error)
    assert refused


def test_a_copy_is_scratch_behind_the_own() -> None:
    """What a kernel itself asks for stays the same."""
    plan = _staged_plan(2, "auto")
    plain = {s.node.name: s for s in select_kernels(row_net(2), plan.program.target).steps}
    copied = [step for step in plan.program.steps if step.kernel.staged]
    assert copied
    for step in copied:
        own = plain[step.node.name].scratch_bytes
        assert own_scratch_bytes(step.kernel, step.signature) == align_up(own, 4)
        assert step.scratch_bytes == align_up(own, 4) + staged_bytes(step.kernel, step.signature)
