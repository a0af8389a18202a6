# SPDX-License-Identifier: Apache-2.0
"""What the calls take that feed rows of the input, and those that finish what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcuplan.record import FedRows, FinishingCalls, LayerRow, Limits
from mcuplan.schedule.calls import fed_calls, feed_cycles, run_cycles
from mcuplan.schedule.program import Plan

__all__ = ["fed_rows"]


def fed_rows(
    layers: Sequence[LayerRow], plan: Plan, limits: Limits, counted: Sequence[int] = ()
) -> FedRows | None:
    """What the rows of a fed input bring; None where it is there from the start.

    Args:
        layers: of the report, one for each step.
        plan: whose input is fed.
        limits: of the user.
        counted: cycles of each call of a sample, begin first, where they were counted; what they
            wait for RAM comes on top. Else a step takes as long for each of its rows.
    """
    if not plan.fed_rows:
        return None
    by_step = {row.index: float(row.all_cycles) for row in layers}
    calls = list(feed_cycles(plan, by_step))
    if len(counted) > len(calls):
        waited = feed_cycles(plan, {row.index: float(row.wait_cycles) for row in layers})
        calls = [own + wait for own, wait in zip(counted[1:], waited, strict=False)]
    rows, last = calls[: plan.fed_rows - 1], calls[plan.fed_rows - 1 :]
    slowest, clock = max(range(len(rows)), key=lambda y: rows[y]), plan.program.target.clock_hz
    return FedRows(
        rows=plan.fed_rows,
        slowest_row=slowest,
        slowest_cycles=round(rows[slowest]),
        slowest_seconds=rows[slowest] / clock,
        last_cycles=round(sum(last)),
        last_seconds=sum(last) / clock,
        budget_seconds=limits.max_row_latency_s,
        finish=_finishing(last, layers, plan, by_step, limits) if plan.pauses else None,
    )


def _finishing(
    last: Sequence[float],
    layers: Sequence[LayerRow],
    plan: Plan,
    by_step: Mapping[int, float],
    limits: Limits,
) -> FinishingCalls:
    """The call with the last row, and those after it."""
    slowest, clock = max(range(len(last)), key=lambda at: last[at]), plan.program.target.clock_hz
    runs = fed_calls(plan)[plan.fed_rows - 1 + slowest]
    longest = max(runs, key=lambda number: run_cycles(plan, number, by_step))
    limit = limits.max_row_latency_s
    return FinishingCalls(
        calls=len(last) - 1,
        slowest_cycles=round(last[slowest]),
        slowest_seconds=last[slowest] / clock,
        slowest_layer=layers[plan.runs[longest].step].name,
        slowest_alone=len(runs) == 1 and plan.runs[longest].moves == 1,
        over=0 if limit is None else sum(cycles / clock > limit for cycles in last),
    )
