# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_graphs import Net, graphs, pyramid

from mcuplan.solvers.rows.order import (
    check_row_order,
    depth_first,
    find_row_order,
    smooth,
    step_by_step,
)
from mcuplan.solvers.rows.pace import pace, slowest
from mcuplan.solvers.rows.problem import Move, RowGraph, RowStep, RowTensor
from mcuplan.solvers.rows.search import search
from mcuplan.solvers.rows.settle import settle
from mcuplan.solvers.rows.tables import row_tables
from mcuplan.solvers.rows.walk import RowWalk

_EXAMPLES = settings(max_examples=120, deadline=None)


# --- the same by definition --------------------------------------------------------------------


def live_rows(graph: RowGraph, done: tuple[int, ...]) -> set[tuple[int, int]]:
    """Rows that exist when each step has done so many moves."""
    makers = {step.output: s for s, step in enumerate(graph.steps)}
    found = set()
    for t, tensor in enumerate(graph.tensors):
        made, begun = tensor.rows, tensor.rows
        if t in makers:
            moves = graph.steps[makers[t]].moves[: done[makers[t]]]
            made = moves[-1].made if moves else 0
            begun = max(
                [
                    m.made + 1 if a.made == m.made else m.made
                    for a, m in zip((Move((), 0), *moves), moves, strict=False)
                ],
                default=0,
            )
            begun = min(begun, tensor.rows)
        left = {
            row
            for s, step in enumerate(graph.steps)
            for move in step.moves[done[s] :]
            for u, first, end in move.reads
            for row in range(first, end)
            if u == t
        }
        rows = {r for r in range(begun) if tensor.lasts or r in left or r >= made}
        if tensor.whole and begun and (rows or made < tensor.rows or left):
            rows = set(range(tensor.rows))
        found |= {(t, row) for row in rows}
    return found


def least_peak(graph: RowGraph) -> int:
    """Least peak over all orders, by plain search over all states."""
    size = [tensor.row_bytes for tensor in graph.tensors]
    makers = {step.output: s for s, step in enumerate(graph.steps)}
    total = tuple(len(step.moves) for step in graph.steps)
    first = sum(k.rows * k.row_bytes for t, k in enumerate(graph.tensors) if t not in makers)
    heap, seen = [(first, (0,) * len(total))], set()
    while heap:
        peak, done = heappop(heap)
        if done == total:
            return peak
        if done in seen:
            continue
        seen.add(done)
        before = live_rows(graph, done)
        for s, step in enumerate(graph.steps):
            if done[s] == total[s] or not ready(graph, makers, done, step.moves[done[s]]):
                continue
            after = (*done[:s], done[s] + 1, *done[s + 1 :])
            during = before | made_by(graph, done, s) | live_rows(graph, after)
            need = sum(size[t] for t, _ in during) + step.scratch_bytes
            need -= saved(graph, step, during - before, before - live_rows(graph, after))
            heappush(heap, (max(peak, need), after))
    raise AssertionError("no order")


def ready(graph: RowGraph, makers: dict[int, int], done: tuple[int, ...], move: Move) -> bool:
    """Whether the rows that a move reads are made."""
    for t, first, end in move.reads:
        if t in makers and first < end:
            moves = graph.steps[makers[t]].moves[: done[makers[t]]]
            if not moves or moves[-1].made < end:
                return False
    return True


def made_by(graph: RowGraph, done: tuple[int, ...], s: int) -> set[tuple[int, int]]:
    """Rows of the output that a move needs, also those that nobody reads."""
    step = graph.steps[s]
    moves, tensor = step.moves, graph.tensors[step.output]
    before = moves[done[s] - 1].made if done[s] else 0
    if before == tensor.rows:
        return set()
    rows = (
        range(tensor.rows) if tensor.whole else range(before, max(before + 1, moves[done[s]].made))
    )
    return {(step.output, row) for row in rows}


def saved(
    graph: RowGraph, step: RowStep, begun: set[tuple[int, int]], ended: set[tuple[int, int]]
) -> int:
    """Bytes of rows that take those of a row that ends."""
    if step.replaces < 0:
        return 0
    output, other = graph.tensors[step.output], graph.tensors[step.replaces]
    if output.row_bytes > other.row_bytes:
        return 0
    if output.whole and not (other.whole and output.rows <= other.rows):
        return 0
    return sum(output.row_bytes for _, row in begun if (step.replaces, row) in ended)


# --- properties --------------------------------------------------------------------------------


@given(graphs())
@_EXAMPLES
def test_least_peak(graph: RowGraph) -> None:
    """The order found needs as little as the best of all orders."""
    order = find_row_order(graph)
    assert least_peak(graph) == order.peak_bytes == check_row_order(graph, order.moves)
    assert order.optimal


@given(graphs(), st.integers(1, 6))
@_EXAMPLES
def test_stopped_search(graph: RowGraph, states: int) -> None:
    """A search that is stopped has an order, never worse than the plain ones, and a bound."""
    order = find_row_order(graph, states=states)
    plain = min(depth_first(graph).peak_bytes, step_by_step(graph).peak_bytes)
    assert order.lower_bound_bytes <= least_peak(graph) <= order.peak_bytes <= plain
    assert order.peak_bytes == check_row_order(graph, order.moves)


@given(graphs(), st.integers(0, 60), st.integers(1, 60))
@_EXAMPLES
def test_a_limit_is_a_bound(graph: RowGraph, start: int, states: int) -> None:
    """An exact search that found nothing below its limit is right, wherever it stopped."""
    tables = row_tables(graph)
    outcome = search(tables, start=start, end=1 << 30, states=states)
    if outcome.moves:
        assert check_row_order(graph, outcome.moves) <= outcome.limit
    if tables.certain and outcome.limit > start:
        assert outcome.limit <= least_peak(graph)


def test_compiled_search_stops() -> None:
    """The compiled search asks whether to stop, and passes on what goes wrong there."""
    tables = row_tables(pyramid(True, 30))
    stopped = search(tables, start=0, end=1 << 30, states=9999, stop=lambda: True)
    assert (stopped.over, stopped.moves) == (False, ())
    with pytest.raises(ZeroDivisionError):
        search(tables, start=0, end=1 << 30, states=9999, stop=lambda: bool(1 // 0))


def test_compiled_search_checks() -> None:
    """Tables that contradict each other are refused, not searched."""
    tables = row_tables(pyramid(True))
    for wrong in (
        {"totals": tables.totals + 1},
        {"target": tables.target + 1},
        {"reader": tables.reader + 99},
        {"ended": tables.ended[:-1]},
        {"chain": tables.chain[1:]},
    ):
        with pytest.raises(ValueError, match=r"items|contradict"):
            search(replace(tables, **wrong), start=0, end=1 << 30, states=9)


@given(graphs(), st.integers(0, 40))
@_EXAMPLES
def test_smooth(graph: RowGraph, room: int) -> None:
    """A smoothed order has no more runs and stays within its bytes."""
    order = find_row_order(graph)
    limit = order.peak_bytes + room
    smoothed = smooth(graph, order, limit)
    assert check_row_order(graph, smoothed.moves) == smoothed.peak_bytes <= limit
    assert len(list(groupby(smoothed.moves))) <= len(list(groupby(order.moves)))


@given(graphs())
@_EXAMPLES
def test_settle(graph: RowGraph) -> None:
    """A settled order has the same moves and no larger peak."""
    order = find_row_order(graph)
    settled = settle(graph, order)
    assert sorted(order.moves) == sorted(settled.moves)
    assert check_row_order(graph, settled.moves) == settled.peak_bytes <= order.peak_bytes


def test_settling_comes_down() -> None:
    """Behind its peak a settled order collects what is small before it climbs again."""
    graph = pyramid(False, 4)
    order = step_by_step(graph)
    walk = RowWalk(graph, row_tables(graph))
    spent = [walk.during(*walk.start(), each.moves) for each in (order, settle(graph, order))]
    assert max(spent[1]) <= max(spent[0])
    assert sum(spent[1]) < 0.9 * sum(spent[0])


@given(graphs(), st.data())
@_EXAMPLES
def test_search_goes_on(graph: RowGraph, data: st.DataObject) -> None:
    """From a state on an order, the moves that are left are found, within its peak."""
    order, tables = find_row_order(graph), row_tables(graph)
    done = data.draw(st.integers(0, len(order.moves)))
    begun = [order.moves[:done].count(s) for s in range(len(graph.steps))]
    peak = order.peak_bytes
    rest = search(tables, start=peak, end=peak + 1, states=1 << 20, begun=begun).moves
    assert sorted(order.moves[done:]) == sorted(rest)
    assert check_row_order(graph, [*order.moves[:done], *rest]) <= peak


@given(graphs(), st.data())
@_EXAMPLES
def test_pace(graph: RowGraph, data: st.DataObject) -> None:
    """Moves between rows stay, and no row but the last brings more than asked for."""
    if graph.steps[0].name != "feed":
        return
    costs = [0, *data.draw(st.lists(st.integers(0, 9), min_size=9, max_size=9))]
    costs = [costs[min(s, 9)] for s in range(len(graph.steps))]
    order = depth_first(graph)
    most = max(data.draw(st.integers(1, 40)), *costs)
    paced = pace(graph, order, 0, costs, limit=0, most=most)
    assert check_row_order(graph, paced.moves) == paced.peak_bytes
    assert [s for s in paced.moves if s] == [s for s in order.moves if s]
    assert slowest(paced.moves, 0, costs) <= most


@given(graphs(), st.integers(0, 40))
@_EXAMPLES
def test_pace_within_bytes(graph: RowGraph, room: int) -> None:
    """Without a limit of its own a row brings no more than before, and the bytes are kept."""
    if graph.steps[0].name != "feed":
        return
    costs, order = [0] + [1] * (len(graph.steps) - 1), depth_first(graph)
    paced = pace(graph, order, 0, costs, limit=order.peak_bytes + room)
    assert check_row_order(graph, paced.moves) <= order.peak_bytes + room
    assert slowest(paced.moves, 0, costs) <= slowest(order.moves, 0, costs)


def test_pace_keeps_what_is_better() -> None:
    """Rows that all come before anything runs bring nothing: no other places are as good."""
    net = Net(3, 1, streamed=True)
    t = net.window(0, 1, kernel=1)
    net.rowwise([0, net.at_once(t, 3, 1, in_place=False)], 1, in_place=False)
    graph, costs = net.graph(), [0, 1, 1, 1]
    order = depth_first(graph)
    assert slowest(order.moves, 0, costs) == 0
    assert pace(graph, order, 0, costs, limit=order.peak_bytes) == order


def test_pace_shares_out() -> None:
    """Of strides, where some rows bring nothing, each brings a share for a few rows more."""
    graph = pyramid(True)
    order, costs = depth_first(graph), [0] + [1] * (len(pyramid(True).steps) - 1)
    least = pace(graph, order, 0, costs, limit=order.peak_bytes)
    found = [slowest(moves, 0, costs) for moves in (order.moves, least.moves)]
    assert found[1] < found[0] // 2
    most = pace(graph, order, 0, costs, limit=0, most=1)
    assert slowest(most.moves, 0, costs) == 1
    assert order.peak_bytes < most.peak_bytes


def test_collecting() -> None:
    """Collecting a small tensor beats the plain orders."""
    graph = pyramid(True)
    order = find_row_order(graph)
    assert order.optimal
    assert order.peak_bytes < min(depth_first(graph).peak_bytes, step_by_step(graph).peak_bytes)


def test_smoothing_saves_calls() -> None:
    """With room, a streamed order becomes one call for each step."""
    graph = pyramid(True)
    order = find_row_order(graph)
    calls = len(list(groupby(order.moves)))
    assert len(list(groupby(smooth(graph, order).moves))) < calls
    assert len(graph.steps) == len(list(groupby(smooth(graph, order, 1 << 20).moves)))


def test_same_order_again() -> None:
    """The same question has the same answer."""
    graph = pyramid(True)
    assert find_row_order(graph) == find_row_order(graph)


def test_limit_is_enough() -> None:
    """An order within the limit is taken; a proof is not asked for."""
    graph = pyramid(True)
    best = find_row_order(graph)
    relaxed = find_row_order(graph, limit_bytes=best.peak_bytes + 60)
    assert relaxed.peak_bytes <= best.peak_bytes + 60
    assert relaxed.states <= best.states
    assert relaxed.lower_bound_bytes <= best.peak_bytes


def test_check_refuses() -> None:
    """An order that reads a row before it is made, or lacks a move, is refused."""
    graph = pyramid(False)
    moves = depth_first(graph).moves
    with pytest.raises(ValueError, match="before it is made"):
        check_row_order(graph, moves[::-1])
    with pytest.raises(ValueError, match="moves"):
        check_row_order(graph, moves[1:])


def test_contradictions() -> None:
    """Two makers of a tensor, or a read of what no earlier step makes, are refused."""
    tensors = (RowTensor("a", 1, 4), RowTensor("b", 1, 4))
    step = RowStep("s", 1, (Move(((0, 0, 1),), 1),))
    with pytest.raises(ValueError, match="moves"):
        find_row_order(RowGraph(tensors, (step, step)))
    with pytest.raises(ValueError, match="earlier"):
        find_row_order(RowGraph(tensors, (replace(step, moves=(Move(((0, 0, 2),), 1),)),)))


def test_no_step() -> None:
    """Inputs that nobody reads need their bytes."""
    order = find_row_order(RowGraph((RowTensor("x", 3, 4, lasts=True), RowTensor("z", 1, 8)), ()))
    assert ((), 20, 20) == (order.moves, order.peak_bytes, order.lower_bound_bytes)
