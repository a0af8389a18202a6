# SPDX-License-Identifier: Apache-2.0
"""How often every loop of a kernel runs, what that takes, and how deep the stack gets."""

from __future__ import annotations

from typing import Any

from mcuplan.price.cycles import expected_cycles, work_of
from mcuplan.prove.trace import ImageTrace
from mcuplan.record import Planned
from mcuplan.schedule.program import Step

__all__ = ["bounds_record"]

_ABOUT = (
    "counts follow from the shapes alone, not from values: `loops` is how often each part of the "
    "kernel's loops runs in all calls of a step, `longest_call` in the one with most rows. Cycles "
    "are those counts times what a part took on an emulated core, and what a board waits: "
    "modelled; `error` is the largest deviation that was measured for the kernel, null: none was. "
    "`worst_cycles` adds it. Interrupts, DMA and caches shared with other code are not in it"
)

_ALLOCATORS = frozenset(
    {"malloc", "calloc", "realloc", "memalign", "free", "_malloc_r", "_free_r", "_sbrk", "sbrk"}
)
"""Functions of a C library, one of which is in every image that allocates."""


def bounds_record(planned: Planned, trace: ImageTrace) -> Any:
    """All of it as JSON."""
    steps = [_step(planned, step) for step in planned.plan.program.steps]
    known = all(step["worst_cycles"] is not None for step in steps)
    return {
        "schema": "mcuplan.bounds/1",
        "about": _ABOUT,
        "core": planned.plan.program.target.core,
        "stack": {"bytes": trace.stack.nbytes, "path": list(trace.stack.path)},
        "recursion": False,  # or its stack would have no bound
        "dynamic_memory": not _ALLOCATORS.isdisjoint(trace.symbols),
        "cycles": sum(step["cycles"] for step in steps),
        "worst_cycles": sum(step["worst_cycles"] for step in steps) if known else None,
        "steps": steps,
    }


def _step(planned: Planned, step: Step) -> Any:
    plan, program = planned.plan, planned.plan.program
    rows = plan.rows_per_call(step)
    found = expected_cycles(step.kernel, step.signature, program.target, rows)
    cycles, error = found.total, found.error
    if error is not None and found.stalls.cycles:
        waits = found.stalls_error
        error = None if waits is None else error * found.cycles / cycles + waits
    longest = max(rows, default=0) or step.signature.output.rows
    return {
        "step": step.index,
        "layer": program.graph.node_name(step.node),
        "kernel": step.kernel.function,
        "calls": max(1, len(rows)),
        "rows_of_longest_call": longest,
        "macs": step.cost.macs,
        "loops": _counts(work_of(step.kernel, step.signature, rows)),
        "longest_call": _counts(work_of(step.kernel, step.signature, (longest,))),
        "cycles": round(cycles),
        "error": None if error is None else round(error, 4),
        "worst_cycles": None if error is None else round(cycles * (1 + error)),
    }


def _counts(work: Any) -> Any:
    """Whole numbers as such."""
    return {
        part: int(n) if float(n).is_integer() else round(n, 3) for part, n in sorted(work.items())
    }
