# SPDX-License-Identifier: Apache-2.0
"""Orders that come down from their peak as far as they can.

The search for an order takes any that keeps the least peak. Most of them soon climb again, and
rows that have to lie somewhere find every byte taken. Searched for from behind its peak, the rest
of an order has a smaller one, the rest behind that a smaller one again.
"""

from __future__ import annotations

from dataclasses import replace

from mcuplan.solvers.rows.check import check_row_order
from mcuplan.solvers.rows.problem import RowGraph, RowOrder
from mcuplan.solvers.rows.search import search, search_arrays
from mcuplan.solvers.rows.tables import row_tables
from mcuplan.solvers.rows.walk import RowWalk

__all__ = ["settle"]

_PEAKS = 6  # that are left behind
_LOOKS = 5  # searches from behind each
_STATES = 400  # of each search
_CLOSE = 100  # a peak is lowered by no less than one part in so many
_ENOUGH = 0.9  # of the first peak: rows find room below


def settle(graph: RowGraph, order: RowOrder) -> RowOrder:
    """The order with a lower peak behind its peak, and behind each of those in turn.

    Args:
        graph: the network.
        order: of all its moves; its peak grows no more.
    """
    # Scratch is left out: a step that takes much of it late would hide all peaks before.
    bare = replace(graph, steps=tuple(replace(step, scratch_bytes=0) for step in graph.steps))
    tables = row_tables(bare)
    walk, moves, at = RowWalk(bare, tables), list(order.moves), 0
    arrays = search_arrays(tables)
    enough, step = int(_ENOUGH * order.peak_bytes), order.peak_bytes // _CLOSE
    state, live = walk.start()
    for _ in range(_PEAKS):
        during = walk.during(state, live, moves[at:])
        peak = max(during, default=0)
        if peak <= enough:
            break
        behind = during.index(peak) + 1
        for move in moves[at : at + behind]:
            live = walk.go(state, live, move, 1)
        at += behind
        low, high = max(live, enough), max(during[behind:], default=0)
        for _ in range(_LOOKS):
            if high - low <= step:
                break
            middle = (low + high) // 2
            rest = search(
                tables,
                start=middle,
                end=middle + 1,
                states=_STATES,
                exact=False,
                begun=state,
                arrays=arrays,
            ).moves
            if rest and check_row_order(graph, [*moves[:at], *rest]) <= order.peak_bytes:
                moves[at:], high = rest, max(walk.during(state, live, rest))
            else:
                low = middle
    return replace(order, moves=tuple(moves), peak_bytes=check_row_order(graph, moves))
