# SPDX-License-Identifier: Apache-2.0
"""Weights that are copied to the arena before a kernel reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import STAMP
from row_nets import row_net

from mcuplan.emit import emit
from mcuplan.ir.staging import own_scratch_bytes, staged, staged_bytes
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.planning.choice import placed
from mcuplan.schedule.program import Plan, Program, Sharing
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
