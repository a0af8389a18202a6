# SPDX-License-Identifier: Apache-2.0
"""What is left after the last row of a fed input, in calls of bounded work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mcuplan.schedule.accesses import wait_cycles
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.calls import call_cycles, fed_calls, feed_cycles, kernel_cycles, run_cycles
from mcuplan.schedule.program import Plan, Run

__all__ = ["finished_in_parts", "step_prices"]

_SHARE = 0.9  # of the limit that calls use: some rows of a step take longer than others
_ROUNDED = 2.0  # cycles that the report may have more of a step: it rounds its parts


def finished_in_parts(plan: Plan, most: int, *, keep_inputs: bool = False) -> Plan:
    """The plan whose calls after the last row of its input take at most ``most`` cycles each.

    Calls end at runs, and runs that take longer are divided at their moves. A single move that
    takes longer is a call of its own. The plan itself where one call is enough, where ``most``
    is 0, and where no rows are fed.
    """
    if not most or not plan.fed_rows:
        return plan
    prices = step_prices(plan)
    *_, last = feed_cycles(plan, prices)
    aim = int(_SHARE * most)
    if last <= aim:
        return plan
    while True:
        found = _divided(plan, prices, aim)
        now = step_prices(found)  # shorter runs take longer
        if all(now[step] <= prices[step] for step in now):
            check_rows(found, keep_inputs=keep_inputs)
            return found
        prices = {step: max(prices[step], now[step]) for step in now}


def step_prices(plan: Plan) -> dict[int, float]:
    """Cycles of each step as the report has them, at least."""
    calls, waits = call_cycles(plan), wait_cycles(plan)
    found = {}
    for step in plan.program.steps:
        own = kernel_cycles(plan, step)
        beside = calls.of_step(step.index) + waits[step.index]
        found[step.index] = own.total + beside + _ROUNDED
    return found


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a run of the plan, by its number there; ``cycles`` by the prices given."""

    number: int
    run: Run
    cycles: float


def _divided(plan: Plan, prices: Mapping[int, float], most: int) -> Plan:
    """Pauses wherever the next piece of a run would be too much for its call."""
    last = fed_calls(plan)[-1]
    pieces = [_Piece(number, plan.runs[number], 0.0) for number in range(last.start)]
    pauses, taken = [], 0.0
    for number in last:
        for piece in _pieces(plan, number, prices, most):
            if taken and taken + piece.cycles > most:
                pauses.append(len(pieces))
                taken = 0.0
            taken += piece.cycles
            pieces.append(piece)
    scratch = plan.allocation.scratch
    used = {at: scratch[p.number] for at, p in enumerate(pieces) if p.number in scratch}
    return replace(
        plan,
        runs=tuple(piece.run for piece in pieces),
        allocation=replace(plan.allocation, scratch=MappingProxyType(used)),
        pauses=tuple(pauses),
    )


def _pieces(plan: Plan, number: int, prices: Mapping[int, float], most: int) -> Iterator[_Piece]:
    """A run, or parts of about as many moves each that take no longer than ``most``."""
    run = plan.runs[number]
    step = plan.program.steps[run.step]
    row = run_cycles(plan, number, prices) / max(1, run.end - run.first)
    tall = step.kernel.tall if run.moves > 1 else run.end - run.first  # rows of a move
    moves = max(1, min(run.moves, int(most / max(row * tall, 1e-9))))
    parts = -(-run.moves // moves)
    for part in range(parts):
        begin, end = (at * run.moves // parts for at in (part, part + 1))
        first, behind = run.first + begin * tall, min(run.end, run.first + end * tall)
        cut = replace(run, first=first, end=behind, moves=end - begin)
        yield _Piece(number, cut, row * (behind - first))
