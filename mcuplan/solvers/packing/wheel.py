# SPDX-License-Identifier: Apache-2.0
"""Local search on orders: buffers that end too high go earlier the next time.

Every round places all buffers by first fit and looks at those that end above a line: half
way between the goal and the best placement so far, or just below that placement. Each of
them moves some places towards the front. What lies badly rises in the order until others
make room for it.

csrc/wheel.c is the same, compiled. Every change must be made in both.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.solvers.packing.search import Outcome, Status
from mcuplan.solvers.packing.state import Query
from mcuplan.solvers.packing.table import Table

__all__ = ["rearrange"]

_STRIDE = 5  # a buffer moves a multiple of this many places forward, and
_STRIDES = 8  # at most this multiple


def rearrange(query: Query) -> Outcome:
    """The best placement of as many rounds as the query may visit nodes.

    The first order is that of the ranks; the rule chooses the line and the sequence of
    moves. The goal is the capacity, and a round that reaches it is the last one. ``over``
    of the outcome is the top (units).
    """
    table = query.table
    order = sorted(range(table.count), key=lambda i: (query.rank[i], i))
    near = _edges(table)
    best, found = 2**63 - 1, [-1] * table.count
    goal, state, done = query.capacity, query.rule + 1, 0
    while done < query.node_limit:
        done += 1
        offsets = _first_fit(table, near, order)
        ends = [at + size for at, size in zip(offsets, table.size, strict=True)]
        if max(ends) < best:
            best, found = max(ends), offsets
        if best <= goal:
            break
        if query.poll():
            return Outcome(Status.STOPPED, done, best, tuple(found))
        line = best - 1 if query.rule % 4 > 1 else (best + goal) // 2
        place = [0] * table.count
        for at, buffer in enumerate(order):
            place[buffer] = at
        for buffer in range(table.count):
            if ends[buffer] > line:
                state = (state * 1103515245 + 12345) % 2**31
                place[buffer] -= _STRIDE * (1 + (state >> 8) % _STRIDES)
        order = [buffer for _, buffer in sorted(zip(place, range(table.count), strict=True))]
    return Outcome(Status.FOUND, done, best, tuple(found))


def _edges(table: Table) -> list[list[tuple[int, int, int]]]:
    columns = zip(table.edge_to, table.edge_above, table.edge_below, strict=True)
    edges = list(columns)
    starts = table.edge_start
    return [edges[starts[i] : starts[i + 1]] for i in range(table.count)]


def _first_fit(
    table: Table, near: Sequence[Sequence[tuple[int, int, int]]], order: Sequence[int]
) -> list[int]:
    offsets = list(table.pinned)
    for buffer in order:
        if offsets[buffer] >= 0:
            continue
        forbidden = [
            (offsets[other] - above, offsets[other] + below)
            for other, above, below in near[buffer]
            if offsets[other] >= 0
        ]
        forbidden.sort()
        align, at = table.align[buffer], 0
        for low, high in forbidden:
            if low >= at:
                break
            if high > at:
                at = -(-high // align) * align
        offsets[buffer] = at
    return offsets
