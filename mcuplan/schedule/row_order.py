# SPDX-License-Identifier: Apache-2.0
"""The order of row moves with the least peak of live bytes, and plain orders to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mcuplan.schedule.row_check import check_row_order
from mcuplan.schedule.row_graph import RowGraph, RowOrder
from mcuplan.schedule.row_search import search
from mcuplan.schedule.row_smooth import smooth
from mcuplan.schedule.row_state import RowTables
from mcuplan.schedule.row_tables import row_tables

__all__ = ["STATES", "check_row_order", "depth_first", "find_row_order", "smooth", "step_by_step"]

STATES = 12_000
"""States that a search for an order looks at; seconds, not minutes."""

_QUICK = 600  # states of a search that only looks for a better order
_ROUNDS = 8  # such searches


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
    tables = row_tables(graph)
    plain = [depth_first(graph), step_by_step(graph)]
    best = min(plain, key=lambda order: order.peak_bytes)
    if best.peak_bytes <= max(best.lower_bound_bytes, limit_bytes or 0):
        return best
    found = search(tables, start=limit_bytes or 0, states=states, stop=stop)
    bound = max(best.lower_bound_bytes, found.bound)
    if found.moves and limit_bytes is not None and found.bound <= limit_bytes:
        bound = best.lower_bound_bytes
    if not found.moves:
        best = _improved(graph, tables, best, bound, stop)
    elif (peak := check_row_order(graph, found.moves)) < best.peak_bytes:
        best = replace(best, moves=found.moves, peak_bytes=peak)
    return _rated(best, bound, found.states)


def step_by_step(graph: RowGraph) -> RowOrder:
    """The steps one after the other, each as a whole."""
    return _order(graph, [s for s, step in enumerate(graph.steps) for _ in step.moves])


def depth_first(graph: RowGraph) -> RowOrder:
    """The plain streaming order: for each row of the last step, what it needs just before it."""
    makers = {step.output: s for s, step in enumerate(graph.steps)}
    read = {t for step in graph.steps for move in step.moves for t, _, _ in move.reads}
    moves: list[int] = []
    done = [0] * len(graph.steps)
    ends = [s for s, step in enumerate(graph.steps) if step.output not in read]
    for s in [*ends, *range(len(graph.steps))]:
        while done[s] < len(graph.steps[s].moves):
            stack = [s]
            while stack:
                needed = _lacking(graph, makers, done, stack[-1])
                if needed is None:
                    done[stack[-1]] += 1
                    moves.append(stack.pop())
                else:
                    stack.append(needed)
    return _order(graph, moves)


def _lacking(graph: RowGraph, makers: dict[int, int], done: Sequence[int], step: int) -> int | None:
    """A step that must go on before the next move of a step can be done."""
    for t, first, end in graph.steps[step].moves[done[step]].reads:
        maker = makers.get(t)
        if maker is None or first == end:
            continue
        made = graph.steps[maker].moves[done[maker] - 1].made if done[maker] else 0
        if made < end:
            return maker
    return None


def _improved(
    graph: RowGraph,
    tables: RowTables,
    best: RowOrder,
    bound: int,
    stop: Callable[[], bool] | None,
) -> RowOrder:
    """A better order from quick searches under limits between the bound and the best peak."""
    low = bound
    for _ in range(_ROUNDS):
        if low >= best.peak_bytes or (stop is not None and stop()):
            break
        middle = (low + best.peak_bytes) // 2
        found = search(tables, start=middle, states=_QUICK, exact=False, stop=stop)
        peak = check_row_order(graph, found.moves) if found.moves else best.peak_bytes
        if peak < best.peak_bytes:
            best = replace(best, moves=found.moves, peak_bytes=peak)
        else:
            low = middle + 1
    return best


def _order(graph: RowGraph, moves: Sequence[int]) -> RowOrder:
    peak = check_row_order(graph, moves)
    return _rated(RowOrder(tuple(moves), peak, _trivial_bytes(graph), "", 0), 0, 0)


def _rated(order: RowOrder, bound: int, states: int) -> RowOrder:
    """The order with what is known of it."""
    bound = min(max(bound, order.lower_bound_bytes), order.peak_bytes)
    if bound < order.peak_bytes:
        said = f"every order of rows needs {bound} B or more"
        said += f"; stopped after {states} states" if states else ""
    elif states:
        said = f"no order of rows needs less than {bound} B: {states} states searched"
    else:
        said = f"no order of rows needs less than {bound} B: a call needs that in every order"
    return replace(order, lower_bound_bytes=bound, statement=said, states=states)


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
