# SPDX-License-Identifier: Apache-2.0
"""What test images write out after steps, or after runs of rows, put together to tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from mcuplan.ir.types import Array
from mcuplan.prove.api import TensorDump
from mcuplan.schedule.program import FEED, Plan, Run

__all__ = ["step_values", "tensor_dumps"]

_Place = tuple[str, int]


def tensor_dumps(plan: Plan, members: Mapping[str, str]) -> tuple[TensorDump, ...]:
    """The output of every step right after it ran; of a plan by rows, the rows of every run.

    Args:
        plan: what runs.
        members: name of each region in the bundle.
    """
    return tuple(dump for _, dump in _numbered(plan, members))


def step_values(plan: Plan, dumps: Sequence[Array]) -> tuple[Array, ...]:
    """The output of each step [samples, bytes] from all that an image wrote out."""
    parts: dict[int, list[Array]] = {step.index: [] for step in plan.program.steps}
    names = dict.fromkeys(plan.memory, "")
    for (step, _), dump in zip(_numbered(plan, names), dumps, strict=True):
        parts[step].append(dump)
    return tuple(
        found[0] if len(found) == 1 else np.concatenate(found, axis=1) for found in parts.values()
    )


def _numbered(plan: Plan, members: Mapping[str, str]) -> Iterator[tuple[int, TensorDump]]:
    """Every dump with the step whose output it is a part of; parts in the order of rows."""
    graph = plan.program.graph
    runs = plan.runs or tuple(
        Run(step.index, 0, graph.tensor(step.node.output).type.rows) for step in plan.program.steps
    )
    rows = {step.index: plan.row_addresses(step.node.output) for step in plan.program.steps}
    for at, run in enumerate(runs):
        if run.step == FEED:
            continue
        step = plan.program.steps[run.step]
        kind = graph.tensor(step.node.output).type
        made = rows[run.step][run.first : run.end]
        if step.node.op.gathers and plan.runs:
            made = rows[run.step] if run.end == step.signature.inputs[0].rows else ()
        for (region, offset), count in _spans(made, kind.row_bytes):
            yield run.step, TensorDump(at, members[region], offset, count * kind.row_bytes)


def _spans(places: Sequence[_Place], row_bytes: int) -> Iterator[tuple[_Place, int]]:
    """Rows that lie one behind the other: where the first lies, and how many."""
    starts = [0]
    for index, ((region, offset), (other, behind)) in enumerate(pairwise(places), 1):
        if (region, offset + row_bytes) != (other, behind):
            starts.append(index)
    for first, end in pairwise([*starts, len(places)]):
        if end > first:
            yield places[first], end - first
