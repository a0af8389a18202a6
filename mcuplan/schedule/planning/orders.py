# SPDX-License-Identifier: Apache-2.0
"""Orders of rows of one network with different kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import add

from mcuplan.schedule.assembly.row_local import RowProgram
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.rows.check import bytes_beside_scratch
from mcuplan.solvers.rows.order import check_row_order, find_row_order
from mcuplan.solvers.rows.problem import RowGraph, RowOrder
from mcuplan.solvers.rows.settle import settle
from mcuplan.solvers.rows.stages import followed_moves

__all__ = ["RowOrders"]

_WORTH_A_LOOK = 1.3  # times the limit, that a plain order may take at most
_MOST_MOVES = 600  # of a network for which many orders are looked for


class RowOrders:
    """Orders of rows of one network with different kernels; searched for with the leanest.

    A peak of ``enough`` bytes is low enough.
    """

    def __init__(self, leanest: RowProgram, effort: Effort, enough: int = 0) -> None:
        self._effort, self._steps, self._enough = effort, _move_counts(leanest), enough
        self._first = self._settle(leanest.graph, self._find(leanest.graph))
        self._settled: dict[tuple[object, ...], RowOrder] = {}
        self._known: dict[tuple[object, ...], RowOrder] = {}
        self._leanest, self._plain = leanest.graph, [self._first]  # orders of rows one by one
        self._counted: dict[tuple[object, ...], tuple[int, tuple[int, ...]]] = {}
        self._beside: dict[int, int] = {}  # least bytes beside the scratch of a step

    def _find(self, graph: RowGraph) -> RowOrder:
        return find_row_order(graph, states=self._effort.row_states, limit_bytes=self._enough)

    def _settle(self, graph: RowGraph, order: RowOrder) -> RowOrder:
        return order if order.peak_bytes <= self._enough else settle(graph, order)

    @property
    def are_quick(self) -> bool:
        """Whether one more order is found in no time."""
        return sum(self._steps) <= _MOST_MOVES

    def peak(self, rowed: RowProgram) -> int:
        """Prices kernels by the most bytes alive, in the order of the leanest ones."""
        if _move_counts(rowed) != self._steps:
            return check_row_order(rowed.graph, followed_moves(rowed.graph, self._first.moves))
        return min(self._peak_of(rowed, order.moves) for order in self._plain)

    def _peak_of(self, rowed: RowProgram, moves: tuple[int, ...]) -> int:
        """The peak of an order; what lies beside scratch is counted once."""
        steps = ((step.output, step.replaces, step.moves) for step in rowed.graph.steps)
        key = moves, rowed.graph.tensors, tuple(steps)
        if key not in self._counted:
            self._counted[key] = bytes_beside_scratch(rowed.graph, moves)
        start, most = self._counted[key]
        scratch = (step.scratch_bytes for step in rowed.graph.steps)
        return max(start, max(map(add, most, scratch), default=0))

    def _own(self, rowed: RowProgram) -> RowOrder:
        """The best order for these kernels, searched for once for all that share bytes alike."""
        key = tuple(
            (k.tall, k.row_by_row, step.inplace_inputs, step.scratch_bytes)
            for step in rowed.program.steps
            for k in [step.kernel]
        )
        if key not in self._known:
            self._known[key] = self._find(rowed.graph)
        return self._known[key]

    def closer_peak(self, rowed: RowProgram, peak: int, limit: int) -> int:
        """The peak of a better order for kernels that make several rows, if it may keep a limit."""
        if _move_counts(rowed) == self._steps or peak > _WORTH_A_LOOK * limit:
            return peak
        return min(peak, self._own(rowed).peak_bytes)

    def leave_room(self, steps: Sequence[int], limit: int) -> None:
        """Look for an order that leaves each of some steps as much scratch as any order does.

        Steps count those of the leanest program by rows.
        """
        graph, states = self._leanest, self._effort.row_states
        for step in steps:
            if step not in self._beside:
                wide = find_row_order(_with_scratch(graph, {step: limit}), states=states)
                self._beside[step] = wide.peak_bytes - limit
        most = {step: limit - self._beside[step] for step in steps}
        order = find_row_order(_with_scratch(graph, most), states=states)
        peak = check_row_order(graph, order.moves)
        self._plain = [self._first, replace(self._first, moves=order.moves, peak_bytes=peak)]

    def best(self, rowed: RowProgram) -> RowOrder:
        """The best order for kernels that stay, as low behind its peak as can be."""
        order = self._least(rowed)
        key = (*(step.kernel for step in rowed.program.steps), order.moves)
        if key not in self._settled:
            self._settled[key] = self._settle(rowed.graph, order)
        return self._settled[key]

    def _least(self, rowed: RowProgram) -> RowOrder:
        """An order with the least peak that is known."""
        if _move_counts(rowed) != self._steps:
            return self._own(rowed)
        peaks = [self._peak_of(rowed, order.moves) for order in self._plain]
        peak, first = min(zip(peaks, self._plain, strict=True), key=lambda one: one[0])
        if peak == first.peak_bytes:
            return first
        own = self._own(rowed)
        if own.peak_bytes <= peak:
            return own
        bound = min(own.lower_bound_bytes, peak)
        return replace(own, moves=first.moves, peak_bytes=peak, lower_bound_bytes=bound)


def _with_scratch(graph: RowGraph, most: Mapping[int, int]) -> RowGraph:
    """A network some of whose steps need more scratch."""
    steps = enumerate(graph.steps)
    more = (replace(s, scratch_bytes=max(s.scratch_bytes, most.get(n, 0))) for n, s in steps)
    return replace(graph, steps=tuple(more))


def _move_counts(rowed: RowProgram) -> tuple[int, ...]:
    return tuple(len(step.moves) for step in rowed.graph.steps)
