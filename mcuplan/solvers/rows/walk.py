# SPDX-License-Identifier: Apache-2.0
"""Row moves one by one: what each needs, allocates and ends."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.solvers.rows.problem import RowGraph
from mcuplan.solvers.rows.state import RowTables

__all__ = ["RowWalk"]


class RowWalk:
    """Moves one by one: what each allocates, and what dies with it."""

    def __init__(self, graph: RowGraph, tables: RowTables) -> None:
        self.tables = tables
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
        """Moves done by each step, and live bytes, before the first move."""
        return [0] * self.tables.steps, self.tables.start_bytes

    def lacking(self, state: Sequence[int], step: int) -> int | None:
        """A step that must go on before the next move of a step can be done."""
        for s, least in self.before[step][state[step]]:
            if state[s] < least:
                return s
        return None

    def go(self, state: list[int], live: int, step: int, count: int) -> int:
        """Do moves that are known to fit."""
        for _ in range(count):
            live = self.move(state, live, step)[1]
        return live

    def fits(
        self, state: Sequence[int], live: int, runs: Sequence[tuple[int, int]], allowed: int
    ) -> bool:
        """Whether the runs can be done one after the other within the bytes allowed."""
        now = list(state)
        for step, count in runs:
            for _ in range(count):
                if self.lacking(now, step) is not None:
                    return False
                during, live = self.move(now, live, step)
                if during > allowed:
                    return False
        return True

    def during(self, state: Sequence[int], live: int, moves: Sequence[int]) -> list[int]:
        """Bytes during each of some moves from a state."""
        now, found = list(state), []
        for step in moves:
            most, live = self.move(now, live, step)
            found.append(most)
        return found

    def move(self, state: list[int], live: int, step: int) -> tuple[int, int]:
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
