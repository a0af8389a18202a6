# SPDX-License-Identifier: Apache-2.0
"""Fewer calls: moves of one step brought together where the peak allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from mcuplan.solvers.rows.check import check_row_order
from mcuplan.solvers.rows.problem import RowGraph, RowOrder
from mcuplan.solvers.rows.tables import row_tables
from mcuplan.solvers.rows.walk import RowWalk

__all__ = ["smooth"]

_PASSES = 8
_LEVEL = 0.9  # of the limit that may be reached anywhere: rows lie closer where fewer come near it


def smooth(graph: RowGraph, order: RowOrder, limit: int | None = None) -> RowOrder:
    """The order with fewer changes from step to step, for a call does any run of moves.

    Two runs of a step become one, at the place of either, where everything in between can
    do without or with it.

    Args:
        graph: the network.
        order: of its moves.
        limit: bytes the peak may reach; by default it stays as it is. Peaks that are behind it
            grow as much at most, or to nine tenths of it.
    """
    allowed = max(order.peak_bytes, limit or 0)
    runs = [(step, len(list(moves))) for step, moves in groupby(order.moves)]
    walk = RowWalk(graph, row_tables(graph))
    for _ in range(_PASSES):
        before = len(runs)
        runs = _pass(walk, runs, _limits(walk, runs, allowed))
        if len(runs) == before:
            break
    moves = tuple(step for step, count in runs for _ in range(count))
    peak = check_row_order(graph, moves)
    bound = min(order.lower_bound_bytes, peak)
    return replace(order, moves=moves, peak_bytes=peak, lower_bound_bytes=bound)


_Run = tuple[int, int]  # step, moves


def _limits(walk: RowWalk, runs: Sequence[_Run], limit: int) -> list[int]:
    """For each move what the peak from there on may be: it falls as that of the order does."""
    during = walk.during(*walk.start(), [step for step, count in runs for _ in range(count)])
    behind = list(accumulate(reversed(during), max))[::-1]
    peak = max(behind, default=0) or 1
    return [max(most * limit // peak, int(_LEVEL * limit)) for most in behind]


def _pass(walk: RowWalk, runs: Sequence[_Run], limits: Sequence[int]) -> list[_Run]:
    rest, at = list(runs), 0
    state, live = walk.start()
    done = 0
    while at < len(rest):
        step, count = rest[at]
        after = next((k for k in range(at + 1, len(rest)) if rest[k][0] == step), None)
        if after is not None:
            between, both = rest[at + 1 : after], (step, count + rest[after][1])
            for merged in ([both, *between], [*between, both]):
                if walk.fits(state, live, merged, limits[done]):
                    joined = _joined(merged)
                    rest[at : after + 1] = joined
                    end = at + len(joined)  # its last run may be of the step that follows
                    rest[end - 1 : end + 1] = _joined(rest[end - 1 : end + 1])
                    break
            else:
                live = walk.go(state, live, step, count)
                done, at = done + count, at + 1
        else:
            live = walk.go(state, live, step, count)
            done, at = done + count, at + 1
    return rest


def _joined(runs: Sequence[_Run]) -> list[_Run]:
    """Neighbours of one step as one run."""
    return [
        (step, sum(count for _, count in same)) for step, same in groupby(runs, lambda run: run[0])
    ]
