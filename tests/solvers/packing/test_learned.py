# SPDX-License-Identifier: Apache-2.0
"""First fit in an order that learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing_tables import cut_rectangle, pinned_problems, problems

from mcuplan.solvers.packing import Placement, Problem, check_placements, lower_bound, pack
from mcuplan.solvers.packing.conflicts import Conflicts
from mcuplan.solvers.packing.greedy import portfolio
from mcuplan.solvers.packing.learned import learn


@settings(max_examples=40, deadline=None)
@given(st.one_of(problems(), pinned_problems(most=20, largest=200)))
def test_learned_orders_are_valid_and_no_worse(problem: Problem) -> None:
    """Offsets keep every rule, pinned ones stay, and the arena is at most that of the start."""
    one = dict(sorted(problem.pinned.items())[:1])  # more may overlap by their separations
    problem = replace(problem, separations={}, pinned=one)
    best = portfolio(problem, Conflicts(problem), 0)
    found = learn(problem, best, 0, 12)
    check_placements(problem, tuple(map(Placement, problem.buffers, found.offsets)))
    ends = (o + b.nbytes for o, b in zip(found.offsets, problem.buffers, strict=True))
    assert max(ends, default=0) == found.arena_bytes <= best.arena_bytes
    assert found == learn(problem, best, 0, 12)


def test_learning_pays() -> None:
    """On rectangles cut into pieces, rounds bring the arena nearer to the bound."""
    gained = 0
    for seed in (0, 3):
        problem = cut_rectangle(seed, 150, 80, 40_000)
        best = portfolio(problem, Conflicts(problem), 0)
        found = learn(problem, best, lower_bound(problem).bytes, 200)
        gained += best.arena_bytes - found.arena_bytes
        packed = pack(problem, node_limit=0, rounds=200)
        assert packed.arena_bytes <= found.arena_bytes
    assert gained > 0


def test_separations_are_refused() -> None:
    """Buffers that may overlap are not for this packer."""
    problem = cut_rectangle(0, 4, 4, 100)
    best = portfolio(problem, Conflicts(problem), 0)
    with pytest.raises(ValueError, match="separations"):
        learn(replace(problem, separations={(0, 1): 0}), best, 0, 1)
