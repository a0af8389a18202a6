# SPDX-License-Identifier: Apache-2.0
"""Buffers divided among several arenas: everything fits, and accesses cost least."""

from __future__ import annotations

import itertools
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.solvers.packing import (
    Assignment,
    Buffer,
    LiveRange,
    Placement,
    PlanError,
    Problem,
    Room,
    assign,
    check_regions,
    pack,
)
from mcuplan.solvers.packing.occupancy import Occupancy, part


def _buffer(name: str, nbytes: int, start: int, end: int) -> Buffer:
    return Buffer(name, nbytes, LiveRange(start, end))


@st.composite
def tables(draw: st.DrawFn, most: int) -> tuple[Problem, tuple[int, ...]]:
    """A few buffers, some of which may share bytes, and how often each is accessed."""
    count = draw(st.integers(1, most))
    buffers = []
    for i in range(count):
        start = draw(st.integers(0, 6))
        end = start + draw(st.integers(1, 4))
        buffers.append(_buffer(f"b{i}", 4 * draw(st.integers(1, 16)), start, end))
    entries = {}
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    for low, high in pairs:
        if buffers[low].live.meets(buffers[high].live) and draw(st.integers(0, 7)) == 0:
            entries[low, high] = 4 * draw(st.integers(0, buffers[low].nbytes // 4))
    accesses = draw(st.lists(st.integers(0, 50), min_size=count, max_size=count))
    return Problem(tuple(buffers), entries), tuple(accesses)


_ROOMS = st.lists(st.builds(Room, st.integers(0, 200), st.integers(0, 5)), min_size=1, max_size=3)


def _check(problem: Problem, rooms: list[Room], found: Assignment) -> None:
    """The independent checker passes what was found."""
    plans = {str(room): plan for room, plan in found.plans.items()}
    check_regions(problem, plans, {str(r): room.capacity for r, room in enumerate(rooms)})
    for room, plan in found.plans.items():
        placed = [placement.buffer for placement in plan.placements]
        mine = [b for b, at in zip(problem.buffers, found.rooms, strict=True) if at == room]
        assert mine == placed


@settings(max_examples=100, deadline=None)
@given(tables(most=14), _ROOMS)
def test_what_is_found_is_valid_and_never_worse_than_one_room(
    table: tuple[Problem, tuple[int, ...]], rooms: list[Room]
) -> None:
    """Arenas keep every rule and cost what is claimed, at most what one room for all costs."""
    problem, accesses = table
    whole = pack(problem, node_limit=1_000)
    groups = range(len(accesses))
    found = assign(problem, rooms, accesses, groups, whole, node_limit=1_000)
    size = whole.arena_bytes
    single = [r.cost * sum(accesses) for r in rooms if size <= r.capacity // 4 * 4]
    if found is None:
        assert [] == single
        return
    _check(problem, rooms, found)
    cost = sum(rooms[r].cost * n for r, n in zip(found.rooms, accesses, strict=True))
    assert cost == found.cost
    assert found.lower_bound <= found.cost <= min(single, default=found.cost)


def _exhaustive(problem: Problem, rooms: list[Room], accesses: tuple[int, ...]) -> int | None:
    """The least cost over all assignments that pack; None where none does."""
    count = range(len(problem.buffers))

    @cache
    def size(members: tuple[int, ...]) -> int:
        return pack(part(problem, members)).arena_bytes

    costs = []
    for choice in itertools.product(range(len(rooms)), repeat=len(count)):
        inside = {r: tuple(i for i in count if choice[i] == r) for r in set(choice)}
        if all(size(members) <= rooms[r].capacity // 4 * 4 for r, members in inside.items()):
            costs.append(sum(rooms[r].cost * n for r, n in zip(choice, accesses, strict=True)))
    return min(costs, default=None)


@settings(max_examples=60, deadline=None)
@given(tables(most=5), _ROOMS)
def test_bounds_and_refusals_hold_against_all_assignments(
    table: tuple[Problem, tuple[int, ...]], rooms: list[Room]
) -> None:
    """No assignment costs less than the bound; a small table that can be divided is."""
    problem, accesses = table
    found = assign(problem, rooms, accesses, range(len(accesses)))
    least = _exhaustive(problem, rooms, accesses)
    assert (least is None) == (found is None)
    if found is not None and least is not None:
        assert found.lower_bound <= least <= found.cost
        assert not found.optimal or least == found.cost


def test_hot_buffers_take_the_fast_room() -> None:
    """Of two buffers that do not fit together the one with more accesses is in the fast room."""
    problem = Problem((_buffer("cold", 64, 0, 2), _buffer("hot", 64, 0, 2)))
    found = assign(problem, [Room(100, 0), Room(1000, 3)], (10, 90), (0, 1))
    assert found is not None
    assert ((1, 0), 30, True) == (found.rooms, found.cost, found.optimal)


def test_a_room_is_used_again_by_what_lives_later() -> None:
    """Buffers that are not alive together take turns in the fast room."""
    buffers = tuple(_buffer(f"b{i}", 64, i, i + 1) for i in range(5))
    found = assign(Problem(buffers), [Room(64, 0), Room(640, 1)], (1,) * 5, range(5))
    assert found is not None
    assert ((0,) * 5, 0) == (found.rooms, found.cost)


def test_pairs_share_bytes_in_one_room_only() -> None:
    """Two buffers that may overlap need their sum once they are apart."""
    pair = (_buffer("in", 64, 0, 2), _buffer("out", 64, 1, 3))
    problem = Problem(pair, {(0, 1): 0, (1, 0): 0})
    together = assign(problem, [Room(64, 0), Room(64, 1)], (1, 1), (0, 1))
    assert together is not None
    assert ((0, 0), 0) == (together.rooms, together.cost)
    table = Occupancy(problem, (0, 1))
    assert 64 == table.load(1, (0, 1))


def test_groups_stay_together() -> None:
    """Buffers of one group never part, though a room has space for one of them."""
    buffers = (_buffer("row0", 40, 0, 2), _buffer("row1", 40, 1, 3), _buffer("x", 20, 0, 3))
    rooms = [Room(60, 0), Room(100, 1)]
    found = assign(Problem(buffers), rooms, (100, 1), (0, 0, 1))
    assert found is not None
    assert (1, 1, 0) == found.rooms
    _check(Problem(buffers), rooms, found)


def test_a_table_larger_than_all_rooms_is_refused() -> None:
    """Nothing is assigned where live bytes, or one buffer, exceed what there is."""
    two = Problem((_buffer("a", 60, 0, 2), _buffer("b", 60, 0, 2)))
    assert assign(two, [Room(60, 0), Room(56, 0)], (1, 1), (0, 1)) is None
    one = Problem((_buffer("a", 100, 0, 1),))
    assert assign(one, [Room(60, 0), Room(60, 0)], (1,), (0,)) is None


def test_equal_questions_have_equal_answers() -> None:
    """Nothing depends on the run."""
    buffers = tuple(_buffer(f"b{i}", 4 * (1 + i * 7 % 11), i // 2, i // 2 + 3) for i in range(20))
    rooms = [Room(60, 0), Room(60, 1), Room(400, 5)]
    runs = [assign(Problem(buffers), rooms, range(20), range(20)) for _ in range(2)]
    assert runs[0] is not None
    assert runs[0] == runs[1]


# -- the checker ------------------------------------------------------------------------------


def test_the_checker_refuses_a_buffer_beyond_its_region() -> None:
    """A byte more than the region has is named with region and buffer."""
    problem = Problem((_buffer("a", 64, 0, 1), _buffer("b", 64, 0, 1)))
    plans = {"fast": pack(part(problem, [0])), "slow": pack(part(problem, [1]))}
    check_regions(problem, plans, {"fast": 64, "slow": 64})
    with pytest.raises(PlanError, match=r"region 'slow': .*'b': ends at 64 B, region has 63 B"):
        check_regions(problem, plans, {"fast": 64, "slow": 63})
    with pytest.raises(PlanError, match="there is none of that name"):
        check_regions(problem, plans, {"fast": 64})


def test_the_checker_wants_every_buffer_once() -> None:
    """A buffer in no region, in two, or of another problem is an error."""
    problem = Problem((_buffer("a", 8, 0, 1), _buffer("b", 8, 0, 1)))
    first, both = pack(part(problem, [0])), pack(problem)
    room = {"x": 100, "y": 100}
    with pytest.raises(PlanError, match="'b': placed 0 times"):
        check_regions(problem, {"x": first}, room)
    with pytest.raises(PlanError, match="'a': placed 2 times"):
        check_regions(problem, {"x": both, "y": first}, room)
    with pytest.raises(PlanError, match="not one of the problem"):
        check_regions(part(problem, [0]), {"x": both}, room)


def test_the_checker_knows_what_may_be_shared_in_a_region() -> None:
    """Separations count by buffer, whatever place it has in its region."""
    trio = (_buffer("x", 8, 0, 2), _buffer("in", 64, 0, 2), _buffer("out", 64, 1, 3))
    problem = Problem(trio, {(1, 2): 4, (2, 1): 64})
    inner = pack(part(problem, [1, 2]))
    plans = {"fast": pack(part(problem, [0])), "slow": inner}
    assert 68 == inner.arena_bytes
    check_regions(problem, plans, {"fast": 8, "slow": 68})
    moved = tuple(Placement(p.buffer, 0) for p in inner.placements)
    wrong = type(inner)(moved, 64, 64, 1, True, "given")
    with pytest.raises(PlanError, match="region 'slow': buffers 0 'in'"):
        check_regions(problem, plans | {"slow": wrong}, {"fast": 8, "slow": 68})
