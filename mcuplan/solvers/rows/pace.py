# SPDX-License-Identifier: Apache-2.0
"""Rows of the input brought forward, so that no call that feeds one has too much to do.

In an order of moves every row of the input comes as late as it can, and what it makes
possible runs at once: with strides, every few rows one brings as much as the others
together. A row that comes earlier finds moves that are not done yet, and shares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from mcuplan.solvers.rows.check import check_row_order
from mcuplan.solvers.rows.problem import RowGraph, RowOrder

__all__ = ["pace", "slowest"]


def slowest(order: Sequence[int], feed: int, costs: Sequence[int]) -> int:
    """The most that runs between two rows of the input; what follows the last one is no part.

    Args:
        order: of the moves, as step indices.
        feed: the step whose moves are rows of the input that arrive.
        costs: of one move of each step.
    """
    calls = [0]
    for step in order:
        if step == feed:
            calls.append(0)
        else:
            calls[-1] += costs[step]
    return max(calls[:-1])


def pace(
    graph: RowGraph, order: RowOrder, feed: int, costs: Sequence[int], *, limit: int, most: int = 0
) -> RowOrder:
    """The order with rows of the input at other places; the moves between stay as they are.

    Args:
        graph: the network.
        order: of its moves.
        feed: the step whose moves are rows of the input that arrive.
        costs: of one move of each step.
        limit: bytes that the peak may reach for the least that one row brings.
        most: what one row may bring, whatever the peak is then; 0: the least within ``limit``.

    Returns:
        An order in which no row but the last brings more than ``most``, or than a single move
        where that is more; without ``most`` no more than before.
    """
    rest = [step for step in order.moves if step != feed]
    latest = _latest(graph, rest, feed)
    needed = max((place for place in latest if place < len(rest)), default=0)
    floor = max((costs[step] for step in rest[:needed]), default=0)

    def within(most: int) -> RowOrder:
        moves = _merged(rest, feed, _early(rest, latest, costs, most))
        return replace(order, moves=moves, peak_bytes=check_row_order(graph, moves))

    if most:
        return within(max(most, floor))
    low, high = floor, max(floor, slowest(_merged(rest, feed, latest), feed, costs))
    best = order
    while low <= high:
        middle = (low + high) // 2
        found = within(middle)
        if found.peak_bytes <= max(limit, order.peak_bytes):
            best, high = found, middle - max(1, middle // 100)
        else:
            low = middle + max(1, middle // 100)
    return min(best, order, key=lambda each: slowest(each.moves, feed, costs))


def _latest(graph: RowGraph, rest: Sequence[int], feed: int) -> list[int]:
    """For each row of the input the first move that reads it: it must be there before."""
    tensor, made = graph.steps[feed].output, [move.made for move in graph.steps[feed].moves]
    done = [0] * len(graph.steps)
    places = [len(rest)] * len(made)
    there = 0
    for place, step in enumerate(rest):
        reads = graph.steps[step].moves[done[step]].reads
        done[step] += 1
        needed = max((end for t, first, end in reads if t == tensor and first < end), default=0)
        while there < len(made) and (made[there - 1] if there else 0) < needed:
            places[there] = place
            there += 1
    return places


def _early(
    rest: Sequence[int], latest: Sequence[int], costs: Sequence[int], most: int
) -> list[int]:
    """Places of the rows, as late as they may be if none brings more than ``most``."""
    total = [0, *accumulate(costs[step] for step in rest)]
    places: list[int] = []
    reached = 0  # moves that may be done before the next row
    for place in latest:
        if places:
            while reached < place and total[reached + 1] - total[places[-1]] <= most:
                reached += 1
        places.append(min(place, max(reached, places[-1])) if places else place)
        reached = places[-1]
    return places


def _merged(rest: Sequence[int], feed: int, places: Sequence[int]) -> tuple[int, ...]:
    moves: list[int] = []
    before = 0
    for place in places:
        moves += [*rest[before:place], feed]
        before = place
    return (*moves, *rest[before:])
