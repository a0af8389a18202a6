# SPDX-License-Identifier: Apache-2.0
"""The exact search: Python and C agree, answers are right, and it can be stopped."""

from __future__ import annotations

import signal
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import cut_rectangle, loose_table, pinned_problems, problems

from mcuplan.solvers.packing import Placement, Problem, check_placements, lower_bound, pack
from mcuplan.solvers.packing.compiled import (
    COMPILED,
    rearrange_compiled,
    rearrange_python,
    search_compiled,
    search_python,
)
from mcuplan.solvers.packing.conflicts import Conflicts
from mcuplan.solvers.packing.search import Outcome, Status
from mcuplan.solvers.packing.state import Query
from mcuplan.solvers.packing.table import (
    Table,
    by_lifetime,
    by_sections,
    make_table,
    shuffled,
    time_components,
)

Search = Callable[[Query], Outcome]

needs_compiled = pytest.mark.skipif(not COMPILED, reason="the compiled search was not built")
both = pytest.mark.parametrize(
    "search", [search_python, pytest.param(search_compiled, marks=needs_compiled)]
)


both_wheels = pytest.mark.parametrize(
    "rearrange",
    [rearrange_python, pytest.param(rearrange_compiled, marks=needs_compiled)],
)


def _never() -> bool:
    return False


def _query(problem: Problem, capacity: int, rule: int = 0, nodes: int = 3000) -> Query:
    table = _table(problem)
    return Query(
        table,
        table.last_offsets(capacity),
        by_lifetime(problem, table),
        array("q", [1]) * table.sections,
        rule,
        nodes,
        _never,
    )


def _table(problem: Problem) -> Table:
    conflicts = Conflicts(problem)
    used = [i for i, b in enumerate(problem.buffers) if b.nbytes or conflicts.of[i]]
    return make_table(problem, conflicts, used)


def _same(problem: Problem, capacity: int, rule: int) -> Outcome:
    one, two = _query(problem, capacity, rule), _query(problem, capacity, rule)
    outcome = search_python(one)
    assert outcome == search_compiled(two)
    assert one.weight == two.weight
    return outcome


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(st.one_of(problems(most=12, largest=40, aligns=(1, 2, 4)), pinned_problems(most=12)))
def test_python_and_c_agree_on_any_table(problem: Problem) -> None:
    """Both searches visit the same nodes and find the same offsets."""
    bound = lower_bound(problem).bytes
    if bound > 0 and _table(problem).count:
        for rule in range(3):
            for capacity in (bound, bound + 3, bound + bound // 4):
                _same(problem, capacity, rule)


@needs_compiled
@pytest.mark.parametrize("rule", range(3))
def test_python_and_c_agree_on_hard_tables(rule: int) -> None:
    """Both searches agree after thousands of nodes, found or not."""
    for seed in range(3):
        _same(cut_rectangle(seed, 60, 40, 997), 997, rule)
    loose = loose_table(rule, 120, 60)
    assert Status.FOUND is _same(loose, lower_bound(loose).bytes * 5 // 4, rule).status


@both
def test_found_offsets_fit(search: Search) -> None:
    """A placement that was found keeps every rule within the capacity."""
    problem = cut_rectangle(2, 40, 30, 512)
    query = _query(problem, 512)
    outcome = search(query)
    assert Status.FOUND is outcome.status
    offsets = [offset * query.table.grain for offset in outcome.offset]
    check_placements(problem, tuple(map(Placement, problem.buffers, offsets)), capacity=512)


@both
def test_a_refutation_names_the_next_capacity(search: Search) -> None:
    """Below the least arena there is no placement, and none below ``over`` either."""
    problem = cut_rectangle(4, 12, 8, 64)
    outcome = search(_query(problem, 50))
    assert Status.INFEASIBLE is outcome.status
    assert 50 < outcome.over <= 64


def _long(nodes: int = 10**9, poll: Callable[[], bool] = _never) -> Query:
    """A search that takes very much longer than a test may."""
    problem = loose_table(2, 500, 300, 1)
    query = _query(problem, lower_bound(problem).bytes, nodes=nodes)
    return replace(query, poll=poll)


@both
def test_a_node_limit_is_kept(search: Search) -> None:
    """The search visits as many nodes as it may and then says so."""
    outcome = search(_long(nodes=37))
    status, nodes = outcome.status, outcome.nodes
    assert (Status.LIMIT, 37) == (status, nodes)


@both
def test_a_search_can_be_stopped(search: Search) -> None:
    """A poll that answers yes ends the search."""
    status = search(_long(poll=lambda: True)).status
    assert Status.STOPPED is status


@both
def test_signals_end_a_search(search: Search) -> None:
    """An exception from a signal handler, as of Ctrl-C, leaves the search at once."""

    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    query = _long()
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            search(query)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _arguments() -> list[object]:
    query = _query(cut_rectangle(2, 12, 8, 64), 64)
    table = query.table
    numbers = [table.count, table.sections, query.capacity, 0, 100]
    arrays = [table.size, table.align, query.last_offset, query.rank, table.first, table.last]
    arrays += [table.pinned, table.edge_start, table.edge_to]
    arrays += [table.edge_above, table.edge_below]
    arrays += [table.edge_shared, table.most_saved, query.weight]
    return [*numbers, *arrays, array("q", bytes(8 * table.count)), _never]


@needs_compiled
@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        (0, 0),
        (0, 10**6),
        (1, -1),
        (2, 2**62),
        (5, array("q", [1])),
        (5, array("i", [1] * 12)),
        (5, array("q", [-1] * 12)),
        (5, array("q", [2**60] * 12)),
        (6, array("q", [0] * 12)),
        (9, array("q", [10**6] * 12)),
        (10, array("q", [0] * 12)),
        (11, array("q", [-2] * 12)),
        (12, array("q", [1] * 13)),
        (18, bytes(8)),
        (19, bytes(96)),
        (19, "text"),
    ],
)
def test_the_compiled_search_checks_its_arrays(at: int, wrong: object) -> None:
    """Arrays of a wrong length, type or range are refused before the search begins."""
    from mcuplan.solvers.packing import _packcore

    arguments = _arguments()
    assert 1 == _packcore.search(*arguments)[0]  # type: ignore[arg-type]
    arguments[at] = wrong
    with pytest.raises((ValueError, TypeError, BufferError)):
        _packcore.search(*arguments)  # type: ignore[arg-type]


@needs_compiled
def test_the_compiled_search_writes_to_arrays_of_their_own() -> None:
    """A result array that is also an input is refused."""
    from mcuplan.solvers.packing import _packcore

    arguments = _arguments()
    arguments[19] = arguments[5]
    with pytest.raises(ValueError, match="of their own"):
        _packcore.search(*arguments)  # type: ignore[arg-type]


def _rearranged(problem: Problem, rule: int) -> Outcome:
    bound = lower_bound(problem).bytes
    one, two = (_query(problem, bound, rule, 40) for _ in range(2))
    outcome = rearrange_python(one)
    assert outcome == rearrange_compiled(two)
    return outcome


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(st.one_of(problems(most=12, largest=40, aligns=(1, 2, 4)), pinned_problems(most=12)))
def test_local_search_in_python_and_c_agrees(problem: Problem) -> None:
    """Both local searches visit the same placements."""
    if lower_bound(problem).bytes > 0 and _table(problem).count:
        for rule in range(3):
            _rearranged(problem, rule)


@needs_compiled
@pytest.mark.parametrize("rule", range(4))
def test_local_search_finds_less_than_its_first_order(rule: int) -> None:
    """Moving what lies badly forward lowers the top of a table with slack."""
    problem = loose_table(rule, 150, 60)
    first = rearrange_python(_query(problem, 1, rule, 1)).over
    assert _rearranged(problem, rule).over < first


@both_wheels
def test_local_search_can_be_stopped(rearrange: Search) -> None:
    """A poll that answers yes ends the local search with what it has."""
    query = replace(_query(loose_table(0, 60, 30), 1), poll=lambda: True)
    outcome = rearrange(query)
    assert (Status.STOPPED, 1) == (outcome.status, outcome.nodes)
    assert -1 not in outcome.offset


def test_huge_numbers_are_left_to_python() -> None:
    """Sizes beyond what the compiled search can add up are packed all the same."""
    from mcuplan.solvers.packing import Buffer, LiveRange

    lives = [LiveRange(0, 2), LiveRange(1, 3), LiveRange(0, 3)]
    problem = Problem(tuple(Buffer(f"b{i}", 2**58 + i, live, 1) for i, live in enumerate(lives)))
    assert not _table(problem).small
    assert 3 * 2**58 + 3 == pack(problem).arena_bytes


def test_steps_become_sections() -> None:
    """Only the largest sets of buffers alive together are kept as sections."""
    from mcuplan.solvers.packing import Buffer, LiveRange

    lives = [(0, 10), (5, 20), (20, 30), (25, 30), (30, 31)]
    problem = Problem(tuple(Buffer(f"b{i}", 4, LiveRange(*live)) for i, live in enumerate(lives)))
    table = _table(problem)
    assert 3 == table.sections
    assert [0, 0, 1, 1, 2] == list(table.first)
    assert [1, 1, 2, 2, 3] == list(table.last)
    assert [[0, 1], [2, 3], [4]] == time_components(problem, range(5))


@pytest.mark.parametrize(("sizes", "align", "grain"), [((12, 20), 4, 4), ((96, 64), 4, 32)])
def test_the_grain_is_as_coarse_as_sizes_allow(
    sizes: tuple[int, int], align: int, grain: int
) -> None:
    """Sizes and offsets count in the largest unit that divides all of them."""
    from mcuplan.solvers.packing import Buffer, LiveRange

    buffers = tuple(Buffer(f"b{n}", n, LiveRange(0, 1), align) for n in sizes)
    assert grain == _table(Problem(buffers)).grain


def test_ranks_are_permutations() -> None:
    """Every ranking numbers all buffers, shuffled or not."""
    problem = loose_table(1, 50, 30)
    table = _table(problem)
    for ranks in (by_lifetime(problem, table), by_sections(table)):
        assert list(range(50)) == sorted(ranks)
        assert list(range(50)) == sorted(shuffled(ranks, 7))
        assert shuffled(ranks, 7) == shuffled(ranks, 7) != ranks
