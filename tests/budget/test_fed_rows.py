# SPDX-License-Identifier: Apache-2.0
"""What the calls of a fed input take, by the model and as counted."""

from __future__ import annotations

from pathlib import Path

from small_nets import small_net

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.record import Evidence, FedRows, Limits, Planned, Request
from mcuplan.targets import load_target

_LIMIT = 1e-4  # seconds


def _planned(folder: Path, limit: float | None) -> Planned:
    path = small_net().save(folder / "net.onnx")
    target = load_target("cortex-m4")
    request = Request(
        path, target, io_layout="nhwc", streaming="input", objective="ram", row_limit_s=limit
    )
    return pipeline.plan(request, sizes_only=True)


def _feed(planned: Planned, calls: tuple[int, ...] = ()) -> FedRows:
    limits = Limits(max_row_latency_s=planned.request.row_limit_s)
    feed = assess(planned, limits, Evidence(calls=calls)).latency.feed
    assert feed is not None
    return feed


def test_calls_that_were_counted_take_the_place_of_shares(tmp_path: Path) -> None:
    """Each call takes what it was counted to take; the first one, which begins, is no row's."""
    planned = _planned(tmp_path, _LIMIT)
    rows, parts = planned.plan.fed_rows, len(planned.plan.pauses)
    assert parts > 1
    calls = [999_999, *(10 + y for y in range(rows)), *(100 + part for part in range(parts))]
    calls[1 + 2] = 7_000
    feed = _feed(planned, tuple(calls))
    assert (rows, 2, 7_000) == (feed.rows, feed.slowest_row, feed.slowest_cycles)
    assert sum(calls[rows:]) == feed.last_cycles
    assert feed.finish is not None
    assert (parts, 100 + parts - 1) == (feed.finish.calls, feed.finish.slowest_cycles)
    assert 0 == feed.finish.over
    calls[-1] = round(_LIMIT * planned.plan.program.target.clock_hz) + 1
    slow = _feed(planned, tuple(calls)).finish
    assert slow is not None
    assert (1, calls[-1]) == (slow.over, slow.slowest_cycles)
    plan, graph = planned.plan, planned.plan.program.graph
    last = {plan.program.steps[run.step].node for run in plan.runs[plan.pauses[-1] :]}
    assert slow.slowest_layer in map(graph.node_name, last)


def test_no_calls_that_finish_without_a_limit(tmp_path: Path) -> None:
    """Then the last row does all that is left, and finishing it takes nothing."""
    planned = _planned(tmp_path, None)
    rows = planned.plan.fed_rows
    feed = _feed(planned, (5, *(10 + y for y in range(rows)), 50))
    assert feed.finish is None
    assert 10 + rows - 1 == feed.last_cycles
    assert _feed(planned).finish is None
