# SPDX-License-Identifier: Apache-2.0
"""The order of row moves with the least peak: a search over states, best first.

States are vectors of moves done (row_state.py); the bytes that exist in them are submodular:
what a move adds falls as more is done. Four consequences keep the search small.

Only what is needed: between one death of a cell and the next, moves only add, so all that
the next death does not need can wait. From a state the search goes to the nearest states in
which another cell is dead, and only to those on whose way no other cell dies.

Safe at once: if such a step fits under the peak that is needed anyway and leaves no more
bytes than there were, everything else can come after it.

The peak grows only when it must: what fits is searched to the end before the limit rises to
the least peak that was put off. So the limit is a lower bound at any time.

Left behind: a state U is dropped when a state V was reached that has all that U has done,
and no state between them has fewer bytes than V. Any way on from U works from V as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from mcuplan.solvers.rows.least import least_between
from mcuplan.solvers.rows.state import Ints, RowTables

__all__ = ["Found", "search"]

_PART = -2  # the way to a state is part of that to another


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        moves: an order, as step indices; empty if there is none.
        limit: what the search went up to; all orders below were ruled out if it is exact and
            started at a bound.
        over: there is nothing left to look at.
        states: how many were looked at.
    """

    moves: tuple[int, ...]
    limit: int
    over: bool
    states: int


@dataclass(frozen=True, slots=True)
class _Way:
    """A step from a state to one in which another cell is dead."""

    state: Ints
    live: int
    peak: int
    last: int  # step whose move comes last


def search(
    tables: RowTables,
    *,
    start: int,
    end: int,
    states: int,
    exact: bool = True,
    stop: Callable[[], bool] | None = None,
) -> Found:
    """Look for the order with the least peak.

    Args:
        tables: the graph.
        start: a peak that does no harm: a lower bound, or a limit that is good enough.
        end: a peak that is of no use.
        states: how many to look at.
        exact: prove that what is dropped is not needed; otherwise finding nothing proves
            nothing.
        stop: asked now and then whether to stop.
    """
    return _Search(tables, max(start, tables.start_bytes + tables.idle_bytes), end, exact).run(
        states, stop
    )


@dataclass(slots=True)
class _Search:
    tables: RowTables
    limit: int
    end: int
    exact: bool
    ways: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)  # -> (from, last step)
    open: list[tuple[Ints, int]] = field(default_factory=list)
    later: list[tuple[int, int, _Way, bytes]] = field(default_factory=list)
    ticks: int = 0

    def run(self, states: int, stop: Callable[[], bool] | None) -> Found:
        tables = self.tables
        passed = _Passed(tables, self.exact)
        start = np.zeros(tables.steps, np.int64)
        self.ways[start.tobytes()] = (b"", -1)
        self.open.append((start, tables.start_bytes))
        count = 0
        while self.limit < self.end and (self.open or self._raise_limit()):
            state, live = self.open.pop()
            ahead = passed.ahead(state, live)
            if ahead is not None:
                self._detour(*ahead)
                continue
            count += 1
            if count > states or (stop is not None and count % 64 == 0 and stop()):
                return Found((), self.limit, False, count)
            end = self._go_on(state, live)
            if end is None:
                continue
            state, live = end
            if (state == tables.totals).all():
                return Found(self._moves(), self.limit, True, count)
            passed.add(state, live)
        return Found((), self.limit, True, count)

    def _go_on(self, state: Ints, live: int) -> tuple[Ints, int] | None:
        """Take all safe steps, then put the others on the lists.

        Returns:
            The state where no step is safe; None where it is known.
        """
        while True:
            ways = _ways(self.tables, state, live)
            safe = [way for way in ways if way.live <= live and way.peak <= self.limit]
            if not safe:
                break
            way = min(safe, key=lambda way: way.live)
            if not self._enter(way, state.tobytes()):
                return None
            state, live = way.state, way.live
        own = state.tobytes()
        for way in sorted(ways, key=lambda way: way.live - way.peak):
            if way.peak > self.limit:
                self.ticks += 1
                heappush(self.later, (way.peak, self.ticks, way, own))
            elif self._enter(way, own):
                self.open.append((way.state, way.live))
        return state, live

    def _enter(self, way: _Way, origin: bytes) -> bool:
        key = way.state.tobytes()
        if key in self.ways:
            return False
        self.ways[key] = (origin, way.last)
        return True

    def _detour(self, passed: Ints, state: Ints) -> None:
        """Also look at a state on the way to one that was passed."""
        key = state.tobytes()
        if key not in self.ways:
            self.ways[key] = (passed.tobytes(), _PART)
            live = int(self.tables.live(state, self.tables.dead(state)))
            self.open.append((state, live))

    def _raise_limit(self) -> bool:
        """Go on with the steps that were put off because of their peak."""
        if not self.later:
            self.limit = self.end
        while self.later and (self.later[0][0] <= self.limit or not self.open):
            peak, _, way, origin = heappop(self.later)
            self.limit = max(self.limit, peak)
            if self._enter(way, origin):
                self.open.append((way.state, way.live))
        self.open.sort(key=lambda item: int(item[0].sum()))
        return bool(self.open)

    def _moves(self) -> tuple[int, ...]:
        """The moves on the way to the end."""
        path: list[tuple[Ints, int]] = []
        key = self.tables.totals.tobytes()
        while key:
            origin, last = self.ways[key]
            path.append((np.frombuffer(key, np.int64), last))
            key = origin
        moves: list[int] = []
        done = np.zeros_like(self.tables.totals)
        for state, last in reversed(path):
            if last == _PART:
                moves = _first(moves, state)
            else:
                counts = state - done
                counts[last] -= last >= 0
                moves += np.repeat(np.arange(len(counts)), counts).tolist()
                moves += [last] * (last >= 0)
            done = state
        return tuple(moves)


def _first(moves: list[int], state: Ints) -> list[int]:
    """Of each step as many moves as the state has."""
    rest = state.tolist()
    kept = []
    for s in moves:
        if rest[s]:
            rest[s] -= 1
            kept.append(s)
    return kept


def _ways(tables: RowTables, state: Ints, live: int) -> list[_Way]:
    """The nearest states in which another cell is dead."""
    dead = tables.dead(state)
    following = tables.chain_start[:-1] + dead
    active = np.nonzero(following < tables.chain_start[1:])[0]
    if not len(active):
        return _rest(tables, state, live)
    cells = following[active]
    states = np.maximum(tables.target[cells], state)
    sizes = states.sum(axis=1)
    after = tables.dead(states)
    kills = after[:, active] > dead[active]
    earlier = kills & (sizes < sizes[:, None])
    number = np.arange(len(active))
    same = kills & (sizes == sizes[:, None]) & (number < number[:, None])
    mixed = earlier.any(axis=1)
    kept = np.nonzero(~same.any(axis=1) & (~mixed | tables.joint[cells]))[0]
    lives = tables.live(states, after).tolist()
    made = (tables.grown(states) - tables.grown(state)).tolist()
    several = (sizes > state.sum() + 1).tolist()
    ways = []
    for k in kept.tolist():
        ends = [(s, i) for s, i in tables.ends[cells[k]] if state[s] <= i]
        if mixed[k]:  # what dies earlier on the way must die with the last move
            dying = states[earlier[k]]
            ends = [(s, i) for s, i in ends if (dying[:, s] > i).all()]
        peaks = [_peak(tables, after[k], end, live + made[k], several[k]) for end in ends]
        if peaks:
            peak, last = min(peaks)
            ways.append(_Way(states[k], lives[k], peak, last))
    return ways


def _rest(tables: RowTables, state: Ints, live: int) -> list[_Way]:
    """The way to the end when all cells are dead."""
    if (state == tables.totals).all():
        return []
    full = live + int(tables.grown(tables.totals) - tables.grown(state))
    return [_Way(tables.totals, full, full + tables.least_extra, -1)]


def _peak(
    tables: RowTables, after: Ints, last: tuple[int, int], full: int, several: bool
) -> tuple[int, int]:
    """Peak of a way by its last move, and its step; ``full`` is live if nothing died."""
    s, i = last
    saved = 0
    for cell, nbytes in tables.saves.get(last, ()):
        if tables.rank[cell] < after[tables.chain[cell]]:
            saved += nbytes
    peak = full + tables.extra[s][i] - saved
    if several:
        peak = max(peak, full - tables.allocated[s][i] + tables.least_extra)
    return peak, s


class _Passed:
    """States that were looked at, and which others they leave behind."""

    def __init__(self, tables: RowTables, exact: bool) -> None:
        self._tables = tables
        self._exact = exact
        self._states = np.zeros((0, tables.steps), np.int32)
        self._low = np.zeros((0, tables.steps), np.int32)  # no state up to it has fewer bytes
        self._live = np.zeros(0, np.int64)
        self._size = np.zeros(0, np.int64)
        self._count = 0

    def add(self, state: Ints, live: int) -> None:
        """Note a state without safe steps."""
        if self._count == len(self._live):
            self._states, self._low, self._live, self._size = (
                np.concatenate([old, np.zeros((max(1024, len(old)), *old.shape[1:]), old.dtype)])
                for old in (self._states, self._low, self._live, self._size)
            )
        self._states[self._count] = self._low[self._count] = state
        self._live[self._count] = live
        self._size[self._count] = state.sum()
        self._count += 1

    def ahead(self, state: Ints, live: int) -> tuple[Ints, Ints] | None:
        """A state passed that has all that this one has, and no more bytes.

        Returns:
            It, and the state between them that leaves this one behind: the same, or one
            with fewer bytes.
        """
        found = self._above(state, live)
        if not len(found):
            return None
        proved = self._low[found]
        known = found if not self._exact else found[(proved <= state).all(axis=1)]
        if len(known):
            passed = self._states[known[-1]].astype(np.int64)
            return passed, passed
        nearest = found[np.argmin(self._size[found])]
        passed = self._states[nearest].astype(np.int64)
        low = np.minimum(self._low[nearest], state)
        if (low < state).any() and (least_between(self._tables, low, passed) == passed).all():
            self._low[nearest] = low
            return passed, passed
        least = least_between(self._tables, state, passed)
        if (least == passed).all():
            self._low[nearest] = state
        return passed, least

    def _above(self, state: Ints, live: int) -> Ints:
        """Numbers of the states that have all that a state has, and no more bytes."""
        count, size = self._count, int(state.sum())
        found = np.nonzero((self._live[:count] <= live) & (self._size[:count] >= size))[0]
        for first in range(0, self._states.shape[1], 8):
            if len(found):
                part = slice(first, first + 8)
                found = found[(self._states[found, part] >= state[part]).all(axis=1)]
        return found
