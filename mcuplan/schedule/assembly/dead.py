# SPDX-License-Identifier: Apache-2.0
"""Bytes of the arenas that nothing needs between two steps."""

from __future__ import annotations

from collections.abc import Iterator

from mcuplan.schedule.program import Plan
from mcuplan.solvers.packing.problem import Placement

__all__ = ["dead_bytes"]


def dead_bytes(plan: Plan) -> Iterator[tuple[int, str, int, int]]:
    """(run, region, offset, bytes) of what no run after that one reads; none after the last.

    A test build that overwrites
    them shows that no step relies on what it should not.
    """
    moves = plan.run_moves
    for step, (_, last) in enumerate(moves[:-1]):
        for region, memory in plan.memory.items():
            for start, end in _gaps(memory.placements, last - 1, memory.arena_bytes):
                yield step, region, start, end - start


def _gaps(placements: tuple[Placement, ...], step: int, end: int) -> Iterator[tuple[int, int]]:
    """What is not covered by buffers that hold something from a step to the next."""
    at = 0
    held = [p for p in placements if p.buffer.live.start <= step and p.buffer.live.end > step + 1]
    for placement in sorted(held, key=lambda p: p.offset):
        if placement.offset > at:
            yield at, placement.offset
        at = max(at, placement.offset + placement.buffer.nbytes)
    if at < end:
        yield at, end
