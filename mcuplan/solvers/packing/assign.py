# SPDX-License-Identifier: Apache-2.0
"""Which arena each buffer goes to, where there are several: all fit, and accesses cost least.

Buffers are visited in the order in which they start. What was decided about those that are
dead does not matter any more, so the rooms of the open ones are the whole state: the search is
exact for what the live bytes allow, and its cost a lower bound. Where arenas do not pack as
tightly as that, the search is made again with less room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from mcuplan.solvers.packing.occupancy import Occupancy, part
from mcuplan.solvers.packing.pack import pack
from mcuplan.solvers.packing.problem import MemoryPlan, Problem
from mcuplan.units import align_up

__all__ = ["Assignment", "Room", "assign"]

_WIDTH = 2_000  # states that are kept; beyond it the cheapest, and nothing is proved
_STATES = 150_000  # in all, before the search keeps but a few
_FEW = 50
_ROUNDS = 6  # searches with less and less room
_MOVES = 60  # groups that are tried in a better room, each of which packs once
_NODES = 2_000  # of the packer while nothing is decided

_Choice = tuple[int, ...]  # room of each group


@dataclass(frozen=True, slots=True)
class Room:
    """An arena that may be used: how many bytes it may have, what one access to it costs.

    An arena ends at a multiple of the alignment that all buffers have; bytes beyond do not count.
    """

    capacity: int
    cost: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Room of each buffer, the plan of each room that holds any, and what all accesses cost.

    ``lower_bound`` is what they cost at least in every assignment; ``states`` counts the
    partial assignments that the search looked at.
    """

    rooms: tuple[int, ...]
    plans: Mapping[int, MemoryPlan]
    cost: int
    lower_bound: int
    states: int

    @property
    def optimal(self) -> bool:
        """Whether it is proved that no assignment costs less."""
        return self.cost == self.lower_bound


def assign(
    problem: Problem,
    rooms: Sequence[Room],
    accesses: Sequence[int],
    groups: Sequence[int],
    whole: MemoryPlan | None = None,
    *,
    node_limit: int | None = None,
) -> Assignment | None:
    """The assignment that costs least, of those found; None where none was found that fits.

    Never worse than everything in one room, where that fits. Separations count between
    buffers of one room only. Deterministic: limits are counts, no clock.

    Args:
        problem: buffers and separations, as if all lay in one arena.
        rooms: the arenas.
        accesses: of each group.
        groups: group of each buffer, from 0 on; a group stays together.
        whole: the plan of all buffers in one arena, where it is known.
        node_limit: of the packer, for each arena in the end.
    """
    case = _Case(Occupancy(problem, groups), tuple(rooms), tuple(accesses))
    best = _single(case, whole or pack(problem, node_limit=node_limit))
    if not case.may_fit:
        return None
    for order in case.orders():
        best = _refined(case, best, partial(_greedy, case, order))
    search = _RoomSearch(case, best)
    best = _refined(case, best, search.run)
    bound = search.bound if search.bound is not None else _relaxed(case)
    if best is not None and best.cost > bound:
        best = _moved(case, best)
    if best is None:
        return None
    plans = dict(best.plans)
    for room, plan in plans.items():
        plans[room] = plan if plan.optimal else case.better(room, best.choice, plan, node_limit)
    bound = min(bound, best.cost)
    return Assignment(case.by_buffer(best.choice), plans, best.cost, bound, search.states)


@dataclass(frozen=True, slots=True)
class _Case:
    """The question: who needs how much when, the rooms, and the accesses of each group."""

    table: Occupancy
    rooms: tuple[Room, ...]
    accesses: tuple[int, ...]

    @property
    def least(self) -> int:
        """What the accesses cost if there were room for all where it is best."""
        cheapest = min(room.cost for room in self.rooms)
        return sum(count * cheapest for count in self.accesses)

    @property
    def capacities(self) -> tuple[int, ...]:
        """Bytes of the rooms, in whole grains."""
        grain = self.table.grain
        return tuple(max(0, room.capacity) // grain * grain for room in self.rooms)

    @property
    def may_fit(self) -> bool:
        """Whether live bytes do not rule out every assignment at a glance."""
        capacities, table = self.capacities, self.table
        most, total = max(capacities), sum(capacities)
        return all(
            table.load(number, event.open) <= total
            and all(table.load(number, (group,)) <= most for group in event.open)
            for number, event in enumerate(table.events)
        )

    def cost(self, choice: _Choice) -> int:
        """What all accesses cost."""
        return sum(
            count * self.rooms[room].cost for count, room in zip(self.accesses, choice, strict=True)
        )

    def orders(self) -> Iterator[list[int]]:
        """Groups by how much an access saves per byte; by size; by bytes times steps."""
        table, accesses = self.table, self.accesses
        sizes = [sum(table.sizes[i] for i in members) for members in table.members]
        spans = [len(events) for events in table.at]
        every = range(len(accesses))
        yield sorted(every, key=lambda g: (-accesses[g] / max(1, sizes[g]), g))
        yield sorted(every, key=lambda g: (-accesses[g] / max(1, sizes[g] * spans[g]), g))
        yield sorted(every, key=lambda g: (-sizes[g], g))

    def by_buffer(self, choice: _Choice) -> tuple[int, ...]:
        """Room of every buffer."""
        rooms = {i: choice[g] for g, members in enumerate(self.table.members) for i in members}
        return tuple(rooms[i] for i in range(len(rooms)))

    def packed(self, choice: _Choice) -> dict[int, MemoryPlan]:
        """A plan, quickly made, for every room that holds a buffer."""
        return {room: self.pack(room, choice) for room in sorted(set(choice))}

    def pack(self, room: int, choice: _Choice) -> MemoryPlan:
        """A plan, quickly made, for what a choice puts into a room."""
        return pack(self.inside(room, choice), capacity=self.capacities[room], node_limit=_NODES)

    def better(self, room: int, choice: _Choice, plan: MemoryPlan, nodes: int | None) -> MemoryPlan:
        """A plan made with more effort, if that made it smaller or proved more."""
        other = pack(self.inside(room, choice), node_limit=nodes)
        return other if other.arena_bytes <= plan.arena_bytes else plan

    def inside(self, room: int, choice: _Choice) -> Problem:
        """The problem of what a choice puts into a room."""
        groups = [group for group, at in enumerate(choice) if at == room]
        return part(self.table.problem, self.table.buffers_of(groups))


@dataclass(frozen=True, slots=True)
class _Fitting:
    """An assignment whose arenas fit, by group."""

    choice: _Choice
    plans: Mapping[int, MemoryPlan]
    cost: int


def _single(case: _Case, whole: MemoryPlan) -> _Fitting | None:
    """Everything in the room that costs least of those that hold it."""
    best = None
    for room, capacity in enumerate(case.capacities):
        choice = (room,) * len(case.accesses)
        if whole.arena_bytes <= capacity and (best is None or case.cost(choice) < best.cost):
            best = _Fitting(choice, {room: whole} if choice else {}, case.cost(choice))
    return best


def _refined(
    case: _Case, best: _Fitting | None, solve: Callable[[tuple[int, ...]], _Choice | None]
) -> _Fitting | None:
    """Solve, pack, and solve again with less room where an arena came out too large."""
    capacities = case.capacities
    caps = list(capacities)
    for _ in range(_ROUNDS):
        choice = solve(tuple(caps))
        if choice is None or (best is not None and case.cost(choice) >= best.cost):
            return best
        plans = case.packed(choice)
        excess = {r: plan.arena_bytes - capacities[r] for r, plan in plans.items()}
        if max(excess.values(), default=0) <= 0:
            return _Fitting(choice, plans, case.cost(choice))
        for room, over in excess.items():
            if over > 0:
                caps[room] -= align_up(over, case.table.grain)
    return best


def _greedy(case: _Case, order: Sequence[int], caps: Sequence[int]) -> _Choice | None:
    """Each group in the best room whose live bytes leave it space."""
    table = case.table
    inside: list[list[set[int]]] = [[set() for _ in table.events] for _ in case.rooms]
    ranked = sorted(range(len(case.rooms)), key=lambda r: (case.rooms[r].cost, r))
    choice = [-1] * len(case.accesses)
    for group in order:
        for room in ranked:
            held = inside[room]
            together = ((e, tuple(sorted(held[e] | {group}))) for e in table.at[group])
            if all(table.load(event, groups) <= caps[room] for event, groups in together):
                choice[group] = room
                break
        if choice[group] < 0:
            return None
        for event in table.at[group]:
            inside[choice[group]][event].add(group)
    return tuple(choice)


def _moved(case: _Case, best: _Fitting) -> _Fitting:
    """Groups moved one by one to a better room, dearest first, while it can be packed."""
    rooms = case.rooms
    moves = sorted(
        (count * (room.cost - rooms[best.choice[group]].cost), group, r)
        for group, count in enumerate(case.accesses)
        for r, room in enumerate(rooms)
        if count and room.cost < rooms[best.choice[group]].cost
    )
    for _, group, room in moves[:_MOVES]:
        if rooms[room].cost < rooms[best.choice[group]].cost:
            best = _with_move(case, best, group, room)
    return best


def _with_move(case: _Case, found: _Fitting, group: int, room: int) -> _Fitting:
    """The assignment with a group in another room, if that can be packed; else the same."""
    old, table = found.choice[group], case.table
    choice = tuple(room if g == group else at for g, at in enumerate(found.choice))
    for event in table.at[group]:
        there = tuple(sorted(g for g in table.events[event].open if choice[g] == room))
        if table.load(event, there) > case.capacities[room]:
            return found
    plans = dict(found.plans)
    for r in (room, old):
        plans.pop(r, None)
        if r in choice:
            plans[r] = case.pack(r, choice)
            if plans[r].arena_bytes > case.capacities[r]:
                return found
    return _Fitting(choice, plans, case.cost(choice))


_States = dict[_Choice, tuple[int, "_Trail"]]  # cost and way of the cheapest, by rooms
_Trail = tuple["_Trail", int, int] | None  # groups and their rooms, the last first


class _RoomSearch:
    """Rooms of the open groups, event by event, each with the least cost to get there."""

    def __init__(self, case: _Case, best: _Fitting | None) -> None:
        self.case = case
        self.limit = best.cost if best is not None else None
        self.bound: int | None = None  # of every assignment; known after the first run
        self.states = 0
        self._first = True

    def run(self, caps: tuple[int, ...]) -> _Choice | None:
        """The cheapest choice whose live bytes keep within ``caps``; None where none is better."""
        states: _States = {(): (0, None)}
        exact = True
        before: tuple[int, ...] = ()
        for number, event in enumerate(self.case.table.events):
            states = _closed(states, before, event.closing)
            base = len(event.open) - len(event.opening)
            for k, group in enumerate(event.opening):
                states = self._opened(states, number, event.open[: base + k], group, caps)
                width = _WIDTH if self.states < _STATES else _FEW
                exact &= len(states) <= width
                states = _cheapest(states, width)
            if event.grows:
                states = {
                    s: at for s, at in states.items() if self._holds(number, event.open, s, caps)
                }
            before = event.open
        cost, trail = min(states.values(), key=lambda at: at[0], default=(0, None))
        if self._first and exact:
            self.bound = cost if states else self.limit
        self._first = False
        return _walked(trail, len(self.case.accesses)) if states else None

    def _opened(
        self,
        states: _States,
        event: int,
        groups: Sequence[int],
        group: int,
        caps: Sequence[int],
    ) -> _States:
        """Every state with the group in every room that has space."""
        table = self.case.table
        grown: _States = {}
        steps = [room.cost * self.case.accesses[group] for room in self.case.rooms]
        for state, (cost, trail) in states.items():
            for room, more in enumerate(steps):
                if self.limit is not None and cost + more >= self.limit:
                    continue
                held = [g for g, at in zip(groups, state, strict=True) if at == room]
                self.states += 1
                if table.load(event, tuple(sorted((*held, group)))) <= caps[room]:
                    grown[(*state, room)] = (cost + more, (trail, group, room))
        return grown

    def _holds(
        self, event: int, groups: Sequence[int], state: _Choice, caps: Sequence[int]
    ) -> bool:
        """Whether groups that were open before still have space."""
        return all(
            self.case.table.load(
                event, tuple(sorted(g for g, at in zip(groups, state, strict=True) if at == room))
            )
            <= cap
            for room, cap in enumerate(caps)
        )


def _relaxed(case: _Case) -> int:
    """A bound where there are too many rooms: all but the best one as a single one."""
    best, *others = sorted(case.rooms, key=lambda room: room.cost)
    capacity = sum(max(0, room.capacity) for room in others)
    rest = Room(capacity, min((room.cost for room in others), default=best.cost))
    relaxed = replace(case, rooms=(best, rest))
    search = _RoomSearch(relaxed, None)
    search.run(relaxed.capacities)
    return search.bound if search.bound is not None else case.least


def _closed(states: _States, groups: Sequence[int], closing: frozenset[int]) -> _States:
    """States without the groups that are not open any more; of equal ones the cheapest."""
    if not closing:
        return dict(states)
    keep = [k for k, group in enumerate(groups) if group not in closing]
    left: _States = {}
    for state, at in states.items():
        short = tuple(state[k] for k in keep)
        if short not in left or at[0] < left[short][0]:
            left[short] = at
    return left


def _cheapest(states: _States, width: int) -> _States:
    if len(states) <= width:
        return states
    ranked = sorted(states.items(), key=lambda item: (item[1][0], item[0]))
    return dict(ranked[:width])


def _walked(trail: _Trail, count: int) -> _Choice:
    choice = [0] * count
    while trail is not None:
        trail, group, room = trail
        choice[group] = room
    return tuple(choice)
