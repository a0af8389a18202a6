# SPDX-License-Identifier: Apache-2.0
"""How far rows may lie apart: kernels find them at equal distance, or by 16-bit numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd

from mcuplan.errors import InputTooLarge
from mcuplan.schedule.program import Plan

__all__ = ["Spacing", "check_reach", "spacing", "unit_for"]

_MOST = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Spacing:
    """Row y lies at ``base + (numbers[y] if numbers else y) * stride``.

    The stride of a table is the largest number that divides all distances: small entries.
    """

    base: int
    stride: int
    numbers: tuple[int, ...] = ()


def spacing(offsets: Sequence[int], where: str) -> Spacing:
    """Where rows lie.

    Raises:
        InputTooLarge: they lie further apart than a table can say.
    """
    step = offsets[1] - offsets[0] if len(offsets) > 1 else 0
    if step >= 0 and list(offsets) == [offsets[0] + y * step for y in range(len(offsets))]:
        return Spacing(offsets[0], step)
    base = min(offsets)
    unit = gcd(*(offset - base for offset in offsets))
    numbers = tuple((offset - base) // unit for offset in offsets)
    if max(numbers) > _MOST:
        raise InputTooLarge(
            f"its rows lie up to {max(offsets) - base:,} B apart, "
            f"in units of {unit} B at most {_MOST * unit:,} B",
            where,
            hint="plan with --streaming off",
        )
    return Spacing(base, unit, numbers)


def unit_for(arena_bytes: int) -> int:
    """The smallest power of two in which a table counts through an arena."""
    unit = 1
    while arena_bytes > _MOST * unit:
        unit *= 2
    return unit


def check_reach(plan: Plan) -> None:
    """Refuse a plan whose rows, or scratch, no table could say.

    Raises:
        InputTooLarge: they lie too far apart.
    """
    graph = plan.program.graph
    for tensor, slots in plan.allocation.rows.items():
        if len(slots) > 1:
            spacing([offset for _, offset in plan.row_addresses(tensor)], graph.tensor_name(tensor))
    for step, offsets in _scratch_offsets(plan):
        spacing(offsets, graph.node_name(plan.program.steps[step].node))


def _scratch_offsets(plan: Plan) -> Iterator[tuple[int, list[int]]]:
    """Where the scratch of each step lies, run by run."""
    offsets: dict[int, list[int]] = {}
    for run, name in plan.allocation.scratch.items():
        offsets.setdefault(plan.runs[run].step, []).append(plan.places[name][1])
    yield from sorted(offsets.items())
