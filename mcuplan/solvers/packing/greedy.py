# SPDX-License-Identifier: Apache-2.0
"""Fast placements: first fit and best fit by six keys, and hill climbing from the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mcuplan.solvers.packing.conflicts import Conflicts, Ints, loads
from mcuplan.solvers.packing.problem import Problem
from mcuplan.solvers.packing.search import Heuristic, place
from mcuplan.solvers.packing.table import ranked

__all__ = ["Packing", "best_fit", "climb", "first_fit", "portfolio"]

_CLIMB_MOVES = 500  # most moves of hill climbing, and
_CLIMB_WORK = 1_000_000  # most moves x conflicts


@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets in the order of the buffers, where the highest buffer ends, and who found it."""

    offsets: tuple[int, ...]
    arena_bytes: int
    method: str


def first_fit(conflicts: Conflicts, rank: Ints) -> Packing:
    """Every buffer at the lowest offset that is free, smaller ranks first."""
    return _placed("first_fit", conflicts, rank, "first fit")


def best_fit(conflicts: Conflicts, rank: Ints) -> Packing:
    """The buffer that can lie lowest goes next; smaller ranks break ties.

    Best fit of Burke, Kendall and Whitwell 2004, from the lowest gap upward.
    """
    return _placed("best_fit", conflicts, rank, "best fit")


def _placed(heuristic: Heuristic, conflicts: Conflicts, rank: Ints, method: str) -> Packing:
    if not conflicts.count:
        return Packing((), 0, method)
    outcome = place(heuristic, conflicts, rank)
    return Packing(outcome.offset, outcome.over, method)


def _never() -> bool:
    return False


def portfolio(
    problem: Problem, conflicts: Conflicts, goal: int, late: Callable[[], bool] = _never
) -> Packing:
    """The best of all heuristics; stops at the first that reaches ``goal`` bytes, or is late.

    Deterministic: ties go to the heuristic tried first.
    """
    best: Packing | None = None
    for method, fit, rank in _heuristics(problem):
        packing = fit(conflicts, rank)
        if best is None or packing.arena_bytes < best.arena_bytes:
            best = Packing(packing.offsets, packing.arena_bytes, f"{packing.method} by {method}")
        if best.arena_bytes <= goal or late():
            break
    assert best is not None, "there is always a first heuristic"
    return best


_Fit = Callable[[Conflicts, Ints], Packing]


def _heuristics(problem: Problem) -> Iterator[tuple[str, _Fit, Ints]]:
    """Key, function and ranks, cheapest and best first."""
    buffers = problem.buffers
    size = np.array([b.nbytes for b in buffers], np.int64)
    life = np.array([len(b.live) for b in buffers], np.int64)
    start = np.array([b.live.start for b in buffers], np.int64)
    end = np.array([b.live.end for b in buffers], np.int64)
    load = np.array(loads(problem), np.int64)
    for name, keys in (
        ("size", (-size, start)),
        ("area", ([-float(b.nbytes * len(b.live)) for b in buffers], start)),
        ("load", (-load, -life, -size)),
        ("lifetime", (-life, -size)),
        ("start", (start, -size)),
        ("end", (-end, -size)),
    ):
        rank = ranked(*keys)
        yield name, first_fit, rank
        yield name, best_fit, rank


def climb(
    problem: Problem,
    conflicts: Conflicts,
    best: Packing,
    goal: int,
    late: Callable[[], bool] = _never,
) -> Packing:
    """Hill climbing on orders: move a topmost buffer before one that it is alive with.

    Moves come in a fixed pseudo-random sequence and sideways moves are taken, so equal
    input gives equal output. Never worse than ``best``.
    """
    moves = min(_CLIMB_MOVES, _CLIMB_WORK // (conflicts.pairs + len(problem.buffers) + 1))
    if best.arena_bytes <= goal or late():
        return best
    outcome = place("climb", conflicts, ranked(best.offsets), goal=goal, rounds=moves, poll=late)
    if outcome.over >= best.arena_bytes:
        return best
    method = f"{best.method.split(' +')[0]} + hill climbing"
    return Packing(outcome.offset, outcome.over, method)
