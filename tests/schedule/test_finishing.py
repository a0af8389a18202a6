# SPDX-License-Identifier: Apache-2.0
"""What is left after the last row of a fed input, in calls of bounded work."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_nets import row_net

from mcuplan.schedule.calls import fed_calls, feed_cycles
from mcuplan.schedule.planning.by_rows import plan_rows
from mcuplan.schedule.planning.finishing import finished_in_parts, step_prices
from mcuplan.schedule.program import FEED, Plan, Run
from mcuplan.targets import load_target

_PLANS: dict[int, Plan] = {}


def _plan(seed: int) -> Plan:
    """A random network whose input is fed; each is planned once."""
    if seed not in _PLANS:
        plan = plan_rows(row_net(seed), load_target("cortex-m4"), feed=True)
        assert plan is not None
        _PLANS[seed] = plan
    return _PLANS[seed]


def _joined(runs: tuple[Run, ...]) -> list[tuple[int, int, int, int]]:
    """Steps, rows and moves where neighbouring runs that go on are one."""
    found: list[tuple[int, int, int, int]] = []
    for run in runs:
        if found and found[-1][0] == run.step and found[-1][2] == run.first:
            step, first, _, moves = found.pop()
            found.append((step, first, run.end, moves + run.moves))
        else:
            found.append((run.step, run.first, run.end, run.moves))
    return found


@given(st.sampled_from((1, 3, 5, 6)), st.integers(1, 200_000))
@settings(max_examples=40, deadline=None)
def test_calls_take_no_more_than_asked(seed: int, most: int) -> None:
    """Each call from the last row on keeps the limit, or is one move that nothing divides."""
    plan = _plan(seed)
    found = finished_in_parts(plan, most)
    assert found.memory == plan.memory
    assert found.allocation.buffers == plan.allocation.buffers
    assert _joined(plan.runs) == _joined(found.runs)
    cycles = feed_cycles(found, step_prices(found))[plan.fed_rows - 1 :]
    calls = fed_calls(found)[plan.fed_rows - 1 :]
    assert len(found.pauses) + 1 == len(calls) == len(cycles)
    assert [call.start for call in calls[1:]] == list(found.pauses)
    assert all(a.stop == b.start for a, b in pairwise(calls))
    for runs, taken in zip(calls, cycles, strict=True):
        alone = len(runs) == 1 and found.runs[runs[0]].moves == 1
        assert taken <= most or alone
    assert FEED not in {found.runs[number].step for runs in calls for number in runs}


@pytest.mark.parametrize("seed", [1, 3])
def test_one_call_where_that_is_enough(seed: int) -> None:
    """Without a limit, and with one that everything keeps, the plan is the same object."""
    plan = _plan(seed)
    *_, last = feed_cycles(plan, step_prices(plan))
    assert plan is finished_in_parts(plan, 0) is finished_in_parts(plan, round(1.2 * last))
    assert finished_in_parts(plan, round(last)).pauses


def test_an_input_that_is_there_takes_one_call() -> None:
    """Nothing is divided where no rows are fed."""
    plan = plan_rows(row_net(1), load_target("cortex-m4"))
    assert plan is not None
    assert plan is finished_in_parts(plan, 1)
