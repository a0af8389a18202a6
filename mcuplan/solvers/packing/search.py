# SPDX-License-Identifier: Apache-2.0
"""Exact search for a placement within a capacity; an answer of "no" is a proof.

Branching: take a section and look at its floor, the lowest offset where an unplaced
member could lie. Either one of the members that can rest there does, or those units
stay empty and the floor rises to the next offset where a member could rest. That is
complete for every section in which nothing can come to lie below an option later, and
the section with the lowest floor is always one. Which section is taken is free: rule
0 takes the fewest branches in proportion to the failures seen there, rule 1 the fewest
branches, rule 2 a forced section first and then the lowest one.

Sections without unplaced members cut what is left into components, which are solved one
by one: when one has no solution, none of the others is tried again.

csrc/search.c is the same, compiled. Every change must be made in both: tests compare
node counts and offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from mcuplan.solvers.packing.state import NONE, Query, State

__all__ = ["Outcome", "Status", "search"]

_POLL_NODES = 2048


class Status(IntEnum):
    """How a search ended."""

    LIMIT = -1
    INFEASIBLE = 0
    FOUND = 1
    STOPPED = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """``offset`` in units where found; ``over``: no capacity below it (units) would do either."""

    status: Status
    nodes: int
    over: int
    offset: tuple[int, ...]


@dataclass(slots=True)
class _Frame:
    begin: int
    end: int
    section: int = 0
    wasted_to: int = 0
    waste: bool = False
    mark: int = 0
    options: list[int] = field(default_factory=list)
    next: int = 0
    parts: list[tuple[int, int]] = field(default_factory=list)
    current: int = 0


def search(query: Query) -> Outcome:
    """Look for a placement; the pure Python twin of the compiled search."""
    walker = _Walker(query)
    status = walker.walk() if walker.state.begin() else Status.INFEASIBLE
    return Outcome(status, walker.nodes, walker.state.over, tuple(walker.state.at))


class _Walker:
    def __init__(self, query: Query) -> None:
        self.query = query
        self.state = State(query)
        self.nodes = 0
        root = _Frame(0, query.table.sections)
        self._split(root)
        self.frames = [root]

    def walk(self) -> Status:
        query, frames = self.query, self.frames
        while True:
            frame = frames[-1]
            if frame.current == len(frame.parts):
                if len(frames) == 1:
                    return Status.FOUND
                frames.pop()
                frames[-1].current += 1
                continue
            if self.nodes >= query.node_limit:
                return Status.LIMIT
            self.nodes += 1
            if self.nodes % _POLL_NODES == 0 and query.poll():
                return Status.STOPPED
            deeper = _Frame(*frame.parts[frame.current])
            if self._enter(deeper) and self._next_branch(deeper):
                frames.append(deeper)
            elif not self._backtrack():
                return Status.INFEASIBLE

    def _backtrack(self) -> bool:
        """Back to the deepest frame that has another branch; false when there is none."""
        while len(self.frames) > 1:
            if self._next_branch(self.frames[-1]):
                return True
            self.frames.pop()
        return False

    def _enter(self, frame: _Frame) -> bool:
        """Enter a component: propagate, choose a section, list its options."""
        if not (self.state.settle(frame.begin, frame.end) and self._choose(frame)):
            return False
        self._collect_options(frame)
        frame.mark = len(self.state.trail)
        return True

    def _choose(self, frame: _Frame) -> bool:
        """Choose the section to branch on; false when one has no option at all."""
        state, best = self.state, (-1, 0)
        for k in range(frame.begin, frame.end):
            if state.lowest[k] == 0 or not self._better(state.lowest[k], k, best):
                continue
            count = self._count_options(k)
            if count < 0:
                continue
            waste, wasted_to = False, NONE
            if self._better(count, k, best):
                wasted_to = self._waste_floor(k)
                waste = wasted_to + state.needed(k) <= state.capacity
                if not waste and wasted_to < NONE:
                    state.too_high(wasted_to + state.needed(k))
            count += waste
            if self._better(count, k, best):
                best = (k, count)
                frame.section, frame.waste, frame.wasted_to = k, waste, wasted_to
                if count == 0:
                    break
        if best[1] == 0:
            state.weight[best[0]] += 1
        return best[1] > 0

    def _better(self, count: int, section: int, best: tuple[int, int]) -> bool:
        rival, rival_count = best
        if rival < 0:
            return True
        floor, weight = self.state.floor, self.state.weight
        fewer = count * weight[rival] < rival_count * weight[section]
        if self.query.rule == 0:
            return fewer
        if self.query.rule == 1:
            return (count, floor[section]) < (rival_count, floor[rival])
        if (count <= 1) != (rival_count <= 1):
            return count <= 1
        if floor[section] != floor[rival]:
            return count > 1 and floor[section] < floor[rival]
        return count > 1 and fewer

    def _count_options(self, section: int) -> int:
        """Members that could lie at the floor of the section now.

        -1 when a buffer yet to be placed could still come to lie below one of them. A
        pinned one leaves no choice.
        """
        state, count, pinned = self.state, 0, False
        floor = state.floor[section]
        for buffer in state.members[section]:
            if state.at[buffer] >= 0 or state.least[buffer] != floor:
                continue
            if min(state.floor[state.first[buffer] : state.last[buffer]]) < floor:
                return -1
            count += state.rests(buffer)
            pinned = pinned or state.pinned[buffer] >= 0
        return 1 if pinned else count

    def _waste_floor(self, section: int) -> int:
        """Next possible floor of a section when nothing lies at its present one."""
        state = self.state
        floor, best = state.floor[section], state.second[section]
        for buffer in state.members[section]:
            if state.at[buffer] >= 0 or state.least[buffer] != floor:
                continue
            if state.pinned[buffer] >= 0:
                return NONE
            if best > floor + 1:
                best = min(best, state.next_rest(buffer, floor, section, NONE))
        return best

    def _collect_options(self, frame: _Frame) -> None:
        state = self.state
        floor = state.floor[frame.section]
        for buffer in state.members[frame.section]:
            if state.at[buffer] >= 0 or state.least[buffer] != floor:
                continue
            if state.pinned[buffer] >= 0:
                frame.options = [buffer]
                return
            if state.rests(buffer) and not self._redundant(frame, buffer):
                frame.options.append(buffer)
        frame.options.sort(key=self.query.rank.__getitem__)

    def _redundant(self, frame: _Frame, buffer: int) -> bool:
        """Whether an option need not be tried.

        A twin is tried already, or it would lie directly on a smaller buffer of the same
        lifetime, and the two could change places.
        """
        state = self.state
        if not state.plain[buffer]:
            return False
        span, size = (state.first[buffer], state.last[buffer]), state.size[buffer]
        end = state.last_offset[buffer] + size

        def alike(other: int) -> bool:
            return state.plain[other] and span == (state.first[other], state.last[other])

        for twin in frame.options:
            same = state.size[twin] == size and state.raised[twin] == state.raised[buffer]
            if same and state.last_offset[twin] + size == end and alike(twin):
                return True
        return any(
            state.at[low] >= 0
            and state.at[low] + state.size[low] == state.least[buffer]
            and state.size[low] < size
            and state.last_offset[low] + state.size[low] >= end
            and alike(low)
            for low, _, _, _ in state.edges[buffer]
        )

    def _split(self, frame: _Frame) -> None:
        """List what is left between the sections of a frame as components, shortest first."""
        state = self.state
        parts: list[tuple[int, int]] = []
        begin = reach = -1
        for k in range(frame.begin, frame.end):
            for buffer in state.by_first[k]:
                if state.at[buffer] >= 0:
                    continue
                if begin >= 0 and k >= reach:
                    parts.append((begin, reach))
                    begin = -1
                begin = k if begin < 0 else begin
                reach = max(reach, state.last[buffer])
        if begin >= 0:
            parts.append((begin, reach))
        frame.parts = sorted(parts, key=lambda part: part[1] - part[0])
        frame.current = 0

    def _leave_empty(self, frame: _Frame) -> bool:
        """The branch where nothing lies at the floor of the section."""
        state, section = self.state, frame.section
        floor = state.floor[section]
        for buffer in state.members[section]:
            if state.at[buffer] >= 0 or state.least[buffer] > floor:
                continue
            level = state.next_rest(buffer, floor, section, frame.wasted_to)
            if not state.raise_least(buffer, max(level, frame.wasted_to)):
                return False
            state.set(state.raised, buffer, 1)
        return True

    def _next_branch(self, frame: _Frame) -> bool:
        """Take back the last branch, make the next one that is not refuted at once."""
        state = self.state
        while True:
            state.undo(frame.mark)
            if frame.next < len(frame.options):
                buffer = frame.options[frame.next]
                frame.next += 1
                made = state.place(buffer, state.least[buffer])
            elif frame.waste:
                frame.waste = False
                made = self._leave_empty(frame)
            else:
                state.weight[frame.section] += 1
                return False
            if made:
                self._split(frame)
                return True
