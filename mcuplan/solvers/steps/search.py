# SPDX-License-Identifier: Apache-2.0
"""The order with the least peak, by dynamic programming over the sets of steps that have run.

Sets are visited in the order of the peak it takes to get there, so the budget rises only
when everything below it is explored: when the search stops, that budget is a lower bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from mcuplan.solvers.steps.problem import Sequencing, bits

__all__ = ["BestOrder", "beam", "search"]

_CHAIN = 12  # steps that a safe move may look ahead


@dataclass(frozen=True, slots=True)
class BestOrder:
    """The best order known, its peak, what every order needs, and sets of steps visited."""

    order: tuple[int, ...]
    peak: int
    lower_bound: int
    states: int


def search(
    problem: Sequencing, start: Sequence[int], floor: int, state_limit: int, goal: int = 0
) -> BestOrder:
    """The best order, or the best known when the limit is reached.

    Args:
        problem: steps and storages.
        start: an order, returned where none is better.
        floor: what every order needs, by proof.
        state_limit: sets of steps to visit at most.
        goal: a peak that need not be undercut (the rest of the network needs it anyway).

    A move that does not raise live bytes and fits the budget is made at once: live
    bytes are submodular, so whatever an order does later it can do after that move too.
    The same holds for a chain of steps, each waiting for the one before.
    """
    best, peak = tuple(start), problem.peak(start)
    budget, states = max(floor, goal), 0
    came: dict[int, tuple[int, tuple[int, ...]]] = {}  # set -> (set before, steps between)
    known: dict[int, int] = {0: budget}
    heap = [(budget, 0, problem.live_bytes(0), 0, problem.ready(0))]
    closed: set[int] = set()
    while heap and heap[0][0] < peak:
        budget, _, live, done, ready = heappop(heap)
        if done in closed:
            continue
        if done == problem.everything:
            return BestOrder(_walk(came, done), budget, budget, states)
        if states >= state_limit:
            return BestOrder(best, peak, min(budget, peak), states)
        closed.add(done)
        states += 1
        for moves, during, after, left, now in _moves(problem, done, live, ready, budget):
            needed = max(budget, during)
            if needed < min(peak, known.get(after, peak)):
                known[after] = needed
                came[after] = (done, moves)
                heappush(heap, (needed, -after.bit_count(), left, after, now))
    return BestOrder(best, peak, peak, states)


_Move = tuple[tuple[int, ...], int, int, int, int]  # steps, bytes during, set, live, ready


def _moves(problem: Sequencing, done: int, live: int, ready: int, budget: int) -> list[_Move]:
    """What to do next: one safe move, or every step that is ready."""
    moves = [_step(problem, step, done, live, ready) for step in bits(ready)]
    for move in moves:
        if move[1] <= budget and move[3] <= live:
            return [move]
    for move in moves:
        if move[1] <= budget:
            chain = _chain(problem, move, live, ready, budget)
            if chain is not None:
                return [chain]
    return moves


def _step(problem: Sequencing, step: int, done: int, live: int, ready: int) -> _Move:
    during, left = problem.run(step, done, live)
    after = done | 1 << step
    now = ready ^ 1 << step
    for other in problem.after[step]:
        if not problem.before[other] & ~after:
            now |= 1 << other
    return (step,), during, after, left, now


def _chain(problem: Sequencing, first: _Move, live: int, ready: int, budget: int) -> _Move | None:
    """A chain of steps, each enabled by the one before, that ends with no more live bytes."""
    stack = [(first, ready)]
    while stack:
        (steps, during, done, left, now), before = stack.pop()
        if len(steps) >= _CHAIN:
            continue
        for step in bits(now & ~before):
            (made,), needed, after, less, enabled = _step(problem, step, done, left, now)
            if needed > budget:
                continue
            longer = ((*steps, made), max(during, needed), after, less, enabled)
            if less <= live:
                return longer
            stack.append((longer, now))
    return None


def _walk(came: dict[int, tuple[int, tuple[int, ...]]], done: int) -> tuple[int, ...]:
    order: list[int] = []
    while done:
        done, steps = came[done]
        order += reversed(steps)
    return tuple(reversed(order))


def beam(problem: Sequencing, width: int, budget: int) -> tuple[int, ...]:
    """A good order: the ``width`` best sets of each size, least peak and live bytes first.

    Safe moves are made up to ``budget``, a lower bound of the peak.
    """
    layers: list[dict[int, tuple[int, int, int]]] = [{} for _ in range(problem.count + 1)]
    layers[0][0] = (budget, problem.live_bytes(0), problem.ready(0))
    trail: dict[int, tuple[int, tuple[int, ...]]] = {}
    for layer in layers[:-1]:
        chosen = sorted((peak, live, done, ready) for done, (peak, live, ready) in layer.items())
        for peak, live, done, ready in chosen[:width]:
            for moves, during, after, left, now in _moves(problem, done, live, ready, peak):
                needed, target = max(peak, during), layers[after.bit_count()]
                if after not in target or (needed, left) < target[after][:2]:
                    target[after] = (needed, left, now)
                    trail[after] = (done, moves)
        layer.clear()
    return _walk(trail, problem.everything)
