# SPDX-License-Identifier: Apache-2.0
"""Fast placements: buffers in some order, each at the lowest offset that is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush

from mcuplan.solvers.packing.conflicts import Conflicts, loads
from mcuplan.solvers.packing.problem import Problem
from mcuplan.units import align_up

__all__ = ["Packing", "climb", "first_fit", "lowest_first", "portfolio"]

_CLIMB_MOVES = 500  # most moves of hill climbing, and
_CLIMB_WORK = 1_000_000  # most moves x conflicts


@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets in the order of the buffers, where the highest buffer ends, and who found it."""

    offsets: tuple[int, ...]
    arena_bytes: int
    method: str


def first_fit(problem: Problem, conflicts: Conflicts, order: Sequence[int]) -> list[int]:
    """Offsets when every buffer of the order takes the lowest offset that is free."""
    offsets = [problem.pinned.get(index, -1) for index in range(len(problem.buffers))]
    for index in order:
        if offsets[index] >= 0:
            continue
        align = problem.buffers[index].align
        # Offsets strictly between the ends of a pair are forbidden by one neighbour.
        forbidden = [
            (offsets[other] - above, offsets[other] + below)
            for other, below, above in conflicts.of[index]
            if offsets[other] >= 0
        ]
        forbidden.sort()
        offsets[index] = _lowest(forbidden, 0, align)
    return offsets


def _lowest(forbidden: Sequence[tuple[int, int]], at: int, align: int) -> int:
    """Lowest aligned offset from ``at`` up that is inside none of the sorted open ranges."""
    for low, high in forbidden:
        if low >= at:
            break
        if high > at:
            at = align_up(high, align)
    return at


def lowest_first(
    problem: Problem, conflicts: Conflicts, rank: Sequence[tuple[int, ...]]
) -> list[int]:
    """Offsets when the buffer that can lie lowest goes next; smaller ``rank`` breaks ties."""
    buffers, count = problem.buffers, len(problem.buffers)
    offsets = [problem.pinned.get(index, -1) for index in range(count)]
    around = _around_pinned(problem, conflicts)
    least = [_lowest(around[index], 0, buffers[index].align) for index in range(count)]
    heap = [(least[index], rank[index], index) for index in range(count)]
    heapify(heap)
    while heap:
        at, _, index = heappop(heap)
        if offsets[index] >= 0 or at != least[index]:
            continue
        offsets[index] = at
        for other, _, above in conflicts.of[index]:
            if offsets[other] < 0 and at + above > least[other]:
                align = buffers[other].align
                least[other] = _lowest(around[other], align_up(at + above, align), align)
                heappush(heap, (least[other], rank[other], other))
    return offsets


def _around_pinned(problem: Problem, conflicts: Conflicts) -> list[list[tuple[int, int]]]:
    """For every buffer, the offsets that pinned ones forbid it: open ranges, sorted."""
    pinned = problem.pinned
    if not pinned:
        return [[]] * len(problem.buffers)
    return [
        sorted((pinned[o] - above, pinned[o] + below) for o, below, above in row if o in pinned)
        for row in conflicts.of
    ]


def _never() -> bool:
    return False


def portfolio(
    problem: Problem, conflicts: Conflicts, goal: int, late: Callable[[], bool] = _never
) -> Packing:
    """The best of all heuristics; stops at the first that reaches ``goal`` bytes, or is late.

    Deterministic: ties go to the heuristic tried first.
    """
    best: Packing | None = None
    for method, solve in _heuristics(problem, conflicts):
        offsets = solve()
        top = _top(problem, offsets)
        if best is None or top < best.arena_bytes:
            best = Packing(tuple(offsets), top, method)
        if best.arena_bytes <= goal or late():
            break
    assert best is not None, "there is always a first heuristic"
    return best


def _heuristics(
    problem: Problem, conflicts: Conflicts
) -> Iterator[tuple[str, Callable[[], list[int]]]]:
    """Name and solver, cheapest and best first."""
    buffers = problem.buffers
    load = loads(problem)
    keys: tuple[tuple[str, Callable[[int], tuple[int, ...]]], ...] = (
        ("size", lambda i: (-buffers[i].nbytes, buffers[i].live.start)),
        ("area", lambda i: (-buffers[i].nbytes * len(buffers[i].live), buffers[i].live.start)),
        ("load", lambda i: (-load[i], -len(buffers[i].live), -buffers[i].nbytes)),
        ("lifetime", lambda i: (-len(buffers[i].live), -buffers[i].nbytes)),
        ("start", lambda i: (buffers[i].live.start, -buffers[i].nbytes)),
        ("end", lambda i: (-buffers[i].live.end, -buffers[i].nbytes)),
    )
    for name, key in keys:
        ranks = [key(index) for index in range(len(buffers))]
        order = sorted(range(len(buffers)), key=ranks.__getitem__)
        yield f"first fit by {name}", partial(first_fit, problem, conflicts, order)
        yield f"lowest first by {name}", partial(lowest_first, problem, conflicts, ranks)


def climb(
    problem: Problem,
    conflicts: Conflicts,
    best: Packing,
    goal: int,
    late: Callable[[], bool] = _never,
) -> Packing:
    """Hill climbing on orders: move a topmost buffer before one that it rests on.

    Moves come in a fixed pseudo-random sequence and sideways moves are taken, so equal
    input gives equal output. Never worse than ``best``.
    """
    tries = min(_CLIMB_MOVES, _CLIMB_WORK // (conflicts.pairs + len(problem.buffers) + 1))
    current, state = _by_offset(best.offsets), 1
    offsets = first_fit(problem, conflicts, current)
    height = _top(problem, offsets)
    for _ in range(tries):
        if best.arena_bytes <= goal or late():
            break
        tops = [i for i, at in enumerate(offsets) if at + problem.buffers[i].nbytes >= height]
        state = (state * 1103515245 + 12345) % 2**31
        top = (tops or current)[(state >> 8) % len(tops or current)]
        below = [j for j, _, _ in conflicts.of[top]] or current
        state = (state * 1103515245 + 12345) % 2**31
        target = below[(state >> 8) % len(below)]
        trial = [i for i in current if i != top]
        trial.insert(trial.index(target) if target != top else 0, top)
        found = first_fit(problem, conflicts, trial)
        reached = _top(problem, found)
        if reached <= height:
            current, offsets, height = trial, found, reached
        if reached < best.arena_bytes:
            best = Packing(tuple(found), reached, f"{best.method.split(' +')[0]} + hill climbing")
    return best


def _top(problem: Problem, offsets: Sequence[int]) -> int:
    return max((o + b.nbytes for o, b in zip(offsets, problem.buffers, strict=True)), default=0)


def _by_offset(offsets: Sequence[int]) -> list[int]:
    return sorted(range(len(offsets)), key=lambda i: (offsets[i], i))
