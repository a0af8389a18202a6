# SPDX-License-Identifier: Apache-2.0
"""Which bytes of an arena a run of a step may write; all others it must leave alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcuplan.schedule.program import FEED, Plan, Run

__all__ = ["kept_bytes"]

_Span = tuple[str, int, int]  # region, first byte, end


def kept_bytes(plan: Plan, arenas: Mapping[str, int]) -> Iterator[tuple[int, str, int, int]]:
    """(run, region, offset, bytes) that a run must not write: neither output nor scratch.

    Args:
        plan: what runs.
        arenas: bytes of each arena as the application defines it, by region.
    """
    for index, run in enumerate(plan.runs):
        written = sorted(_written(plan, index, run))
        for region, size in arenas.items():
            at = 0
            for where, first, end in written:
                if where == region and first > at:
                    yield index, region, at, first - at
                at = max(at, end) if where == region else at
            if at < size:
                yield index, region, at, size - at


def _written(plan: Plan, number: int, run: Run) -> Iterator[_Span]:
    """What a run makes and changes, and its scratch."""
    if run.step == FEED:
        yield from _rows(plan, plan.program.graph.inputs[0].tensor, run.first, run.end)
        return
    step = plan.program.steps[run.step].in_forms[run.form]
    for name in step.node.outputs:
        whole = step.node.op.gathers or (run.first, run.end) == (0, step.rows)
        yield from _rows(plan, name, *((0, None) if whole else (run.first, run.end)))
    for index in step.node.op.changes:
        yield from _rows(plan, step.node.inputs[index], 0, None)
    scratch = plan.allocation.scratch.get(number)
    if scratch is not None:
        region, offset = plan.places[scratch]
        yield region, offset, offset + step.scratch_bytes


def _rows(plan: Plan, tensor: str, first: int, end: int | None) -> Iterator[_Span]:
    size = plan.program.graph.tensor(tensor).type.row_bytes
    for region, offset in plan.row_addresses(tensor)[first:end]:
        yield region, offset, offset + size
