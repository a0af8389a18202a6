# SPDX-License-Identifier: Apache-2.0
"""The lower bound is one, and is no smaller than it must be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import least_arena, pinned_problems, problems

from mcuplan.solvers.packing import Buffer, LiveRange, LowerBound, Problem, lower_bound, pack


@settings(max_examples=80, deadline=None)
@given(st.one_of(problems(most=5, largest=9, aligns=(1, 2, 4)), pinned_problems(most=5)))
def test_no_placement_is_smaller(problem: Problem) -> None:
    """The bound never exceeds the least arena."""
    arena = pack(problem, exact=False).arena_bytes
    assert lower_bound(problem).bytes <= least_arena(problem, arena)


@settings(max_examples=60, deadline=None)
@given(problems(aligns=(1,), separations=False))
def test_plain_tables_have_the_peak_of_live_bytes(problem: Problem) -> None:
    """Without alignment and separations the bound is the largest sum of live bytes."""
    sums = {
        step: sum(b.nbytes for b in problem.buffers if b.live.start <= step < b.live.end)
        for step in range(9)
    }
    bound = lower_bound(problem)
    assert max(sums.values()) == bound.bytes
    assert not problem.buffers or sums[bound.step] == bound.bytes


def test_the_first_peak_is_named() -> None:
    """Of several steps with the same peak, the first counts."""
    buffers = tuple(Buffer(f"b{i}", 8, LiveRange(i, i + 2)) for i in range(4))
    assert LowerBound(16, 1) == lower_bound(Problem(buffers))


def test_padding_counts_except_on_top() -> None:
    """Sizes count rounded up to the common alignment, except for the topmost buffer."""
    buffers = tuple(Buffer(f"b{i}", 5, LiveRange(0, 1), 8) for i in range(3))
    assert 21 == lower_bound(Problem(buffers)).bytes


def test_an_output_between_two_operands_shares_its_size_once() -> None:
    """A buffer that may lie in either of two others saves its own size, not twice that."""
    buffers = tuple(Buffer(name, 64, LiveRange(0, 1)) for name in "abc")
    entries = {(2, 0): 0, (2, 1): 0}
    assert 128 == lower_bound(Problem(buffers, entries)).bytes
    assert 128 == pack(Problem(buffers, entries)).arena_bytes
