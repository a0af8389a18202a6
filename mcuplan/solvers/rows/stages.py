# SPDX-License-Identifier: Apache-2.0
"""Orders of row moves that need no search: plain ones, and stages with a tensor collected."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcuplan.solvers.rows.problem import RowGraph
from mcuplan.solvers.rows.state import RowTables
from mcuplan.solvers.rows.walk import RowWalk

__all__ = ["depth_first_moves", "followed_moves", "staged_moves", "step_by_step_moves"]

_PLACES = 16  # ends of stages that are tried


def step_by_step_moves(graph: RowGraph) -> list[int]:
    """The steps one after the other, each as a whole."""
    return [s for s, step in enumerate(graph.steps) for _ in step.moves]


def depth_first_moves(graph: RowGraph, tables: RowTables, stages: Sequence[int] = ()) -> list[int]:
    """For each row of the last steps, what it needs just before it.

    Args:
        graph: the network.
        tables: of it.
        stages: steps that are brought to their end first, one after the other.
    """
    walk = RowWalk(graph, tables)
    state, _ = walk.start()
    moves: list[int] = []
    for s in [*stages, *_ends(graph)]:
        moves += _pull(walk, state, s)
    return moves


def followed_moves(graph: RowGraph, moves: Sequence[int]) -> list[int]:
    """An order like that of a graph whose steps make other numbers of rows at a time.

    Those steps make their rows when they are first read, the others go as they did.

    Args:
        graph: the network.
        moves: of one with the same steps and tensors.
    """
    makers = {step.output: s for s, step in enumerate(graph.steps)}
    made = [[move.made for move in step.moves] for step in graph.steps]
    counts, state, seen, found = Counter(moves), [0] * len(made), Counter[int](), list[int]()

    def lacking(step: int) -> Iterator[int]:
        for tensor, _, end in graph.steps[step].moves[state[step]].reads:
            maker = makers.get(tensor)
            if maker is not None and state[maker] <= bisect_left(made[maker], end):
                yield maker

    def pull(goal: int) -> None:
        stack = [goal]
        while stack:
            needed = next(lacking(stack[-1]), None)
            if needed is None:
                state[stack[-1]] += 1
                found.append(stack.pop())
            else:
                stack.append(needed)

    for step in moves:
        seen[step] += 1
        if counts[step] == len(made[step]) and state[step] < seen[step]:
            pull(step)
    for step in _ends(graph):
        while state[step] < len(made[step]):
            pull(step)
    return found


def staged_moves(graph: RowGraph, tables: RowTables) -> list[int]:
    """Depth first in stages: at the end of each, few bytes are left.

    The ends that are tried are those of steps after which hardly more bytes are live than
    after the best step before; among them the stages with the least peak are chosen.
    """
    walk = RowWalk(graph, tables)
    places = [_Place(*walk.start(), -1), *_places(tables)]
    best: list[tuple[int, tuple[int, ...]]] = [(0, ())]  # peak, stages up to each place
    for k, place in enumerate(places[1:], start=1):
        ways = [
            (max(peak, _peak(walk, places[i], [place.step])), (*stages, place.step))
            for i, (peak, stages) in enumerate(best[:k])
            if all(a <= b for a, b in zip(places[i].state, place.state, strict=True))
        ]
        best.append(min(ways))
    ends = _ends(graph)
    last = [
        (max(peak, _peak(walk, place, ends)), stages)
        for place, (peak, stages) in zip(places, best, strict=True)
    ]
    return depth_first_moves(graph, tables, min(last)[1])


@dataclass(frozen=True, slots=True)
class _Place:
    """A state that has brought a step to its end, and nothing that is not needed for it."""

    state: list[int]
    live: int
    step: int


def _places(tables: RowTables) -> list[_Place]:
    found = []
    least = 1 << 62
    for s, needs in enumerate(tables.needs):
        live = int(tables.live(needs[-1], tables.dead(needs[-1])))
        if 4 * live <= 5 * least and len(needs) > 1:
            found.append(_Place(needs[-1].tolist(), live, s))
        least = min(least, live) if len(needs) > 1 else least
    return sorted(sorted(found, key=lambda place: place.live)[:_PLACES], key=lambda p: p.step)


def _ends(graph: RowGraph) -> list[int]:
    """Steps whose output nobody reads, then all."""
    read = {t for step in graph.steps for move in step.moves for t, _, _ in move.reads}
    ends = [s for s, step in enumerate(graph.steps) if step.output not in read]
    return [*ends, *range(len(graph.steps))]


def _peak(walk: RowWalk, place: _Place, goal: Sequence[int]) -> int:
    """Most bytes on the way from a place to the end of steps."""
    now, follow, live = list(place.state), list(place.state), place.live
    peak = live
    for s in goal:
        for step in _pull(walk, follow, s):
            during, live = walk.move(now, live, step)
            peak = max(peak, during)
    return peak


def _pull(walk: RowWalk, state: list[int], goal: int) -> list[int]:
    """Moves that bring a step to its end; the state follows."""
    moves: list[int] = []
    while state[goal] < len(walk.before[goal]):
        stack = [goal]
        while stack:
            needed = walk.lacking(state, stack[-1])
            if needed is None:
                state[stack[-1]] += 1
                moves.append(stack.pop())
            else:
                stack.append(needed)
    return moves
