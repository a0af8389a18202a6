# SPDX-License-Identifier: Apache-2.0
"""The exact search and the squeaky wheel: answers are right, and both can be stopped."""

from __future__ import annotations

import signal
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import (
    cut_rectangle,
    least_arena,
    loose_table,
    pinned_problems,
    problems,
)

from mcuplan.solvers.core import core
from mcuplan.solvers.packing import (
    Buffer,
    LiveRange,
    Placement,
    Problem,
    check_placements,
    lower_bound,
    pack,
)
from mcuplan.solvers.packing.conflicts import Conflicts
from mcuplan.solvers.packing.search import Query, Status, place, search
from mcuplan.solvers.packing.table import (
    Table,
    by_lifetime,
    make_table,
    rankings,
    shuffled,
    time_components,
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
    used = [i for i, b in enumerate(problem.buffers) if b.nbytes or not conflicts.alone(i)]
    return make_table(problem, conflicts, used)


@settings(max_examples=60, deadline=None)
@given(st.one_of(problems(most=5, largest=9, aligns=(1, 2, 4)), pinned_problems(most=5)))
def test_every_rule_decides_as_trying_all_offsets_does(problem: Problem) -> None:
    """What is found fits, and what is refuted no placement undercuts."""
    bound = lower_bound(problem).bytes
    if not bound or not _table(problem).count:
        return
    least = least_arena(problem, sum(b.nbytes + b.align for b in problem.buffers) + 40)
    for rule in range(3):
        for capacity in range(max(bound, least - 1), least + 1):
            outcome = search(_query(problem, capacity, rule))
            assert (Status.FOUND if capacity == least else Status.INFEASIBLE) is outcome.status


@pytest.mark.parametrize("rule", range(3))
def test_hard_tables_are_put_together(rule: int) -> None:
    """Rectangles cut into pieces are solved, or the search says that it gave up."""
    for seed in range(3):
        problem = cut_rectangle(seed, 60, 40, 997)
        outcome = search(_query(problem, 997, rule))
        assert outcome.status in (Status.FOUND, Status.LIMIT)
        assert outcome == search(_query(problem, 997, rule))


def test_found_offsets_fit() -> None:
    """A placement that was found keeps every rule within the capacity."""
    problem = cut_rectangle(2, 40, 30, 512)
    query = _query(problem, 512)
    outcome = search(query)
    assert Status.FOUND is outcome.status
    offsets = [offset * query.table.grain for offset in outcome.offset]
    check_placements(problem, tuple(map(Placement, problem.buffers, offsets)), capacity=512)


def test_a_refutation_names_the_next_capacity() -> None:
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


def test_a_node_limit_is_kept() -> None:
    """The search visits as many nodes as it may and then says so."""
    outcome = search(_long(nodes=37))
    status, nodes = outcome.status, outcome.nodes
    assert (Status.LIMIT, 37) == (status, nodes)


def test_a_search_can_be_stopped() -> None:
    """A poll that answers yes ends the search."""
    status = search(_long(poll=lambda: True)).status
    assert Status.STOPPED is status


def test_signals_end_a_search() -> None:
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
    offset = array("q", bytes(8 * table.count))
    arrays = [table.size, table.align, table.pinned, query.rank, table.edge_start, table.edge_to]
    arrays += [table.edge_above, table.edge_below, offset, table.first, table.last]
    arrays += [query.last_offset, table.edge_shared, table.most_saved, query.weight]
    return [*numbers, *arrays, _never]


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        (0, 0),
        (0, 10**6),
        (1, -1),
        (2, 2**62),
        (3, -1),
        (5, array("q", [1])),
        (5, array("i", [1] * 12)),
        (5, array("q", [-1] * 12)),
        (5, array("q", [2**60] * 12)),
        (6, array("q", [0] * 12)),
        (7, array("q", [-2] * 12)),
        (8, array("q", [-1] * 12)),
        (9, array("q", [1] * 13)),
        (13, bytes(96)),
        (14, array("q", [10**6] * 12)),
        (15, array("q", [0] * 12)),
        (19, bytes(8)),
        (19, "text"),
    ],
)
def test_the_compiled_search_checks_its_arrays(at: int, wrong: object) -> None:
    """Arrays of a wrong length, type or range are refused before the search begins."""
    _packcore = core("packing._packcore", 5)
    arguments = _arguments()
    assert 1 == _packcore.search(*arguments)[0]  # type: ignore[arg-type]
    arguments[at] = wrong
    with pytest.raises((ValueError, TypeError, BufferError)):
        _packcore.search(*arguments)  # type: ignore[arg-type]


def test_the_compiled_search_writes_to_arrays_of_their_own() -> None:
    """A result array that is also an input is refused."""
    arguments = _arguments()
    arguments[13] = arguments[5]
    with pytest.raises((ValueError, BufferError)):
        core("packing._packcore", 5).search(*arguments)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.one_of(problems(most=12, largest=40, aligns=(1, 2, 4)), pinned_problems(most=12)))
def test_the_squeaky_wheel_keeps_every_rule(problem: Problem) -> None:
    """Whatever the kind of move, its placements are valid and its top is theirs."""
    table = _table(problem)
    if not lower_bound(problem).bytes or not table.count:
        return
    for rule in range(4):
        outcome = place("squeaky_wheel", table, by_lifetime(problem, table), rule=rule, rounds=20)
        assert outcome == place(
            "squeaky_wheel", table, by_lifetime(problem, table), rule=rule, rounds=20
        )
        assert outcome.over == max(map(sum, zip(outcome.offset, table.size, strict=True)))
        at = dict(zip(table.indices.tolist(), outcome.offset, strict=True))
        offsets = [
            problem.pinned.get(i, at.get(i, 0) * table.grain) for i in range(len(problem.buffers))
        ]
        check_placements(problem, tuple(map(Placement, problem.buffers, offsets)))


@pytest.mark.parametrize("rule", range(4))
def test_the_squeaky_wheel_undercuts_its_first_order(rule: int) -> None:
    """Moving what lies badly forward lowers the top of a table with slack."""
    problem = loose_table(rule, 150, 60)
    table = _table(problem)
    rank = by_lifetime(problem, table)
    first, later = (
        place("squeaky_wheel", table, rank, rule=rule, rounds=rounds).over for rounds in (1, 40)
    )
    assert first == place("first_fit", table, rank).over > later


def test_the_squeaky_wheel_can_be_stopped() -> None:
    """A poll that answers yes ends it with what it has."""
    problem = loose_table(0, 60, 30)
    table = _table(problem)
    rank = by_lifetime(problem, table)
    outcome = place("squeaky_wheel", table, rank, rounds=9, poll=lambda: True)
    assert (Status.STOPPED, 1) == (outcome.status, outcome.nodes)
    assert -1 not in outcome.offset


@settings(max_examples=60, deadline=None)
@given(st.one_of(problems(most=12, largest=40, aligns=(1, 2, 4)), pinned_problems(most=12)))
def test_ejection_keeps_every_rule(problem: Problem) -> None:
    """What it finds is valid, within its capacity and found again; else it says so."""
    table = _table(problem)
    if not lower_bound(problem).bytes or not table.count:
        return
    rank = by_lifetime(problem, table)
    enough = place("first_fit", table, rank).over
    for goal in (enough, enough - 1, enough // 2):
        outcome = place("eject", table, rank, goal=goal, rule=goal, rounds=200)
        assert outcome == place("eject", table, rank, goal=goal, rule=goal, rounds=200)
        if outcome.status is not Status.FOUND:
            assert outcome.status is Status.LIMIT
            continue
        assert goal >= outcome.over
        assert outcome.over == max(map(sum, zip(outcome.offset, table.size, strict=True)))
        at = dict(zip(table.indices.tolist(), outcome.offset, strict=True))
        offsets = [
            problem.pinned.get(i, at.get(i, 0) * table.grain) for i in range(len(problem.buffers))
        ]
        check_placements(problem, tuple(map(Placement, problem.buffers, offsets)))


def test_ejection_has_no_place_for_what_is_larger_than_the_goal() -> None:
    """However little it is larger, and whatever it is aligned to."""
    for size, align in ((2, 2), (3, 2), (3, 4), (5, 8)):
        wide = Buffer("wide", size, LiveRange(0, 1), align=align)
        problem = Problem((wide, Buffer("odd", 1, LiveRange(1, 2), align=1)))
        table = _table(problem)
        rank = by_lifetime(problem, table)
        outcome = place("eject", table, rank, goal=max(table.size) - 1, rule=0, rounds=200)
        assert outcome.status is Status.LIMIT


def test_ejection_fits_a_rectangle_that_was_cut() -> None:
    """It finds room where none is to spare, which first fit does not."""
    fitted = 0
    for seed in range(6):
        problem = cut_rectangle(seed, 30, 40, 60)
        table = _table(problem)
        rank, goal = by_lifetime(problem, table), 60 // table.grain
        tries = (place("eject", table, rank, goal=goal, rule=t, rounds=4_000) for t in range(4))
        fitted += any(outcome.status is Status.FOUND for outcome in tries)
    assert 5 <= fitted


def test_ejection_can_be_stopped() -> None:
    """A poll that answers yes ends it before its turns are spent."""
    problem = loose_table(0, 60, 30)
    table = _table(problem)
    rank = by_lifetime(problem, table)
    goal = int(table.size.max())  # each fits, not all
    outcome = place("eject", table, rank, goal=goal, rounds=10**6, poll=lambda: True)
    assert outcome.status is Status.STOPPED
    assert 10**6 > outcome.nodes
    assert place("eject", table, rank, goal=goal, rounds=9).status is Status.LIMIT


def test_numbers_that_cannot_be_added_are_refused() -> None:
    """Sizes beyond what the core can add up are refused before anything is done."""
    from mcuplan.solvers.packing import Buffer, LiveRange

    buffer = Buffer("b", 2**56, LiveRange(0, 2), 1)
    with pytest.raises(ValueError, match="more than can be added"):
        pack(Problem((buffer,)))


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
    for ranks in rankings(problem, table).values():
        assert list(range(50)) == sorted(ranks)
        assert list(range(50)) == sorted(shuffled(ranks, 7))
        again = shuffled(ranks, 7)
        assert list(again) == list(shuffled(ranks, 7)) != list(ranks)
