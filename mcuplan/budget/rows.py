# SPDX-License-Identifier: Apache-2.0
"""What is alive at each move of a plan, and what runs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from mcuplan.record import Stream
from mcuplan.schedule.program import FEED, Plan
from mcuplan.solvers.packing.bound import most_shared

__all__ = ["Moment", "busiest", "live_by_move", "live_bytes", "streams_of"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A move: which it is, of what step (``FEED``: the input), and the row it makes."""

    move: int
    step: int
    row: int
    live_bytes: int


def live_by_move(plan: Plan) -> tuple[int, ...]:
    """Bytes that must be held at each move, scratch included, over all RAM regions.

    What the output of a run can share with inputs that die there counts once.
    """
    count = sum(run.moves for run in plan.runs)
    buffers, overlaps = plan.allocation.buffers, plan.allocation.overlaps
    change = [0] * (count + 1)
    for buffer in buffers:
        change[min(buffer.live.start, count)] += buffer.nbytes
        change[min(buffer.live.end, count)] -= buffer.nbytes
    live = list(accumulate(change[:-1]))
    problem = plan.allocation.problem
    for number, pairs in overlaps.pairs.items():
        common = sum(most_shared(problem, pair.output, pair.source) for pair in pairs)
        live[plan.run_moves[number][0]] -= min(common, buffers[pairs[0].output].nbytes)
    return tuple(live)


def live_bytes(plan: Plan) -> tuple[int, ...]:
    """The most bytes held at any move of each step."""
    live, most = live_by_move(plan), [0] * len(plan.program.steps)
    for run, (first, end) in zip(plan.runs, plan.run_moves, strict=True):
        if run.step != FEED:
            most[run.step] = max(most[run.step], *live[first:end])
    return tuple(most)


def busiest(plan: Plan) -> Moment:
    """The first move with the most live bytes."""
    live = live_by_move(plan)
    move = max(range(len(live)), key=lambda i: (live[i], -i))
    for run, (first, end) in zip(plan.runs, plan.run_moves, strict=True):
        if first <= move < end:
            return Moment(move, run.step, run.first + move - first, live[move])
    raise ValueError("a plan without runs")


def streams_of(plan: Plan) -> tuple[Stream, ...]:
    """Steps whose runs alternate, with the rows they make and the most bytes held meanwhile.

    Steps that run as a whole are in no stream.
    """
    spans: dict[int, tuple[int, int]] = {}
    for number, run in enumerate(plan.runs):
        first, _ = spans.get(run.step, (number, number))
        spans[run.step] = (first, number)
    groups: list[tuple[list[int], int, int]] = []
    for step, (first, last) in sorted(spans.items(), key=lambda item: (item[1], item[0])):
        if groups and first <= groups[-1][2]:
            steps, begin, end = groups[-1]
            groups[-1] = ([*steps, step], begin, max(end, last))
        else:
            groups.append(([step], first, last))
    return tuple(_stream(plan, steps, first, last) for steps, first, last in groups if last > first)


def _stream(plan: Plan, steps: Sequence[int], first: int, last: int) -> Stream:
    runs = plan.runs[first : last + 1]
    live = live_by_move(plan)[plan.run_moves[first][0] : plan.run_moves[last][1]]
    rows = sum(run.end - run.first for run in runs if run.step != FEED)
    return Stream(tuple(sorted(step for step in steps if step != FEED)), rows, max(live))
