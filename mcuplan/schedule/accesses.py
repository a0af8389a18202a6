# SPDX-License-Identifier: Apache-2.0
"""How often the steps of a plan read and write its regions, and what they wait for them."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.price import accesses_of
from mcuplan.schedule.program import Plan, Step

__all__ = ["SCRATCH", "accesses", "buffer_of", "wait_cycles"]

SCRATCH = ""
"""Stands for the scratch of a step among the names of tensors."""


def accesses(step: Step, cached: bool) -> Mapping[str, int]:
    """Accesses to RAM by tensor, scratch under :data:`SCRATCH`; what is read twice counts once."""
    own = accesses_of(step.kernel, step.signature, cached=cached)
    operands = zip(step.node.inputs, own.inputs, step.signature.constants, strict=True)
    counts = {name: count for name, count, constant in operands if constant is None}
    counts |= dict(zip(step.node.outputs, own.outputs, strict=True))
    return counts | ({SCRATCH: own.scratch} if step.scratch_bytes else {})


def wait_cycles(plan: Plan) -> tuple[int, ...]:
    """Cycles that each step waits for its regions: accesses times wait states."""
    target = plan.program.target
    waits = {region.name: region.wait_states for region in target.ram}
    if not any(waits[region] for region in plan.memory):
        return (0,) * len(plan.program.steps)
    cached = "dcache" in target.features
    return tuple(
        sum(
            count * waits[plan.places[buffer_of(plan, step, name)][0]]
            for name, count in accesses(step, cached).items()
        )
        for step in plan.program.steps
    )


def buffer_of(plan: Plan, step: Step, name: str) -> str:
    """A buffer that holds a tensor of a step, or its scratch; the rows of one are together."""
    allocation = plan.allocation
    if name == SCRATCH:
        return allocation.scratch[plan.runs_of[step.index][0]]
    return allocation.rows[name][0].buffer
