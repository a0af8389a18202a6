# SPDX-License-Identifier: Apache-2.0
"""Buffers to the RAM regions of a target: what is used most into the fast ones, so that all fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from mcuplan.price.structs import POINTER_BYTES
from mcuplan.schedule.accesses import accesses, buffer_of, wait_cycles
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.plan import directed
from mcuplan.schedule.gaps import Overlaps
from mcuplan.schedule.program import Plan, Spread
from mcuplan.solvers.packing import MemoryPlan, Problem, Region, Room, assign, check_regions
from mcuplan.units import align_up

__all__ = ["spread"]

_ALIGN = 4  # of the size of an arena, as it is emitted


def spread(
    plan: Plan, apart_bytes: int = 0, *, ram_limit: int | None = None, keep_inputs: bool = False
) -> Plan:
    """The plan with its buffers in the regions where waiting for them costs least.

    Everything goes to the best region if it fits there; else the buffers are divided. Better
    is what has fewer wait states, then what lies in the regions that the target names first.
    The plan comes back as it is where nothing was found that fits.

    Args:
        plan: all buffers in one arena.
        apart_bytes: stack and variables, which lie in the target's default RAM.
        ram_limit: bytes that everything in RAM may take together; buffers are not divided
            beyond it where one arena keeps it.
        keep_inputs: inputs are there, unchanged, after the last step.
    """
    regions = [region for region in plan.program.target.ram if region.usable_bytes > 0]
    if len(plan.program.target.ram) < 2 or not regions or not plan.allocation.buffers:
        return plan
    question = _Question.of(plan, regions, apart_bytes)
    single, choice = question.single(), question.best()
    if choice is None:
        return plan
    if single is not None and ram_limit is not None and len(choice.plans) > 1:
        arenas = sum(align_up(memory.arena_bytes, _ALIGN) for memory in choice.plans.values())
        pointers = POINTER_BYTES * (len(choice.plans) - 1)  # of the context
        choice = single if arenas + pointers + apart_bytes > ram_limit else choice
    return _checked(question, choice, keep_inputs=keep_inputs)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Region of every buffer by number, the plans of those used, and what is proved."""

    rooms: tuple[int, ...]
    plans: dict[int, MemoryPlan]
    lower_bound: int


@dataclass(frozen=True, slots=True)
class _Question:
    """A plan in one arena, the regions, and how often each group of buffers is used."""

    plan: Plan
    memory: MemoryPlan
    regions: tuple[Region, ...]
    capacities: tuple[int, ...]
    groups: tuple[int, ...]
    accesses: tuple[int, ...]

    @classmethod
    def of(cls, plan: Plan, regions: Sequence[Region], apart_bytes: int) -> _Question:
        (memory,) = plan.memory.values()
        default = plan.program.target.default_ram
        capacities = tuple(
            max(0, region.usable_bytes - (apart_bytes if region is default else 0))
            for region in regions
        )
        groups = _groups(plan)
        counts = _counts(plan, groups)
        return cls(plan, memory, tuple(regions), capacities, groups, counts)

    @property
    def unit(self) -> int:
        """What a wait state costs: more than all preferences for regions together."""
        return sum(self.accesses) * len(self.regions) + 1

    def cost(self, region: int) -> int:
        """Of one access: wait states first, then the target's order of regions."""
        return self.regions[region].wait_states * self.unit + region

    def problem(self) -> Problem:
        """All buffers as of one arena."""
        return self.plan.allocation.problem

    def single(self) -> _Choice | None:
        """Everything in the best region of those that hold it."""
        size = align_up(self.memory.arena_bytes, _ALIGN)
        fits = [r for r, capacity in enumerate(self.capacities) if size <= capacity]
        if not fits:
            return None
        room = min(fits, key=self.cost)
        least = min(map(self.cost, range(len(self.regions))))
        return _Choice((room,) * len(self.groups), {room: self.memory}, least * sum(self.accesses))

    def best(self) -> _Choice | None:
        """One region if that is as good as any division, else the best division found."""
        single, total = self.single(), sum(self.accesses)
        cost = self.cost(single.rooms[0]) * total if single is not None else None
        if single is not None and cost == single.lower_bound:
            return single
        pointers = POINTER_BYTES * (len(self.regions) - 1)
        default = self.plan.program.target.default_ram
        rooms = [
            Room(capacity - (pointers if region is default else 0), self.cost(r))
            for r, (region, capacity) in enumerate(zip(self.regions, self.capacities, strict=True))
        ]
        assigned = assign(self.problem(), rooms, self.accesses, self.groups, self.memory)
        if assigned is None:
            return single
        if single is not None and cost is not None and cost <= assigned.cost:
            return replace(single, lower_bound=min(cost, assigned.lower_bound))
        return _Choice(assigned.rooms, dict(assigned.plans), assigned.lower_bound)


def _groups(plan: Plan) -> tuple[int, ...]:
    """Group of each buffer: rows of one tensor, and the scratch of one step, stay together.

    Kernels find rows from one address on, by distances of 16 bits that reach no other region.
    States are one block.
    """
    allocation = plan.allocation
    number = {buffer.name: i for i, buffer in enumerate(allocation.buffers)}
    leader = list(range(len(allocation.buffers)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    held = [[slot.buffer for slot in slots] for slots in allocation.rows.values()]
    for runs in plan.runs_of.values():
        held.append([allocation.scratch[run] for run in runs if run in allocation.scratch])
    held.append([allocation.rows[s.read.tensor][0].buffer for s in plan.program.graph.states])
    for buffers in held:
        for buffer in buffers[1:]:
            leader[find(number[buffer])] = find(number[buffers[0]])
    ranks: dict[int, int] = {}
    return tuple(ranks.setdefault(find(i), len(ranks)) for i in range(len(leader)))


def _counts(plan: Plan, groups: Sequence[int]) -> tuple[int, ...]:
    """Modelled accesses of each group."""
    number = {buffer.name: i for i, buffer in enumerate(plan.allocation.buffers)}
    cached = "dcache" in plan.program.target.features
    counts = [0] * (max(groups) + 1)
    for step in plan.program.steps:
        for name, count in accesses(step, cached).items():
            counts[groups[number[buffer_of(plan, step, name)]]] += count
    return tuple(counts)


def _checked(question: _Question, choice: _Choice, *, keep_inputs: bool) -> Plan:
    """The plan of a choice, passed by both checkers."""
    regions = question.regions
    plan = _divided(question.plan, regions, choice)
    waiting = sum(wait_cycles(plan))
    bound = min(waiting, choice.lower_bound // question.unit)
    names = [region.name for region in regions]
    capacities = dict(zip(names, question.capacities, strict=True))
    check_regions(question.problem(), plan.memory, capacities)
    check_rows(plan, keep_inputs=keep_inputs)
    if len(choice.plans) == 1 and choice.rooms[0] == 0:
        return plan
    return replace(plan, spread=Spread(waiting, bound, waiting == bound))


def _divided(plan: Plan, regions: Sequence[Region], choice: _Choice) -> Plan:
    """The plan with an arena in every region that is used; sharing is left inside regions."""
    memory = {region.name: choice.plans[r] for r, region in enumerate(regions) if r in choice.plans}
    arenas = MappingProxyType(memory)
    if len(memory) == 1:
        return replace(plan, memory=arenas)
    rooms, overlaps = choice.rooms, plan.allocation.overlaps
    separations = {
        pair: distance
        for pair, distance in overlaps.separations.items()
        if rooms[pair[0]] == rooms[pair[1]]
    }
    together = {
        step: tuple(pair for pair in pairs if rooms[pair.output] == rooms[pair.source])
        for step, pairs in overlaps.pairs.items()
    }
    pairs = {step: left for step, left in together.items() if left}
    inside = Overlaps(MappingProxyType(separations), MappingProxyType(pairs))
    offsets = {p.buffer.name: p.offset for inner in memory.values() for p in inner.placements}
    numbered = [offsets[buffer.name] for buffer in plan.allocation.buffers]
    return replace(
        plan,
        allocation=replace(plan.allocation, overlaps=inside),
        memory=arenas,
        runs=directed(plan.runs, inside, numbered),
    )
