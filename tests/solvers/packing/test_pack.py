# SPDX-License-Identifier: Apache-2.0
"""The packer as a whole: valid, proved, repeatable."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import (
    cut_rectangle,
    keeps_apart,
    least_arena,
    loose_table,
    pinned_problems,
    problems,
    rows_of_chain,
)

from mcuplan.solvers.packing import (
    Buffer,
    LiveRange,
    PlanError,
    Problem,
    check_plan,
    lower_bound,
    pack,
)
from mcuplan.solvers.packing.csv_table import read_csv
from mcuplan.units import align_up
from mcuplan.words import placement


def test_reuse_at_the_step_of_freeing() -> None:
    """A buffer freed at step k may be reused at step k."""
    plan = pack(Problem((Buffer("a", 64, LiveRange(0, 3)), Buffer("b", 64, LiveRange(3, 5)))))
    assert 64 == plan.arena_bytes
    assert plan.optimal


def test_overlap_into_dead_rows() -> None:
    """An output may start inside its input as far as the separation allows."""
    buffers = (Buffer("in", 100, LiveRange(0, 1)), Buffer("out", 80, LiveRange(0, 2)))
    plan = pack(Problem(buffers, {(1, 0): 16}))
    assert 116 == plan.arena_bytes == plan.lower_bound_bytes
    assert 16 <= plan.placements[0].offset - plan.placements[1].offset


def test_nothing_to_place() -> None:
    """A table without buffers needs no bytes, and that is proved."""
    plan = pack(Problem(()))
    assert (0, -1, True) == (plan.arena_bytes, plan.peak_step, plan.optimal)


def test_the_places_of_dead_rows_are_taken() -> None:
    """Rows pinned one behind the other give way to what is needed after each has died."""
    rows = [Buffer(f"row{i}", 8, LiveRange(0, i + 1)) for i in range(4)]
    made = [Buffer(f"made{i}", 8, LiveRange(i + 1, 5)) for i in range(4)]
    problem = Problem((*rows, *made), pinned={i: 8 * i for i in range(4)})
    plan = pack(problem)
    assert 32 == plan.arena_bytes == plan.lower_bound_bytes
    assert [0, 8, 16, 24] == [p.offset for p in plan.placements[:4]]


def test_pinned_buffers_that_share_bytes_are_refused() -> None:
    """Pins that contradict each other are named, whatever else there is to place."""
    buffers = tuple(Buffer(name, 8, LiveRange(0, 2)) for name in "abc")
    with pytest.raises(PlanError, match=r"'a' at .* and .*'c' at .*: share bytes"):
        pack(Problem(buffers, pinned={0: 0, 2: 4}))
    with pytest.raises(ValueError, match="breaks its alignment"):
        Problem(buffers, pinned={0: 2})


@settings(max_examples=50, deadline=None)
@given(st.one_of(problems(), pinned_problems(most=20, largest=200)))
def test_any_table_is_packed_validly(problem: Problem) -> None:
    """Any table gets offsets that keep every rule, within what its plan claims."""
    plan = pack(problem, node_limit=300)
    check_plan(problem, plan)
    offsets = [placement.offset for placement in plan.placements]
    for two in range(len(offsets)):
        for one in range(two):
            assert keeps_apart(problem, one, two, offsets[two] - offsets[one])
    assert plan.lower_bound_bytes <= plan.proved_bytes <= plan.arena_bytes
    assert plan.optimal == (plan.arena_bytes == plan.proved_bytes)


@settings(max_examples=30, deadline=None)
@given(problems(separations=False))
def test_an_arena_is_at_most_the_sum(problem: Problem) -> None:
    """Without separations the arena is never larger than all buffers side by side."""
    plan = pack(problem, node_limit=300)
    assert plan.arena_bytes <= sum(align_up(b.nbytes, 16) for b in problem.buffers)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(problems(most=5, largest=7, aligns=(1, 2, 3, 4)), pinned_problems(most=6, largest=6))
)
def test_tiny_tables_are_solved_to_proof(problem: Problem) -> None:
    """On tables small enough to try every offset, the plan is the best and says so."""
    plan = pack(problem)
    assert least_arena(problem, plan.arena_bytes) == plan.arena_bytes
    assert plan.optimal


def test_an_aligned_buffer_rests_on_one_that_ends_between() -> None:
    """A buffer may rest where its alignment leaves a gap above a pinned one: 15 bytes, not 16."""
    sizes = ((2, 2), (3, 2), (3, 1), (3, 2), (1, 4), (2, 1))
    buffers = tuple(Buffer(f"b{i}", n, LiveRange(0, 1), a) for i, (n, a) in enumerate(sizes))
    problem = Problem(buffers, {(1, 0): 0, (1, 4): 0}, {0: 12, 2: 4, 3: 8})
    plan = pack(problem)
    assert 15 == least_arena(problem, 99) == plan.arena_bytes
    assert plan.optimal


@settings(max_examples=20, deadline=None)
@given(problems())
def test_searching_never_makes_it_worse(problem: Problem) -> None:
    """The exact search returns at most what the heuristics found."""
    searched = pack(problem, node_limit=200)
    assert searched.arena_bytes <= pack(problem, exact=False).arena_bytes


def test_the_best_of_search_and_climbing_is_kept() -> None:
    """What hill climbing finds from a heuristic counts also where the search found something."""
    lives = {0: (1549, 0, 3), 6: (4, 0, 1), 8: (1553, 2, 3), 9: (1, 0, 3), 10: (8, 1, 3)}
    lives[11] = (4, 0, 2)
    used = [lives.get(i, (0, 0, 1)) for i in range(12)]
    buffers = tuple(
        Buffer(f"b{i}", n, LiveRange(start, end), 4 if i == 11 else 1)
        for i, (n, start, end) in enumerate(used)
    )
    problem = Problem(buffers, {(0, 1): 0, (0, 8): 0})
    searched = pack(problem, node_limit=200)
    assert searched.arena_bytes <= pack(problem, exact=False).arena_bytes


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_rectangle_is_put_together(seed: int) -> None:
    """A table cut from a full rectangle is packed without a gap again."""
    plan = pack(cut_rectangle(seed, 60, 40, 4096), node_limit=50_000)
    assert 4096 == plan.arena_bytes
    assert plan.optimal


@pytest.mark.parametrize("seed", range(3))
def test_500_buffers_with_slack_take_few_nodes(seed: int) -> None:
    """Tables of 500 buffers fit a capacity a little above the bound after a short search."""
    problem = loose_table(seed, 500, 300)
    capacity = lower_bound(problem).bytes * 21 // 20
    plan = pack(problem, capacity=capacity)
    assert plan.arena_bytes <= capacity
    assert plan.nodes < 30_000


def test_equal_input_gives_equal_plans() -> None:
    """With a node limit, a plan depends on the table alone."""
    problem = cut_rectangle(3, 90, 60, 50_000)
    assert pack(problem, node_limit=2000) == pack(problem, node_limit=2000)


_WIDE = ((3, 2, 384), (3, 1, 384), (1, 1, 768), (3, 2, 384), (1, 1, 768), (3, 1, 768), (1, 1, 768))
_LONG = (*_WIDE, (3, 2, 384), (1, 1, 768), (3, 1, 768), (1, 1, 768), (3, 2, 384))


@pytest.mark.parametrize("pin", [True, False])
@pytest.mark.parametrize("scratch", [0, 132])
@pytest.mark.parametrize("layers", [_WIDE, _LONG])
def test_rows_of_chains_lie_close_to_the_bound(
    layers: tuple[tuple[int, int, int], ...], scratch: int, pin: bool
) -> None:
    """Hundreds of rows with few sizes are placed within 2 % of what is proved."""
    problem = rows_of_chain(96, 288, layers, pin=pin, scratch=scratch)
    plan = pack(problem, node_limit=4000)
    assert plan.arena_bytes <= plan.proved_bytes * 102 // 100


def test_what_is_not_proved_is_not_claimed() -> None:
    """Where the node limit ends the search, the plan is valid and says how far it may be off."""
    problem = loose_table(2, 400, 200)
    plan = pack(problem, node_limit=50)
    assert 50 >= plan.nodes
    assert not plan.optimal
    assert lower_bound(problem).bytes == plan.proved_bytes < plan.arena_bytes
    assert f"{plan.arena_bytes:,}" in placement(plan)


def test_a_time_limit_is_kept() -> None:
    """A search with a time limit ends soon after it."""
    problem = loose_table(2, 400, 200)
    start = time.monotonic()
    plan = pack(problem, time_limit_s=0.2)
    assert time.monotonic() - start < 20
    assert plan.arena_bytes > plan.proved_bytes == lower_bound(problem).bytes


def test_crowded_tables_are_not_listed_pair_by_pair() -> None:
    """Two thousand buffers that are all alive together are packed at once."""
    problem = Problem(tuple(Buffer(f"b{i}", i, LiveRange(0, 1 + i), 1) for i in range(2000)))
    plan = pack(problem)
    assert sum(range(2000)) == plan.arena_bytes == lower_bound(problem).bytes


def _instances() -> list[Path]:
    return sorted(Path(os.environ.get("MCUPLAN_TEST_PACKING", os.devnull)).glob("*.csv"))


def test_instances_are_known() -> None:
    """Where a folder of instances is given, it holds some."""
    if "MCUPLAN_TEST_PACKING" not in os.environ:
        pytest.skip("MCUPLAN_TEST_PACKING names no folder of packing instances")
    assert _instances()


@pytest.mark.parametrize("path", _instances(), ids=lambda path: path.name)
def test_published_instances_reach_their_bound(path: Path) -> None:
    """Published hard instances are packed into the peak of their live bytes."""
    plan = pack(read_csv(path))
    assert plan.optimal
    assert plan.arena_bytes == plan.lower_bound_bytes <= int(path.name.split(".")[1])


def test_a_shared_top_is_not_refuted() -> None:
    """A buffer placed inside another one does not raise the top that one has anyway."""
    sizes, lives = (3, 4, 2, 1, 5), ((4, 6), (5, 6), (3, 5), (2, 3), (2, 5))
    buffers = tuple(
        Buffer(f"b{i}", size, LiveRange(*live))
        for i, (size, live) in enumerate(zip(sizes, lives, strict=True))
    )
    assert 9 == pack(Problem(buffers, {(4, 2): 0})).arena_bytes


def test_padding_orders_a_stack() -> None:
    """Buffers that differ only in padding are stacked with the most padding on top."""
    buffers = (Buffer("a", 2, LiveRange(1, 2), 2), Buffer("b", 5, LiveRange(1, 3), 2))
    assert 7 == pack(Problem(buffers)).arena_bytes


def test_a_local_obstacle_is_proved_in_a_long_chain() -> None:
    """What cannot be placed around one step is refuted however long the rest is."""
    rng = random.Random(0)
    sizes = [rng.randint(100, 9000) for _ in range(200)]
    buffers = tuple(
        Buffer(f"b{i}", size, LiveRange(i, i + (2 if i % 7 else 6)), 4 if i % 7 else 16)
        for i, size in enumerate(sizes)
    )
    entries = {(i + 1, i): rng.randint(0, sizes[i + 1]) for i in range(len(sizes) - 1)}
    plan = pack(Problem(buffers, entries), node_limit=5000)
    assert plan.optimal
    assert plan.arena_bytes > plan.lower_bound_bytes


@pytest.mark.parametrize(("count", "span"), [(300, 100), (1_500, 300), (6_000, 3_000)])
def test_a_time_limit_holds(count: int, span: int) -> None:
    """Everything together keeps the limit, heuristics and climbing included."""
    rng = random.Random(count)
    starts = [rng.randrange(span) for _ in range(count)]
    lives = [LiveRange(start, start + rng.randrange(1, 60)) for start in starts]
    buffers = tuple(Buffer(f"b{i}", rng.randrange(1, 4_000), live) for i, live in enumerate(lives))
    began = time.process_time()
    plan = pack(Problem(buffers), time_limit_s=0.5)
    assert time.process_time() - began < 1.5
    assert plan.lower_bound_bytes <= plan.arena_bytes
