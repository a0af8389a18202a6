# SPDX-License-Identifier: Apache-2.0
"""How often a step reads and writes RAM: modelled, to rate regions with wait states."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.schedule.program import Plan, Step

__all__ = ["SCRATCH", "accesses", "buffer_of", "wait_cycles"]

SCRATCH = ""
"""Stands for the scratch of a step among the names of tensors."""

_MACS_PER_LOAD = {"conv2d": 2, "dense": 2, "depthwise": 1}  # two channels share their inputs
_WORD = 4  # bytes that a cache line's word and a load of a fast kernel have


def accesses(step: Step, cached: bool) -> Mapping[str, int]:
    """Accesses to RAM by tensor, scratch under :data:`SCRATCH`.

    With a data cache every byte comes and goes once per step, a word at a time. Without,
    kernels load what they multiply or compare: bytes in the portable ones, words in the
    others; a patch in scratch is written once per pixel and takes the place of the input.
    """
    activations = _activations(step)
    outputs = zip(step.node.outputs, step.signature.outputs, strict=True)
    made = {name: kind.nbytes for name, kind in outputs}
    if cached:
        sizes = activations | made
        found = {name: -(-nbytes // _WORD) for name, nbytes in sizes.items()}
        scratch = -(-step.scratch_bytes // _WORD)
        return found | ({SCRATCH: scratch} if scratch else {})
    wide = 1 if step.kernel.backend == "c99" else _WORD
    loads = _loads(step) // wide
    found = dict(made)
    for name, nbytes in activations.items():
        read = loads if loads and not step.scratch_bytes else _gathered(step, nbytes) // wide
        found[name] = found.get(name, 0) + max(read, -(-nbytes // wide))
    if step.scratch_bytes:
        found[SCRATCH] = loads + sum(_gathered(step, n) // wide for n in activations.values())
    return found


def _activations(step: Step) -> dict[str, int]:
    """Bytes of the activations that a step reads; one that is read twice counts once."""
    signature = step.signature
    return {
        name: kind.nbytes
        for name, kind, constant in zip(
            step.node.inputs, signature.inputs, signature.constants, strict=True
        )
        if constant is None
    }


def _loads(step: Step) -> int:
    """Inputs that a kernel with multiply-accumulates loads for them; 0 for the others."""
    macs = _MACS_PER_LOAD.get(step.kernel.cost_class)
    return step.cost.macs // macs if macs else 0


def _gathered(step: Step, nbytes: int) -> int:
    """Elements of all windows, each read once; the input's where there are no windows."""
    if step.kernel.cost_class in _MACS_PER_LOAD:
        return max(nbytes, step.cost.macs // max(1, step.signature.output.channels))
    return max(nbytes, step.cost.ops) if step.kernel.cost_class == "pool" else nbytes


def wait_cycles(plan: Plan) -> tuple[int, ...]:
    """Cycles that each step waits for its regions: accesses times wait states."""
    target = plan.program.target
    waits = {region.name: region.wait_states for region in target.ram}
    if not any(waits[region] for region in plan.memory):
        return (0,) * len(plan.program.steps)
    home = {
        placement.buffer.name: region
        for region, memory in plan.memory.items()
        for placement in memory.placements
    }
    cached = "dcache" in target.features
    return tuple(
        sum(
            count * waits[home[buffer_of(plan, step, name)]]
            for name, count in accesses(step, cached).items()
        )
        for step in plan.program.steps
    )


def buffer_of(plan: Plan, step: Step, name: str) -> str:
    """A buffer that holds a tensor of a step, or its scratch; the rows of one are together."""
    allocation = plan.allocation
    if name == SCRATCH:
        runs = (number for number, run in enumerate(plan.runs) if run.step == step.index)
        return allocation.scratch[next(runs) if plan.runs else step.index]
    if name in allocation.rows:
        return allocation.rows[name][0].buffer
    return allocation.slots[name].buffer
