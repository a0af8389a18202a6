# SPDX-License-Identifier: Apache-2.0
"""Cycles that plans by rows take beside their kernels: finding the next run, taking rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcuplan.ir.work import Work, block_parts
from mcuplan.memory_system import all_stalls
from mcuplan.price.cycles import Expected, calls_timing, expected_cycles
from mcuplan.schedule.program import FEED, Plan, Step

__all__ = [
    "CallCycles",
    "call_cycles",
    "fed_calls",
    "feed_cycles",
    "kernel_cycles",
    "run_cycles",
    "taking_work",
]


@dataclass(frozen=True, slots=True)
class CallCycles:
    """By step: what finding its runs takes, and taking the rows in front of them."""

    runs: Mapping[int, float]
    taking: Mapping[int, float]

    def of_step(self, step: int) -> float:
        """Both together."""
        return self.runs.get(step, 0.0) + self.taking.get(step, 0.0)

    @property
    def error(self) -> float:
        """Cycles that all of it together may be off."""
        known = calls_timing()
        taken = sum(self.taking.values()) * known.taking.max_error
        return sum(self.runs.values()) * known.error + taken


def call_cycles(plan: Plan) -> CallCycles:
    """What a plan takes beside its kernels; nothing without a table of runs."""
    if plan.is_straight:
        return CallCycles({}, {})
    known, fed = calls_timing(), plan.fed_rows
    each = known.fed if fed else known.held
    runs: Counter[int] = Counter()
    taking: Counter[int] = Counter()
    taken = 0.0
    for run in plan.runs:
        if run.step == FEED:
            taken += known.taking.total(taking_work(plan, run.end - run.first, fed))
            continue
        runs[run.step] += each  # type: ignore[assignment]
        taking[run.step] += taken  # type: ignore[assignment]
        taken = 0.0
    return CallCycles(runs, taking)


def kernel_cycles(plan: Plan, step: Step) -> Expected:
    """Modelled cycles of a step, in as many calls as the plan makes of it.

    Of several forms each counts for the share of the rows that its runs make.
    """
    forms = _in_forms(plan, step)
    if len(forms) == 1:
        return forms[0]
    shares = [0.0] * len(forms)
    for number in plan.runs_of[step.index]:
        run = plan.runs[number]
        shares[run.form] += (run.end - run.first) / step.rows
    parts = list(zip(forms, shares, strict=True))
    return Expected(
        sum(one.cycles * share for one, share in parts),
        _worst(one.error for one in forms),
        max(one.ground for one in forms),
        all_stalls(one.stalls.times(share) for one, share in parts),
        _worst(one.stalls_error for one in forms),
    )


def _in_forms(plan: Plan, step: Step) -> list[Expected]:
    """As if all runs of a step took one of its forms, for each of them."""
    target, rows = plan.program.target, plan.rows_per_call(step)
    kernels = (step.kernel, *step.forms)
    return [expected_cycles(kernel, step.signature, target, rows) for kernel in kernels]


def _worst(errors: Iterable[float | None]) -> float | None:
    """The largest; None where one is not known."""
    found = list(errors)
    known = [error for error in found if error is not None]
    return max(known) if len(known) == len(found) else None


def fed_calls(plan: Plan) -> tuple[range, ...]:
    """Numbers of the runs in each call that feeds a row, then in those that finish what is left."""
    calls: list[range] = []
    for number, run in enumerate(plan.runs):
        if run.step == FEED:
            calls += [range(number + 1, number + 1)] * (run.end - run.first)
        elif number in plan.pauses:
            calls.append(range(number, number + 1))
        elif calls:
            calls[-1] = range(calls[-1].start, number + 1)
    return tuple(calls)


def feed_cycles(plan: Plan, by_step: Mapping[int, float]) -> tuple[float, ...]:
    """Cycles of each call of :func:`fed_calls`: a form of a step takes as long for each row.

    Args:
        plan: whose input is fed.
        by_step: cycles of each step, all of its runs and what stands between them.
    """
    return tuple(sum(run_cycles(plan, n, by_step) for n in runs) for runs in fed_calls(plan))


def run_cycles(plan: Plan, number: int, by_step: Mapping[int, float]) -> float:
    """The share of a run in its step: a form takes as long for each row."""
    run = plan.runs[number]
    step = plan.program.steps[run.step]
    share = (run.end - run.first) / max(1, step.rows)
    if step.forms:
        share *= _in_forms(plan, step)[run.form].total / kernel_cycles(plan, step).total
    return by_step[run.step] * share


def taking_work(plan: Plan, rows: int, all_rows: int) -> Work:
    """What taking rows counts, after which steps run: rows are copied, or come as planes."""
    port = plan.program.graph.inputs[0]
    row_bytes = plan.program.graph.tensor(port.tensor).type.nbytes // all_rows
    work = {"row": float(rows), "hook": 1.0}
    if port.planes:
        return work | {"planed": float(rows * row_bytes)}
    return work | block_parts("copied", rows, row_bytes, aligned=row_bytes % 4 == 0)
