# SPDX-License-Identifier: Apache-2.0
"""Fewer calls: moves of one step brought together where the peak allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from mcuplan.schedule.row_check import check_row_order
from mcuplan.schedule.row_graph import RowGraph, RowOrder
from mcuplan.schedule.row_state import RowTables
from mcuplan.schedule.row_tables import row_tables

__all__ = ["smooth"]

_PASSES = 8


def smooth(graph: RowGraph, order: RowOrder, limit: int | None = None) -> RowOrder:
    """The order with fewer changes from step to step, for a call does any run of moves.

    Two runs of a step become one, at the place of either, where everything in between can
    do without or with it.

    Args:
        graph: the network.
        order: of its moves.
        limit: bytes the peak may reach; by default it stays as it is.
    """
    allowed = max(order.peak_bytes, limit or 0)
    runs = [(step, len(list(moves))) for step, moves in groupby(order.moves)]
    walk = _Walk(graph)
    for _ in range(_PASSES):
        before = len(runs)
        runs = _pass(walk, runs, allowed)
        if len(runs) == before:
            break
    moves = tuple(step for step, count in runs for _ in range(count))
    peak = check_row_order(graph, moves)
    bound = min(order.lower_bound_bytes, peak)
    return replace(order, moves=moves, peak_bytes=peak, lower_bound_bytes=bound)


_Run = tuple[int, int]  # step, moves


def _pass(walk: _Walk, runs: Sequence[_Run], allowed: int) -> list[_Run]:
    rest, at = list(runs), 0
    state, live = walk.start()
    while at < len(rest):
        step, count = rest[at]
        after = next((k for k in range(at + 1, len(rest)) if rest[k][0] == step), None)
        if after is not None:
            between, both = rest[at + 1 : after], (step, count + rest[after][1])
            for merged in ([both, *between], [*between, both]):
                if walk.fits(state, live, merged, allowed):
                    rest[at : after + 1] = _joined(merged)
                    if at + len(merged) < len(rest):
                        rest[at:] = _joined(rest[at:])
                    break
            else:
                live = walk.go(state, live, step, count)
                at += 1
        else:
            live = walk.go(state, live, step, count)
            at += 1
    return rest


def _joined(runs: Sequence[_Run]) -> list[_Run]:
    """Neighbours of one step as one run."""
    return [
        (step, sum(count for _, count in same)) for step, same in groupby(runs, lambda run: run[0])
    ]


class _Walk:
    """Moves one by one: what each allocates, and what dies with it."""

    def __init__(self, graph: RowGraph) -> None:
        self.tables: RowTables = row_tables(graph)
        makers = {step.output: s for s, step in enumerate(graph.steps)}
        self.ends: dict[tuple[int, int], list[int]] = {}
        for k, cell in enumerate(self.tables.cells):
            for s, moves in cell.readers:
                self.ends.setdefault((s, moves - 1), []).append(k)
        self.before: list[list[tuple[tuple[int, int], ...]]] = []
        for s, step in enumerate(graph.steps):
            own: list[tuple[tuple[int, int], ...]] = []
            for i, move in enumerate(step.moves):
                needs = self.tables.needs[s][i]
                steps = {makers[t] for t, _, _ in move.reads if t in makers}
                own.append(tuple((k, int(needs[k])) for k in sorted(steps)))
            self.before.append(own)

    def start(self) -> tuple[list[int], int]:
        return [0] * self.tables.steps, self.tables.start_bytes

    def go(self, state: list[int], live: int, step: int, count: int) -> int:
        """Do moves that are known to fit."""
        for _ in range(count):
            live = self._move(state, live, step)[1]
        return live

    def fits(self, state: Sequence[int], live: int, runs: Sequence[_Run], allowed: int) -> bool:
        """Whether the runs can be done one after the other within the bytes allowed."""
        now = list(state)
        for step, count in runs:
            for _ in range(count):
                if any(now[s] < least for s, least in self.before[step][now[step]]):
                    return False
                during, live = self._move(now, live, step)
                if during > allowed:
                    return False
        return True

    def _move(self, state: list[int], live: int, step: int) -> tuple[int, int]:
        """Bytes during a move and after it."""
        tables, number = self.tables, state[step]
        state[step] += 1
        full = live + tables.allocated[step][number]
        ended = [
            k
            for k in self.ends.get((step, number), ())
            if all(state[s] >= least for s, least in tables.cells[k].readers)
        ]
        saves = tables.saves.get((step, number), ())
        saved = sum(nbytes for k, nbytes in saves if k in ended)
        freed = sum(tables.cells[k].nbytes for k in ended)
        return full + tables.extra[step][number] - saved, full - freed
