# SPDX-License-Identifier: Apache-2.0
"""The order of row moves with the least peak of live bytes, and plain orders to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from mcuplan.solvers.rows.check import check_row_order
from mcuplan.solvers.rows.problem import RowGraph, RowOrder, RowProof
from mcuplan.solvers.rows.search import Arrays, Outcome, search, search_arrays
from mcuplan.solvers.rows.smooth import smooth
from mcuplan.solvers.rows.stages import depth_first_moves, staged_moves, step_by_step_moves
from mcuplan.solvers.rows.state import RowTables
from mcuplan.solvers.rows.tables import row_tables

__all__ = ["STATES", "check_row_order", "depth_first", "find_row_order", "smooth", "step_by_step"]

STATES = 4_000
"""States that a search for an order looks at; seconds, not minutes."""

_QUICK = 600  # states of a search that only looks for a better order
_ROUNDS = 8  # such searches
_CLOSE = 50  # an order is left alone if its peak is no more than one part in so many too high
_FLOORS = 2  # graphs with simpler scratch that are searched for orders of this one


def find_row_order(
    graph: RowGraph,
    *,
    states: int = STATES,
    limit_bytes: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> RowOrder:
    """The order of all moves with the least peak, proved where the search comes to an end.

    The order depends on the arguments alone unless ``stop`` cuts the search short. It is
    never worse than :func:`depth_first` and :func:`step_by_step`.

    Args:
        graph: the network.
        states: how many to look at before the search settles for less than a proof.
        limit_bytes: a peak that is low enough; the least one is then not looked for.
        stop: asked now and then whether to stop.

    Raises:
        ValueError: the graph contradicts itself.
    """
    hunt = _Hunt.begin(graph, max(limit_bytes or 0, 0), stop)
    hunt.climb(3 * states // 8)
    for floor in _floors(graph):
        if hunt.best.peak_bytes > hunt.bound + hunt.best.peak_bytes // _CLOSE and not hunt.over:
            hunt.learn(_with_floor(graph, floor), floor, states)
    hunt.improve(min(states, _QUICK))
    hunt.prove(states)
    return _rated(hunt.best, hunt.bound, hunt.states)


def step_by_step(graph: RowGraph) -> RowOrder:
    """The steps one after the other, each as a whole."""
    return _order(graph, step_by_step_moves(graph))


def depth_first(graph: RowGraph) -> RowOrder:
    """The plain streaming order: for each row of the last step, what it needs just before it."""
    return _order(graph, depth_first_moves(graph, row_tables(graph)))


@dataclass(slots=True)
class _Hunt:
    """The best order so far, what every order needs, and the states looked at."""

    graph: RowGraph
    tables: RowTables
    best: RowOrder
    bound: int
    enough: int  # a peak that is low enough
    stop: Callable[[], bool] | None
    arrays: Arrays
    states: int = 0

    @classmethod
    def begin(cls, graph: RowGraph, enough: int, stop: Callable[[], bool] | None) -> Self:
        """From the better of the plain orders."""
        tables = row_tables(graph)
        streamed = _order(graph, depth_first_moves(graph, tables))
        best = min(streamed, step_by_step(graph), key=lambda order: order.peak_bytes)
        arrays = search_arrays(tables)
        return cls(graph, tables, best, best.lower_bound_bytes, enough, stop, arrays)

    @property
    def over(self) -> bool:
        """Whether there is no reason to go on."""
        return self.best.peak_bytes <= max(self.bound, self.enough)

    def climb(self, states: int) -> None:
        """Rule out all orders below a limit that grows until there is one."""
        if self.over:
            return
        start = max(self.bound, self.enough)
        found = self._look(start, self.best.peak_bytes, states, exact=True)
        if self.tables.certain and (found.limit > start or start == self.bound):
            self.bound = min(found.limit, self.best.peak_bytes)

    def improve(self, states: int) -> None:
        """Stages, then quick searches under limits between a bound and the best peak."""
        if not self.over:
            self._take(tuple(staged_moves(self.graph, self.tables)))
        low = max(self.bound, self.enough)
        for _ in range(_ROUNDS):
            if self.over or low >= self.best.peak_bytes:
                break
            middle = (low + self.best.peak_bytes) // 2
            if not self._look(middle, middle + 1, states, exact=False).moves:
                low = middle + 1

    def prove(self, states: int) -> None:
        """Look for any better order, until there is none."""
        end = self.states + states
        while not self.over and self.states < end:
            peak = self.best.peak_bytes
            found = self._look(peak - 1, peak, end - self.states, exact=True)
            if found.over and not found.moves and self.tables.certain:
                self.bound = peak
            if self.best.peak_bytes == peak:
                break

    def learn(self, graph: RowGraph, floor: int, states: int) -> None:
        """What an order for the graph with more scratch says about this one."""
        more = floor - self.tables.least_extra
        other = _Hunt.begin(graph, self.enough, self.stop)
        other.climb(3 * states // 8)
        other.improve(min(states, _QUICK))
        other.prove(states)
        self.states += other.states
        self._take(other.best.moves)
        self.bound = min(max(self.bound, other.bound - more), self.best.peak_bytes)

    def _take(self, moves: tuple[int, ...]) -> None:
        """Keep an order if it is better."""
        peak = check_row_order(self.graph, moves)
        if peak < self.best.peak_bytes:
            self.best = replace(self.best, moves=moves, peak_bytes=peak)

    def _look(self, start: int, end: int, states: int, *, exact: bool) -> Outcome:
        found = search(
            self.tables,
            start=start,
            end=end,
            states=states,
            exact=exact,
            stop=self.stop,
            arrays=self.arrays,
        )
        self.states += found.states
        if found.moves:
            self._take(found.moves)
        return found


def _floors(graph: RowGraph) -> list[int]:
    """Scratch that all steps may be given to make the search smaller, the most first."""
    sizes = sorted({step.scratch_bytes for step in graph.steps}, reverse=True)
    floors = sizes[:1] if len(sizes) > 1 else []
    for size in sizes[:-1]:
        if floors and 2 * size <= floors[-1] and len(floors) < _FLOORS:
            floors.append(size)
    return floors


def _with_floor(graph: RowGraph, floor: int) -> RowGraph:
    steps = (replace(s, scratch_bytes=max(s.scratch_bytes, floor)) for s in graph.steps)
    return replace(graph, steps=tuple(steps))


def _order(graph: RowGraph, moves: Sequence[int]) -> RowOrder:
    peak = check_row_order(graph, moves)
    return _rated(RowOrder(tuple(moves), peak, _trivial_bytes(graph), RowProof.BOUND, 0), 0, 0)


def _rated(order: RowOrder, bound: int, states: int) -> RowOrder:
    """The order with what is known of it."""
    bound = min(max(bound, order.lower_bound_bytes), order.peak_bytes)
    proof = RowProof.SEARCHED if states else RowProof.CALL
    proof = RowProof.BOUND if bound < order.peak_bytes else proof
    return replace(order, lower_bound_bytes=bound, proof=proof, states=states)


def _trivial_bytes(graph: RowGraph) -> int:
    """What a single move, or the start, certainly needs."""
    makers = {step.output for step in graph.steps}
    least = sum(t.rows * t.row_bytes for k, t in enumerate(graph.tensors) if k not in makers)
    for step in graph.steps:
        for move in step.moves:
            read = {(t, row) for t, first, end in move.reads for row in range(first, end)}
            least = max(
                least, step.scratch_bytes + sum(graph.tensors[t].row_bytes for t, _ in read)
            )
    return least
