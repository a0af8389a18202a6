# SPDX-License-Identifier: Apache-2.0
"""The checker finds what is wrong, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import keeps_apart, problems

from mcuplan.solvers.packing import (
    Buffer,
    LiveRange,
    MemoryPlan,
    Placement,
    PlanError,
    Problem,
    check_placements,
    check_plan,
)

A = Buffer("a", 8, LiveRange(0, 2))
B = Buffer("b", 8, LiveRange(1, 3))
C = Buffer("c", 8, LiveRange(2, 4))


def _plan(*placed: tuple[Buffer, int], arena: int, **claims: object) -> MemoryPlan:
    placements = tuple(Placement(buffer, offset) for buffer, offset in placed)
    plan = MemoryPlan(placements, arena, 0, 0, optimal=False, method="by hand")
    return replace(plan, **claims)  # type: ignore[arg-type]


def test_a_good_plan_passes() -> None:
    """Buffers that are never alive together may share bytes."""
    check_plan(Problem((A, B, C)), _plan((A, 0), (B, 8), (C, 0), arena=16), capacity=16)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (_plan((A, 0), (B, 4), (C, 12), arena=20), ["share bytes"]),
        (_plan((A, 2), (B, 12), (C, 0), arena=20), ["not a multiple of 4"]),
        (_plan((A, -4), (B, 8), (C, 0), arena=16), ["negative"]),
        (_plan((A, 0), (B, 16), (C, 0), arena=24), ["ends at 24 B, region has 20 B"]),
        (_plan((A, 0), (B, 8), (C, 0), arena=12), ["12 B claimed"]),
        (_plan((A, 0), (B, 8), arena=16), ["not the buffers"]),
        (_plan((A, 0), (B, 8), (C, 0), arena=16, optimal=True), ["claimed optimal"]),
        (_plan((A, 0), (B, 8), (C, 0), arena=16, proved_bytes=17), ["below its own"]),
        (
            _plan((A, 1), (B, 2), (C, 3), arena=11),
            ["'a': offset 1", "'b': offset 2", "'c': offset 3", "'a' at", "'c' at"],
        ),
    ],
)
def test_every_violation_is_listed(plan: MemoryPlan, words: list[str]) -> None:
    """A wrong plan is refused with all that is wrong about it."""
    with pytest.raises(PlanError) as caught:
        check_plan(Problem((A, B, C)), plan, capacity=20)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("offset", "fits"), [(0, False), (4, True), (8, True)])
def test_separations_are_kept(offset: int, fits: bool) -> None:
    """With an entry, exactly the distances it allows pass."""
    problem = Problem((A, B), {(0, 1): 4})
    placements = (Placement(A, 0), Placement(B, offset))
    if fits:
        check_placements(problem, placements)
    else:
        with pytest.raises(PlanError, match="need 4 B up or 8 B down"):
            check_placements(problem, placements)


def test_pinned_buffers_must_lie_where_they_are_pinned() -> None:
    """A buffer that is not where it is pinned is named."""
    problem = Problem((A, B), pinned={1: 12})
    check_placements(problem, (Placement(A, 0), Placement(B, 12)))
    with pytest.raises(PlanError, match="1 'b': at 8, pinned to 12"):
        check_placements(problem, (Placement(A, 0), Placement(B, 8)))


@settings(max_examples=150, deadline=None)
@given(problems(most=8, largest=20, aligns=(1,)), st.data())
def test_any_offsets_are_judged_by_the_definition(problem: Problem, data: st.DataObject) -> None:
    """Offsets pass exactly when every pair alive together keeps its distance."""
    count = len(problem.buffers)
    offsets = data.draw(st.lists(st.integers(0, 60), min_size=count, max_size=count))
    good = all(
        keeps_apart(problem, one, two, offsets[two] - offsets[one])
        for two in range(count)
        for one in range(two)
    )
    placements = tuple(map(Placement, problem.buffers, offsets))
    if good:
        check_placements(problem, placements)
    else:
        with pytest.raises(PlanError, match="buffers"):
            check_placements(problem, placements)
