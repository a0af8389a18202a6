# SPDX-License-Identifier: Apache-2.0
"""The checker of step orders, and what the search and it agree on."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.solvers.effort import Effort
from mcuplan.solvers.steps.check import check_sequence
from mcuplan.solvers.steps.problem import Sequencing, sequencing
from mcuplan.solvers.steps.segments import best_sequence


@st.composite
def step_problems(draw: st.DrawFn) -> Sequencing:
    """Steps with several makers and readers of storages, scratch and savings."""
    count = draw(st.integers(1, 6))
    steps = st.integers(0, count - 1)
    some = st.lists(steps, max_size=3, unique=True)
    before = [
        draw(st.lists(st.integers(0, at - 1), max_size=2)) if at else [] for at in range(count)
    ]
    storages = draw(st.lists(st.tuples(st.integers(0, 20), some, some, st.booleans()), max_size=5))
    used = [k for k, (_, makers, readers, kept) in enumerate(storages) if makers or readers or kept]
    savings = [
        [(k, draw(st.integers(0, storages[k][0]))) for k in used if at in storages[k][2]]
        for at in range(count)
    ]
    extra = draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    return sequencing(before, storages, extra, savings)


@settings(max_examples=150, deadline=None)
@given(step_problems())
def test_no_order_needs_less(problem: Sequencing) -> None:
    """The best order's peak is the least of all orders, by the checker's own count."""
    least = None
    for order in permutations(range(problem.count)):
        try:
            peak = check_sequence(problem, order)
        except ValueError:
            continue
        least = peak if least is None else min(least, peak)
    best = best_sequence(problem, Effort())
    assert least == check_sequence(problem, best.order) == best.peak == best.lower_bound


@pytest.mark.parametrize("order", [(0,), (0, 0), (1, 0), (0, 1, 2)])
def test_orders_that_are_none_are_refused(order: tuple[int, ...]) -> None:
    """Every step runs once, after those that it waits for."""
    with pytest.raises(ValueError, match="step"):
        check_sequence(sequencing([[], [0]], []), order)
