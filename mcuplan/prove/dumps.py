# SPDX-License-Identifier: Apache-2.0
"""Which bytes a test image writes out after steps, or after runs of rows, and what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from mcuplan.prove.api import TensorDump
from mcuplan.schedule.program import FEED, Plan, Run

__all__ = ["Part", "output_parts"]

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of an output of ``step`` from ``start`` on, as soon as they are made."""

    step: int
    start: int
    dump: TensorDump
    output: int = 0


def output_parts(plan: Plan, members: Mapping[str, str]) -> Iterator[Part]:
    """The output rows of every run right after it.

    Rows that no step reads need not survive a run of several moves: they are left out.

    Args:
        plan: what runs.
        members: name of each region in the bundle.
    """
    places = {
        step.index: [plan.row_addresses(name) for name in step.node.outputs]
        for step in plan.program.steps
    }
    for at, (run, (_, end)) in enumerate(zip(plan.runs, plan.run_moves, strict=True)):
        if run.step == FEED:
            continue
        for output, kind in enumerate(plan.program.steps[run.step].signature.outputs):
            size, found = kind.row_bytes, places[run.step][output]
            for first, last in _spans(_kept(plan, run, end, output), found, size):
                region, offset = found[first]
                dump = TensorDump(at, members[region], offset, (last - first) * size)
                yield Part(run.step, first * size, dump, output)


def _kept(plan: Plan, run: Run, end: int, output: int) -> list[int]:
    """Output rows that a run completes and that are there when it ends, at a move."""
    step = plan.program.steps[run.step]
    if step.node.op.gathers:
        return [0] if run.end == step.signature.inputs[0].rows else []
    slots = plan.allocation.rows[step.node.outputs[output]]
    if len(slots) == 1 and (run.first, run.end) == (0, step.rows):
        return list(range(step.signature.outputs[output].rows))
    if run.moves == 1 or len(slots) == 1:
        return list(range(run.first, run.end))
    live = {buffer.name: buffer.live for buffer in plan.allocation.buffers}
    return [y for y in range(run.first, run.end) if live[slots[y].buffer].end >= end]


def _spans(rows: list[int], places: tuple[_Place, ...], size: int) -> Iterator[tuple[int, int]]:
    """Rows one behind the other in number and in memory, together: first and end."""
    starts = [0]
    for index, (row, following) in enumerate(pairwise(rows), 1):
        (region, offset), there = places[row], places[following]
        if following != row + 1 or there != (region, offset + size):
            starts.append(index)
    for first, end in pairwise([*starts, len(rows)]):
        if end > first:
            yield rows[first], rows[end - 1] + 1
