# SPDX-License-Identifier: Apache-2.0
"""Heuristics: valid, quick, and never fooled by a smaller goal."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import loose_table, pinned_problems, problems

from mcuplan.solvers.packing import Placement, Problem, check_placements, lower_bound
from mcuplan.solvers.packing.conflicts import Conflicts, count_pairs, loads
from mcuplan.solvers.packing.crowded import crowded_fit
from mcuplan.solvers.packing.greedy import best_fit, climb, first_fit, portfolio
from mcuplan.solvers.packing.table import ranked


def _check(problem: Problem, offsets: list[int] | tuple[int, ...]) -> None:
    check_placements(problem, tuple(map(Placement, problem.buffers, offsets)))


@settings(max_examples=40, deadline=None)
@given(st.one_of(problems(), pinned_problems(most=20, largest=200)))
def test_every_heuristic_is_valid(problem: Problem) -> None:
    """First fit, best fit, hill climbing and their best keep every rule."""
    conflicts = Conflicts(problem)
    rank = ranked(range(len(problem.buffers)))
    for fit in (first_fit, best_fit):
        packing = fit(conflicts, rank)
        _check(problem, packing.offsets)
        ends = (at + b.nbytes for at, b in zip(packing.offsets, problem.buffers, strict=True))
        assert packing.arena_bytes == max(ends, default=0)
    best = portfolio(problem, conflicts, 0)
    _check(problem, best.offsets)
    climbed = climb(problem, conflicts, best, lower_bound(problem).bytes)
    _check(problem, climbed.offsets)
    assert climbed.arena_bytes <= best.arena_bytes


@settings(max_examples=40, deadline=None)
@given(problems())
def test_crowded_fit_is_first_fit_by_size(problem: Problem) -> None:
    """The form for crowded tables gives the placement of first fit by size."""
    buffers = problem.buffers
    rank = ranked([-b.nbytes for b in buffers], [b.live.start for b in buffers])
    expected = first_fit(Conflicts(problem), rank)
    assert expected.offsets == crowded_fit(problem).offsets


@settings(max_examples=30, deadline=None)
@given(problems(separations=False))
def test_pairs_and_loads_are_counted(problem: Problem) -> None:
    """Pairs alive together and the load of a buffer's life are what their names say."""
    buffers = problem.buffers
    assert count_pairs(problem) == sum(
        one.live.meets(two.live) for i, one in enumerate(buffers) for two in buffers[:i]
    )
    sums = [
        sum(b.nbytes for b in buffers if b.live.start <= step < b.live.end) for step in range(9)
    ]
    assert loads(problem) == [max(sums[b.live.start : b.live.end]) for b in buffers]


def test_thousands_of_buffers_are_quick() -> None:
    """5,000 buffers are placed in well under two seconds, crowded or not."""
    sparse, crowded = loose_table(1, 5000, 4000, life=40), loose_table(1, 5000, 4000, life=2000)
    start = time.process_time()
    found = portfolio(sparse, Conflicts(sparse), 2**40)
    filled = crowded_fit(crowded)
    assert time.process_time() - start < 2
    _check(sparse, found.offsets)
    _check(crowded, filled.offsets)
