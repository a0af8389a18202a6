# SPDX-License-Identifier: Apache-2.0
"""What little effort gives: the first plan that fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.plan_facts import FitsAsAWhole
from mcuplan.record import Limits, Planned, Request, Status
from mcuplan.schedule.kernels.objective import plan_cycles
from mcuplan.schedule.planning.rating import Rating, apart_bytes
from mcuplan.targets import load_target

_MODEL = Path(__file__).parents[2] / "models" / "digits_dscnn" / "model.onnx"
_Within = Callable[..., Planned]


@pytest.fixture(scope="module")
def within() -> _Within:
    """The digits network, planned for so much RAM in all."""
    target = replace(load_target("cortex-m4"), backend="auto")
    begun = pipeline.begin(Request(_MODEL, target, effort="fast"), sizes_only=True)

    def planned(room: int | None = None, **asked: object) -> Planned:
        request = replace(begun.request, ram_limit=room, **asked)
        return pipeline.plan_begun(replace(begun, request=request), target)

    return planned


def test_whole_steps_that_fit_are_enough(within: _Within) -> None:
    """Nothing is divided that fits, and no kernel is a slower one."""
    plan = within().plan
    assert plan.is_straight
    assert FitsAsAWhole() == plan.as_a_whole
    longer = within(effort="normal", streaming="off").plan
    assert plan_cycles(plan) <= plan_cycles(longer)
    assert longer.arena_bytes <= plan.arena_bytes
    assert longer.selected is not None
    assert not longer.selected.first


def test_what_fits_in_less_does_so_in_rows(within: _Within) -> None:
    """Down to what no order of rows needs less than, plans keep the room or leave it open."""
    whole = within().plan
    most, fitting = whole.arena_bytes + apart_bytes(whole), []
    for room in range(most, 0, -most // 12):
        planned = within(room)
        plan, fits = planned.plan, Rating(room).fits(planned.plan)
        assert plan.selected is not None
        report = assess(planned, Limits(max_ram=room))
        hints = [f.hint for f in report.verdict.findings if f.code == "ram/over-budget"]
        assert fits is (report.verdict.status is Status.FITS)
        assert fits is not bool(hints)
        assert fits is plan.selected.first
        if fits:
            fitting.append(plan)
        assert [plan.selected.open_] == ["--effort normal" in hint for hint in hints] or fits
    assert fitting[0].is_straight
    assert not fitting[-1].is_straight
    assert fitting[-1].arena_bytes < 0.6 * whole.arena_bytes
    assert not plan.selected.open_  # a single row needs more than that


def test_rows_are_not_looked_for_where_they_are_not_asked_for(within: _Within) -> None:
    """Whole steps over the RAM stay whole, and that more effort may fit is said."""
    plan = within(2048, streaming="off").plan
    assert plan.is_straight
    assert plan.selected is not None
    assert plan.selected.open_
