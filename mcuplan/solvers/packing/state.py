# SPDX-License-Identifier: Apache-2.0
"""A partial placement of the exact search, and what follows from it.

Every placed buffer lies at its final offset. ``least`` is where an unplaced one can lie
at the lowest, ``floor`` of a section the smallest ``least`` of its unplaced members.
Only *resting* placements are looked for: every buffer lies at 0 or directly on another
one. That loses nothing, since in any placement buffers can be let down until they rest.
``raised`` buffers owe their ``least`` to a branch that left room empty rather than to
a buffer below; they are moved up to where they can rest.

csrc/state.c is the same, compiled. Every change must be made in both.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

from mcuplan.solvers.packing.table import Table

__all__ = ["NONE", "Query", "State"]

NONE = (2**63 - 1) // 4


@dataclass(frozen=True, slots=True)
class Query:
    """One search for a placement within a capacity.

    ``rule`` chooses the section to branch on (search.py), smaller ``rank`` goes first
    there; ``weight`` counts failures per section and is kept between searches. ``poll``
    is asked now and then; true stops the search.
    """

    table: Table
    last_offset: array[int]
    rank: array[int]
    weight: array[int]
    rule: int
    node_limit: int
    poll: Callable[[], bool]

    @property
    def capacity(self) -> int:
        """Units: no buffer can end higher than this."""
        return max(map(sum, zip(self.last_offset, self.table.size, strict=True)))


class State:
    """Propagation; see the module's docstring."""

    def __init__(self, query: Query) -> None:
        table = query.table
        self.table, self.capacity = table, query.capacity
        self.last_offset, self.weight = query.last_offset, query.weight
        self.size, self.first, self.last = list(table.size), list(table.first), list(table.last)
        self.align, self.pinned = list(table.align), list(table.pinned)
        count, sections = table.count, table.sections
        self.over = 2**63 - 1
        self.at, self.least, self.raised = [-1] * count, [0] * count, [0] * count
        self.rest, self.floor, self.second = [0] * sections, [0] * sections, [0] * sections
        self.lowest, self.top, self.sharing = [0] * sections, [0] * sections, [0] * sections
        self.trail: list[tuple[list[int], int, int]] = []
        self.dirty = list(range(sections))
        self.is_dirty = [True] * sections
        self.members: list[list[int]] = [[] for _ in range(sections)]
        self.by_first: list[list[int]] = [[] for _ in range(sections)]
        for i in range(count):
            self.by_first[self.first[i]].append(i)
            for k in range(self.first[i], self.last[i]):
                self.members[k].append(i)
                self.rest[k] += self.size[i]
        self._classify()
        for i in range(count):
            self.least[i] = max(0, self.pinned[i])

    def _classify(self) -> None:
        table = self.table
        self.edges: list[list[tuple[int, int, int, int]]] = []
        self.ties, self.plain = [False] * table.count, [a == 1 for a in self.align]
        self.special = False
        for i in range(table.count):
            self.plain[i] = self.plain[i] and self.pinned[i] < 0
            span = slice(table.edge_start[i], table.edge_start[i + 1])
            arrays = (table.edge_to, table.edge_above, table.edge_below, table.edge_shared)
            edges = list(zip(*(each[span] for each in arrays), strict=True))
            self.edges.append(edges)
            for other, above, below, shared in edges:
                if above != self.size[i] or below != self.size[other]:
                    self.plain[i] = False
                if above == 0 or below == 0 or self.pinned[other] >= 0:
                    self.ties[i] = True
                if shared > 0 and i < other:
                    self.special = True
                    for k in self._common(i, other):
                        self.sharing[k] += shared

    def _common(self, one: int, two: int) -> range:
        return range(max(self.first[one], self.first[two]), min(self.last[one], self.last[two]))

    def set(self, cells: list[int], at: int, value: int) -> None:
        """Change a cell so that :meth:`undo` can take it back."""
        self.trail.append((cells, at, cells[at]))
        cells[at] = value

    def undo(self, mark: int) -> None:
        """Back to the state in which the trail had ``mark`` entries."""
        trail = self.trail
        while len(trail) > mark:
            cells, at, old = trail.pop()
            cells[at] = old
        while self.dirty:
            self.is_dirty[self.dirty.pop()] = False

    def _touch(self, buffer: int) -> None:
        for k in range(self.first[buffer], self.last[buffer]):
            if not self.is_dirty[k]:
                self.is_dirty[k] = True
                self.dirty.append(k)

    def too_high(self, needed: int) -> bool:
        """Note a capacity that would have been enough here; always false."""
        self.over = min(self.over, needed)
        return False

    def _aligned(self, buffer: int, offset: int) -> int:
        align = self.align[buffer]
        return -(-offset // align) * align

    def _hop(self, buffer: int, offset: int) -> int:
        """Lowest offset from ``offset`` up that no placed or pinned partner forbids.

        Others placed need no look: nothing is placed that one could come to lie below.
        """
        moved = self.ties[buffer]
        while moved:
            moved = False
            for other, above, below, _ in self.edges[buffer]:
                placed = max(self.at[other], self.pinned[other])
                if placed >= 0 and placed - above < offset < placed + below:
                    offset = self._aligned(buffer, placed + below)
                    moved = True
        return offset

    def raise_least(self, buffer: int, offset: int) -> bool:
        """The buffer lies at ``offset`` or higher; false when it cannot."""
        offset = self._hop(buffer, self._aligned(buffer, offset))
        if offset <= self.least[buffer]:
            return True
        if offset > self.last_offset[buffer]:
            return self.pinned[buffer] < 0 and self.too_high(offset + self.size[buffer])
        self.set(self.least, buffer, offset)
        self._touch(buffer)
        return True

    def rests(self, buffer: int) -> bool:
        """Whether the buffer, at its least offset, would rest on something or is pinned."""
        offset = self.least[buffer]
        if offset == 0 or not self.raised[buffer]:
            return True
        for other, _, below, _ in self.edges[buffer]:
            placed = self.at[other]
            if placed >= 0:
                if self._aligned(buffer, placed + below) == offset:
                    return True
            elif below == 0 and self.least[other] == offset:
                return True
        return False

    def next_rest(self, buffer: int, start: int, section: int, floor: int) -> int:
        """Least offset above ``start`` where the buffer could rest on another one.

        Unplaced members of ``section`` count as lying at ``floor`` or higher.
        """
        best = NONE
        for other, _, below, _ in self.edges[buffer]:
            base = max(self.at[other], self.pinned[other])
            if base >= 0:
                if base + below <= start:
                    continue
            else:
                base = self.least[other]
                if base < floor and self.first[other] <= section < self.last[other]:
                    base = floor
            best = min(best, base + below)
        return best if best > start else start + 1

    def place(self, buffer: int, offset: int) -> bool:
        """Fix a buffer; false when another one no longer fits."""
        size = self.size[buffer]
        self.set(self.at, buffer, offset)
        for k in range(self.first[buffer], self.last[buffer]):
            self.set(self.rest, k, self.rest[k] - size)
            if self.special and self.top[k] < offset + size:
                self.set(self.top, k, offset + size)
        self._touch(buffer)
        for other, above, below, shared in self.edges[buffer]:
            if self.at[other] >= 0:
                if shared > 0:
                    for k in self._common(buffer, other):
                        self.set(self.sharing, k, self.sharing[k] - shared)
            elif self.least[other] > offset - below and not self.raise_least(other, offset + above):
                return False
        return True

    def needed(self, section: int) -> int:
        """Units that the unplaced members of a section add at least."""
        return self.rest[section] - min(self.sharing[section], self.table.most_saved[section])

    def _fits_late(self, section: int, saved: int) -> bool:
        """Members that lie at some height or above must fit between it and the capacity."""
        floor = self.floor[section]
        late = [
            (self.least[i], self.size[i])
            for i in self.members[section]
            if self.at[i] < 0 and self.least[i] != floor
        ]
        late.sort(key=lambda item: -item[0])
        total = -saved
        for least, size in late:
            total += size
            if least + total > self.capacity:
                return self.too_high(least + total)
        return True

    def _refresh_section(self, section: int) -> bool:
        unplaced = [i for i in self.members[section] if self.at[i] < 0]
        levels = [self.least[i] for i in unplaced]
        floor = min(levels, default=NONE)
        lowest = levels.count(floor)
        second = min((level for level in levels if level != floor), default=NONE)
        for cells, value in ((self.floor, floor), (self.second, second), (self.lowest, lowest)):
            if cells[section] != value:
                self.set(cells, section, value)
        if lowest == 0:
            return True
        base = max(floor, self.top[section]) if self.special else floor
        end = base + self.needed(section)
        highest = self.capacity  # where buffers share, a placed one may stay the topmost
        if not self.special:
            highest = max(self.last_offset[i] + self.size[i] for i in unplaced)
        if end > highest:
            return self.too_high(end)
        return self._fits_late(section, self.rest[section] - self.needed(section))

    def begin(self) -> bool:
        """Take note of what is pinned; false when there is no placement."""
        fits = all([self.raise_least(i, 0) for i in range(self.table.count)]) and self.refresh()
        for last, size in zip(self.last_offset, self.size, strict=True):
            if last < 0:
                fits = self.too_high(size)
        return fits

    def refresh(self) -> bool:
        """Bring the sections touched since the last time up to date; false: no way on."""
        ok = True
        while self.dirty:
            section = self.dirty.pop()
            self.is_dirty[section] = False
            if ok and not self._refresh_section(section):
                self.weight[section] += 1
                ok = False
        return ok

    def settle(self, begin: int, end: int) -> bool:
        """Refresh, and move raised buffers up to where they can rest."""
        changed = True
        while changed:
            if not self.refresh():
                return False
            changed = False
            for k in range(begin, end):
                for buffer in self.by_first[k]:
                    if self.at[buffer] >= 0 or self.rests(buffer):
                        continue
                    level = self.next_rest(buffer, self.least[buffer] - 1, -1, 0)
                    if level > self.least[buffer]:
                        if not self.raise_least(buffer, level):
                            return False
                        changed = True
        return True
