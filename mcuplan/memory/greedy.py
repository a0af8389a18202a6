# SPDX-License-Identifier: Apache-2.0
"""Fast placements: buffers in some order, each at the lowest offset that is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from mcuplan.memory.problem import Problem
from mcuplan.units import align_up

__all__ = ["Conflicts", "Packing", "first_fit", "lowest_first", "portfolio"]

_CLIMB_PAIRS = 60_000  # work limit of hill climbing: moves x conflicts


@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets in the order of the buffers, where the highest buffer ends, and who found it."""

    offsets: tuple[int, ...]
    arena_bytes: int
    method: str


class Conflicts:
    """For every buffer, those alive with it: (other, distance if below, distance if above).

    ``distance if below`` is the separation when the other buffer lies below this one.
    Empty buffers conflict with nobody unless they have an entry.
    """

    __slots__ = ("of", "pairs")

    def __init__(self, problem: Problem) -> None:
        buffers = problem.buffers
        self.of: list[list[tuple[int, int, int]]] = [[] for _ in buffers]
        self.pairs = 0
        entries = problem.separations
        alive: list[tuple[int, int]] = []  # (end, index)
        for one in sorted(range(len(buffers)), key=lambda i: buffers[i].live):
            start, size = buffers[one].live.start, buffers[one].nbytes
            alive = [item for item in alive if item[0] > start]
            for _, two in alive:
                size_two = buffers[two].nbytes
                if not entries and size and size_two:
                    up, down = size, size_two
                elif (one, two) in entries or (two, one) in entries or (size and size_two):
                    up, down = problem.separation(one, two), problem.separation(two, one)
                else:
                    continue
                self.of[one].append((two, down, up))
                self.of[two].append((one, up, down))
                self.pairs += 1
            alive.append((buffers[one].live.end, one))


def first_fit(problem: Problem, conflicts: Conflicts, order: Sequence[int]) -> list[int]:
    """Offsets when every buffer of the order takes the lowest offset that is free."""
    offsets = [-1] * len(problem.buffers)
    for index in order:
        align = problem.buffers[index].align
        # Offsets strictly between the ends of a pair are forbidden by one neighbour.
        forbidden = [
            (offsets[other] - above, offsets[other] + below)
            for other, below, above in conflicts.of[index]
            if offsets[other] >= 0
        ]
        forbidden.sort()
        at = 0
        for low, high in forbidden:
            if low >= at:
                break
            if high > at:
                at = align_up(high, align)
        offsets[index] = at
    return offsets


def lowest_first(
    problem: Problem, conflicts: Conflicts, rank: Sequence[tuple[int, ...]]
) -> list[int]:
    """Offsets when the buffer that can lie lowest goes next; smaller ``rank`` breaks ties."""
    count = len(problem.buffers)
    offsets = [-1] * count
    least = [0] * count
    heap = [(0, rank[index], index) for index in range(count)]
    heapify(heap)
    while heap:
        at, _, index = heappop(heap)
        if offsets[index] >= 0 or at != least[index]:
            continue
        offsets[index] = at
        for other, _, above in conflicts.of[index]:
            if offsets[other] < 0 and at + above > least[other]:
                least[other] = align_up(at + above, problem.buffers[other].align)
                heappush(heap, (least[other], rank[other], other))
    return offsets


def portfolio(problem: Problem, goal: int, *, climb: bool = True) -> Packing:
    """The best of all heuristics; stops at the first that reaches ``goal`` bytes.

    Deterministic: ties go to the heuristic tried first.
    """
    conflicts = Conflicts(problem)
    best: Packing | None = None
    best_order: tuple[int, ...] = ()
    for method, order, solve in _heuristics(problem, conflicts):
        offsets = solve()
        found = Packing(tuple(offsets), _top(problem, offsets), method)
        if best is None or found.arena_bytes < best.arena_bytes:
            best, best_order = found, order or _by_offset(offsets)
        if best.arena_bytes <= goal:
            return best
    assert best is not None, "there is always a first heuristic"
    return _climb(problem, conflicts, best, best_order, goal) if climb else best


def _heuristics(
    problem: Problem, conflicts: Conflicts
) -> Iterator[tuple[str, tuple[int, ...], Callable[[], list[int]]]]:
    """Name, order (empty where found on the way) and solver, cheapest and best first."""
    buffers = problem.buffers
    load = _loads(problem)
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
        order = tuple(sorted(range(len(buffers)), key=ranks.__getitem__))
        yield f"first fit by {name}", order, lambda o=order: first_fit(problem, conflicts, o)  # type: ignore[misc]
        yield f"lowest first by {name}", (), lambda r=ranks: lowest_first(problem, conflicts, r)  # type: ignore[misc]


def _loads(problem: Problem) -> list[int]:
    """For every buffer, the largest sum of live sizes at a step of its life."""
    change: dict[int, int] = {}
    for buffer in problem.buffers:
        change[buffer.live.start] = change.get(buffer.live.start, 0) + buffer.nbytes
        change[buffer.live.end] = change.get(buffer.live.end, 0) - buffer.nbytes
    steps = sorted(change)
    place = {step: at for at, step in enumerate(steps)}
    levels = [[0] * len(steps)]
    total = 0
    for at, step in enumerate(steps):
        total += change[step]
        levels[0][at] = total
    while 2 ** len(levels) <= len(steps):  # level k: maxima of windows of 2**k steps
        low, half = levels[-1], 2 ** (len(levels) - 1)
        levels.append([max(low[i], low[i + half]) for i in range(len(low) - half)])
    loads = []
    for buffer in problem.buffers:
        first, last = place[buffer.live.start], place[buffer.live.end]
        k = (last - first).bit_length() - 1
        loads.append(max(levels[k][first], levels[k][last - 2**k]))
    return loads


def _climb(
    problem: Problem, conflicts: Conflicts, best: Packing, order: tuple[int, ...], goal: int
) -> Packing:
    """Hill climbing on orders: move a topmost buffer before one that it rests on.

    Moves come in a fixed pseudo-random sequence and sideways moves are taken, so equal
    input gives equal output.
    """
    tries = _CLIMB_PAIRS * 10 // (conflicts.pairs + len(order) + 1)
    current, height, state = list(order), best.arena_bytes, 1
    offsets = first_fit(problem, conflicts, current)
    for _ in range(tries):
        if best.arena_bytes <= goal:
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


def _by_offset(offsets: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(offsets)), key=lambda i: (offsets[i], i)))
