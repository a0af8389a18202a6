# SPDX-License-Identifier: Apache-2.0
"""Cuts an ordering problem where every order passes, and solves the parts.

A step that is an ancestor or a descendant of every other one stands at the same place in
every order. The runs between such steps are problems of their own; the peak is the
largest of theirs, so only those that may exceed what the others need are searched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcuplan.solvers.effort import Effort
from mcuplan.solvers.steps.check import check_sequence
from mcuplan.solvers.steps.cut_bound import least_bytes, trivial_bytes
from mcuplan.solvers.steps.problem import Sequencing
from mcuplan.solvers.steps.search import BestOrder, beam, search

__all__ = ["best_sequence", "segments"]


_BEAM_STEPS = 10_000  # width times steps of the heuristic at most


@dataclass(slots=True)
class _Segment:
    """Steps that may run in different orders, as a problem of its own."""

    steps: tuple[int, ...]
    part: Sequencing
    held: int
    order: tuple[int, ...]  # best known, numbers of the part
    peak: int  # with what is held
    bound: int


def segments(problem: Sequencing) -> Iterator[tuple[int, ...]]:
    """Steps in runs: of those between two runs nothing moves from one to the other."""
    count = problem.count
    ancestors = [mask.bit_count() for mask in problem.ancestors]
    descendants = [mask.bit_count() for mask in problem.descendants]
    run: list[int] = []
    for step in sorted(range(count), key=lambda s: (ancestors[s], s)):
        if ancestors[step] + descendants[step] + 1 == count:
            if run:
                yield tuple(sorted(run))
            yield (step,)
            run = []
        else:
            run.append(step)
    if run:
        yield tuple(sorted(run))


def best_sequence(problem: Sequencing, effort: Effort) -> BestOrder:
    """The order of the steps with the least peak; their own order where that is as good."""
    parts: list[_Segment | tuple[int, ...]] = []
    done, live, floor = 0, problem.live_bytes(0), problem.live_bytes(0)
    for steps in segments(problem):
        if len(steps) == 1:
            floor = max(floor, problem.run(steps[0], done, live)[0])
            parts.append(steps)
        else:
            parts.append(_open(problem, steps, done, live))
        for step in steps:
            _, live = problem.run(step, done, live)
            done |= 1 << step
    floor = max(floor, live)
    found = [part for part in parts if isinstance(part, _Segment)]
    floor, states = _solve(found, floor, effort)
    order = [s for p in parts for s in (_steps(p) if isinstance(p, _Segment) else p)]
    peak = max([floor, *(segment.peak for segment in found)])
    own = tuple(range(problem.count))
    chosen = own if problem.peak(own) <= peak else tuple(order)
    if check_sequence(problem, chosen) > peak:
        raise ValueError("an order of steps needs more than its search said")
    return BestOrder(chosen, peak, floor, states)


def _open(problem: Sequencing, steps: tuple[int, ...], done: int, live: int) -> _Segment:
    part, held = problem.part(steps, done, live)
    own = tuple(range(len(steps)))
    bound = max(trivial_bytes(part, step) for step in own)
    return _Segment(steps, part, held, own, part.peak(own) + held, bound + held)


def _steps(segment: _Segment) -> tuple[int, ...]:
    return tuple(segment.steps[i] for i in segment.order)


def _solve(found: Sequence[_Segment], floor: int, effort: Effort) -> tuple[int, int]:
    """Lower the peaks of the segments as far as the floor; returns what is proved, and states."""
    states = spent = 0
    floor = max([floor, *(segment.bound for segment in found)])
    for segment in found:
        if segment.peak > floor:
            _improve(segment, floor, effort)
    for segment in sorted(found, key=lambda s: (-s.peak, s.steps)):
        if segment.peak > floor:
            segment.bound = max(segment.bound, _cut_bound(segment, floor, effort))
            floor = max(floor, segment.bound)
    for segment in sorted(found, key=lambda s: (-s.peak, s.steps)):
        if segment.peak <= floor:
            continue
        weight = max(1, segment.part.count // 64)
        limit = max(0, effort.states - spent) // weight
        result = search(segment.part, segment.order, floor - segment.held, limit)
        states += result.states
        spent += result.states * weight
        segment.order, segment.peak = result.order, result.peak + segment.held
        floor = max(floor, result.lower_bound + segment.held)
    return floor, states


def _improve(segment: _Segment, floor: int, effort: Effort) -> None:
    """Try the heuristic."""
    width = max(1, min(effort.width, _BEAM_STEPS // segment.part.count))
    order = beam(segment.part, width, max(0, floor - segment.held))
    peak = segment.part.peak(order) + segment.held
    if peak < segment.peak:
        segment.order, segment.peak = order, peak


def _cut_bound(segment: _Segment, floor: int, effort: Effort) -> int:
    """The largest minimum cut over the steps, until it reaches the best known peak."""
    part, bound = segment.part, floor
    steps = sorted(range(part.count), key=lambda s: (-trivial_bytes(part, s), s))
    for step in steps[: effort.cuts // part.count]:
        bound = max(bound, least_bytes(part, step) + segment.held)
        if bound >= segment.peak:
            break
    return bound
