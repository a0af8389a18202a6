# SPDX-License-Identifier: Apache-2.0
"""How many bytes groups of buffers need together, step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mcuplan.solvers.packing.bound import most_saved, partners_of
from mcuplan.solvers.packing.problem import Problem
from mcuplan.units import align_up

__all__ = ["Event", "Occupancy", "part"]


@dataclass(frozen=True, slots=True)
class Event:
    """A step where buffers start: groups that are open, of these the new ones, those that close.

    A group is open from the start of its first buffer to the end of its last; ``closing``
    are those that were open at the event before and are not any more.
    """

    open: tuple[int, ...]  # in the order in which they opened
    opening: tuple[int, ...]
    closing: frozenset[int]
    grows: bool  # a buffer starts in a group that was open before


class Occupancy:
    """Bytes of groups at every event. Read only but for what it remembers.

    ``grain`` divides every offset. Sizes are rounded up to it.
    """

    def __init__(self, problem: Problem, groups: Sequence[int]) -> None:
        buffers = problem.buffers
        self.problem = problem
        self.grain = math.gcd(*(buffer.align for buffer in buffers)) or 1
        self.sizes = [align_up(buffer.nbytes, self.grain) for buffer in buffers]
        self.members: list[list[int]] = [[] for _ in range(max(groups, default=-1) + 1)]
        for index, group in enumerate(groups):
            self.members[group].append(index)
        self._partners = partners_of(problem)
        self._bytes: list[dict[int, int]] = []
        self._sharing: list[dict[int, list[int]]] = []
        self._loads: list[dict[tuple[int, ...], int]] = []
        self.events = tuple(self._walk(groups))
        self.at: list[list[int]] = [[] for _ in self.members]  # events of each group
        for number, event in enumerate(self.events):
            for group in event.open:
                self.at[group].append(number)

    def _walk(self, groups: Sequence[int]) -> list[Event]:
        buffers = self.problem.buffers
        first = [min(buffers[i].live.start for i in group) for group in self.members]
        last = [max(buffers[i].live.end for i in group) for group in self.members]
        starting: dict[int, list[int]] = {}
        for index, buffer in enumerate(buffers):
            starting.setdefault(buffer.live.start, []).append(index)
        alive: list[int] = []
        before: tuple[int, ...] = ()
        events = []
        for step in sorted(starting):
            alive = [i for i in alive if buffers[i].live.end > step] + starting[step]
            opening = sorted({groups[i] for i in starting[step] if first[groups[i]] == step})
            kept = tuple(group for group in before if last[group] > step)
            grows = any(first[groups[i]] < step for i in starting[step])
            closing = frozenset(before) - frozenset(kept)
            before = (*kept, *opening)
            events.append(Event(before, tuple(opening), closing, grows))
            self._note(alive, groups)
        return events

    def _note(self, alive: Sequence[int], groups: Sequence[int]) -> None:
        """Bytes of every group at an event, and its buffers that may share some."""
        sums: dict[int, int] = {}
        sharing: dict[int, list[int]] = {}
        here = set(alive)
        for index in alive:
            sums[groups[index]] = sums.get(groups[index], 0) + self.sizes[index]
            if any(other in here for other in self._partners.get(index, ())):
                sharing.setdefault(groups[index], []).append(index)
        self._bytes.append(sums)
        self._sharing.append(sharing)
        self._loads.append({})

    def load(self, event: int, together: tuple[int, ...]) -> int:
        """Bytes that every placement of these groups in one arena needs at an event."""
        known = self._loads[event]
        if together not in known:
            sums, sharing = self._bytes[event], self._sharing[event]
            total = sum(sums.get(group, 0) for group in together)
            sharers = [i for group in together for i in sharing.get(group, ())]
            if len(sharers) > 1:
                total -= most_saved(self.problem, sharers, self._partners, self.grain)
            known[together] = total
        return known[together]

    def buffers_of(self, groups: Sequence[int]) -> list[int]:
        """The buffers of some groups, in their order."""
        return sorted(index for group in groups for index in self.members[group])


def part(problem: Problem, members: Sequence[int]) -> Problem:
    """The problem of some of the buffers, in the order given."""
    number = {index: k for k, index in enumerate(members)}
    entries = {
        (number[low], number[high]): distance
        for (low, high), distance in problem.separations.items()
        if low in number and high in number
    }
    pinned = {number[index]: at for index, at in problem.pinned.items() if index in number}
    return Problem(tuple(problem.buffers[i] for i in members), entries, pinned)
