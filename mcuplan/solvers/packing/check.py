# SPDX-License-Identifier: Apache-2.0
"""Proves or refutes a plan; shares no code with the solvers, on purpose."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from mcuplan.solvers.packing.problem import MemoryPlan, Placement, Problem

__all__ = ["PlanError", "check_placements", "check_plan", "check_regions"]


class PlanError(ValueError):
    """A solver made a wrong plan: a bug in mcuplan, never something a user did."""

    def __init__(self, violations: Sequence[str]) -> None:
        self.violations = tuple(violations)
        super().__init__("\n".join(self.violations))


def check_plan(problem: Problem, plan: MemoryPlan, *, capacity: int | None = None) -> None:
    """Raise unless the plan keeps every rule of the problem and claims nothing false.

    Args:
        problem: the buffers and their separations.
        plan: what a solver says.
        capacity: usable bytes of the region, where the arena must fit in one.

    Raises:
        PlanError: lists every violation.
    """
    violations = list(_violations(problem, plan.placements, capacity))
    top = max((p.offset + p.buffer.nbytes for p in plan.placements), default=0)
    if top != plan.arena_bytes:
        violations.append(f"arena: {plan.arena_bytes} B claimed, buffers end at {top} B")
    if not plan.lower_bound_bytes <= plan.arena_bytes or plan.proved_bytes > plan.arena_bytes:
        violations.append(f"arena: {plan.arena_bytes} B is below its own lower bound")
    if plan.optimal and max(plan.proved_bytes, plan.lower_bound_bytes) != plan.arena_bytes:
        violations.append("arena: claimed optimal without a bound that equals it")
    if violations:
        raise PlanError(violations)


def check_placements(
    problem: Problem, placements: Sequence[Placement], *, capacity: int | None = None
) -> None:
    """Raise :class:`PlanError` unless the offsets alone keep every rule of the problem."""
    violations = list(_violations(problem, placements, capacity))
    if violations:
        raise PlanError(violations)


def check_regions(
    problem: Problem, plans: Mapping[str, MemoryPlan], capacities: Mapping[str, int]
) -> None:
    """Raise unless every buffer lies in one region and every region keeps every rule.

    Args:
        problem: all buffers, with different names; what pairs may share counts where both lie
            in one region.
        plans: the arena of each region that holds buffers.
        capacities: bytes that the arena of a region may have, by the region's name.

    Raises:
        PlanError: lists every violation.
    """
    violations = list(_homeless(problem, plans))
    for region, plan in plans.items() if not violations else ():
        if region not in capacities:
            violations.append(f"region {region!r}: there is none of that name")
            continue
        inner = _inside(problem, plan)
        try:
            check_plan(inner, plan, capacity=capacities[region])
        except PlanError as error:
            violations += [f"region {region!r}: {line}" for line in error.violations]
    if violations:
        raise PlanError(violations)


def _homeless(problem: Problem, plans: Mapping[str, MemoryPlan]) -> Iterator[str]:
    """Buffers that are not placed exactly once, and placements of others."""
    placed = Counter(p.buffer for plan in plans.values() for p in plan.placements)
    for index, buffer in enumerate(problem.buffers):
        if placed[buffer] != 1:
            yield f"buffer {index} {buffer.name!r}: placed {placed[buffer]} times"
    for buffer in sorted(placed.keys() - set(problem.buffers), key=lambda b: b.name):
        yield f"buffer {buffer.name!r}: not one of the problem"


def _inside(problem: Problem, plan: MemoryPlan) -> Problem:
    """The part of the problem that a plan places, in the plan's order."""
    where = {placement.buffer.name: at for at, placement in enumerate(plan.placements)}
    names = [buffer.name for buffer in problem.buffers]
    entries = {
        (where[names[low]], where[names[high]]): distance
        for (low, high), distance in problem.separations.items()
        if names[low] in where and names[high] in where
    }
    pinned = {where[names[i]]: at for i, at in problem.pinned.items() if names[i] in where}
    return Problem(tuple(placement.buffer for placement in plan.placements), entries, pinned)


def _violations(
    problem: Problem, placements: Sequence[Placement], capacity: int | None
) -> Iterator[str]:
    if tuple(p.buffer for p in placements) != problem.buffers:
        yield "placements: not the buffers of the problem, each once, in its order"
        return
    for index, placement in enumerate(placements):
        buffer, offset = placement.buffer, placement.offset
        name = f"buffer {index} {buffer.name!r}"
        if offset < 0:
            yield f"{name}: negative offset {offset}"
        if offset % buffer.align:
            yield f"{name}: offset {offset} is not a multiple of {buffer.align}"
        if capacity is not None and offset + buffer.nbytes > capacity:
            yield f"{name}: ends at {offset + buffer.nbytes} B, region has {capacity} B"
    for index, offset in sorted(problem.pinned.items()):
        found = placements[index]
        if found.offset != offset:
            yield f"buffer {index} {found.buffer.name!r}: at {found.offset}, pinned to {offset}"
    yield from _shared_bytes(problem, placements)
    yield from _broken_separations(problem, placements)


def _shared_bytes(problem: Problem, placements: Sequence[Placement]) -> Iterator[str]:
    """Pairs without an entry that share a byte at some step.

    Walks the steps; ``active`` holds (offset, index) of the live buffers in address
    order, so only neighbours in reach of the largest live buffer are compared.
    """
    entries = {frozenset(pair) for pair in problem.separations}
    events: list[tuple[int, int, int]] = []
    for index, placement in enumerate(placements):
        if placement.buffer.nbytes > 0:
            events.append((placement.buffer.live.start, 1, index))
            events.append((placement.buffer.live.end, 0, index))
    reach = max((p.buffer.nbytes for p in placements), default=0)
    active: list[tuple[int, int]] = []
    for _, opens, index in sorted(events):
        low = placements[index].offset
        if not opens:
            del active[bisect_left(active, (low, index))]
            continue
        high = low + placements[index].buffer.nbytes
        at = bisect_left(active, (low - reach, -1))
        while at < len(active) and active[at][0] < high:
            other_low, other = active[at]
            other_high = other_low + placements[other].buffer.nbytes
            if other_high > low and frozenset((index, other)) not in entries:
                yield _pair(placements, other, index, "share bytes")
            at += 1
        insort(active, (low, index))


def _broken_separations(problem: Problem, placements: Sequence[Placement]) -> Iterator[str]:
    """Pairs with an entry of which neither order holds."""
    for first, second in sorted({(min(pair), max(pair)) for pair in problem.separations}):
        one, two = placements[first], placements[second]
        if not (
            one.buffer.live.start < two.buffer.live.end
            and two.buffer.live.start < one.buffer.live.end
        ):
            continue
        distance = two.offset - one.offset
        above = problem.separations.get((first, second), one.buffer.nbytes)
        below = problem.separations.get((second, first), two.buffer.nbytes)
        if distance < above and -distance < below:
            yield _pair(placements, first, second, f"need {above} B up or {below} B down")


def _pair(placements: Sequence[Placement], first: int, second: int, what: str) -> str:
    def one(index: int) -> str:
        placement = placements[index]
        end = placement.offset + placement.buffer.nbytes
        live = placement.buffer.live
        name = placement.buffer.name
        return f"{index} {name!r} at [{placement.offset}, {end}) live [{live.start}, {live.end})"

    return f"buffers {one(first)} and {one(second)}: {what}"
