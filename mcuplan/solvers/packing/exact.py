# SPDX-License-Identifier: Apache-2.0
"""From a good placement to a proved one: ask for the lower bound, then raise it."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass

import numpy as np

from mcuplan.solvers.packing.conflicts import Conflicts, Ints
from mcuplan.solvers.packing.greedy import Packing
from mcuplan.solvers.packing.problem import Problem
from mcuplan.solvers.packing.search import Outcome, Query, Status, place, search
from mcuplan.solvers.packing.table import (
    Table,
    by_lifetime,
    by_offset,
    make_table,
    rankings,
    shuffled,
    time_components,
)

__all__ = ["Limits", "Proof", "improve"]

_UNLIMITED = 2**62
_SHORT_NODES = 10_000
_TURN_ROUNDS = 150  # of the squeaky wheel from one order, and
_TURN_WORK = 8_000_000  # most rounds x conflicts
_NO = Status.INFEASIBLE
_STRATEGIES = (
    (0, "lifetime"),
    (1, "lifetime"),
    (2, "lifetime"),
    (2, "sections"),
    (1, "area"),
    (2, "area"),
    (2, "crowd"),
    (0, "area"),
    (1, "sections"),
    (2, "size"),
    (0, "size"),
    (1, "size"),
)


_TURNS = (
    ("", 3),
    ("load", 3),
    ("", 1),
    ("start", 0),
    ("", 3),
    ("size", 3),
    ("", 1),
    ("load", 0),
)
"""First order and kind of move of each turn (csrc/wheel.c); "" is as the best placement lies."""


_EJECTION_TURNS = 16_000  # of ejection from one order, and
_EJECTION_WORK = 40_000_000  # most turns x conflicts of a buffer
_EJECTION_STARTS = ("area", "lifetime", "start", "sections", "size")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be searched; ``None`` = no such limit.

    Without seconds equal input gives equal output; a time limit ends where the clock says.
    """

    nodes: int | None
    rounds: int
    ejections: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The best placement found, and a size below which there is none by proof."""

    packing: Packing
    proved_bytes: int
    nodes: int


def improve(
    problem: Problem,
    conflicts: Conflicts,
    packing: Packing,
    bound_bytes: int,
    limits: Limits,
    *,
    capacity: int | None = None,
) -> Proof:
    """Improve a placement until it is proved optimal or the effort is spent.

    Most of the effort asks whether the bound is reachable, and raises it with every
    refutation. What is left halves the distance between what is undecided and what is
    found. A ``capacity`` is enough: once it is reached, no more than a short try is
    made for less.
    """
    hunt = _Hunt(problem, conflicts, packing, bound_bytes, limits)
    if capacity is None:
        hunt.raise_bound(hunt.part(0.1, max(3000, 15 * hunt.table.count)))
    else:
        slack = capacity - bound_bytes > bound_bytes // 64
        hunt.raise_bound(hunt.part(0.2, _SHORT_NODES // 20 if slack else _SHORT_NODES))
    hunt.rearrange(max(hunt.proved, capacity or 0), limits.rounds)
    hunt.eject(max(hunt.proved, capacity or 0), limits.ejections)
    if capacity is not None and hunt.proved < capacity < hunt.best.arena_bytes:
        hunt.ask(capacity, hunt.part(0.7))
    if capacity is None or capacity < hunt.best.arena_bytes:
        hunt.raise_bound(hunt.part(0.7))
        hunt.close_in()
    return Proof(hunt.best, hunt.proved, hunt.nodes)


@dataclass(frozen=True, slots=True)
class _Limit:
    """Node count and clock reading at which to stop."""

    nodes: int
    deadline: float | None

    def late(self) -> bool:
        return self.deadline is not None and not time.monotonic() < self.deadline

    def spent(self, nodes: int) -> bool:
        return nodes >= self.nodes or self.late()


class _Hunt:
    """One table, asked for one capacity after the other."""

    def __init__(
        self,
        problem: Problem,
        conflicts: Conflicts,
        packing: Packing,
        bound_bytes: int,
        limits: Limits,
    ) -> None:
        self.problem, self.best, self.proved = problem, packing, bound_bytes
        self.conflicts = conflicts
        self.windows: dict[tuple[int, int], Table] = {}
        self.refuter: Table | None = None
        self.nodes = 0
        deadline = None if limits.seconds is None else time.monotonic() + limits.seconds
        self.whole = _Limit(_UNLIMITED if limits.nodes is None else limits.nodes, deadline)
        self.table = make_table(problem, conflicts, self._open_buffers(conflicts, bound_bytes))
        self.ranks = rankings(problem, self.table)
        self.strategies = [(rule, self.ranks[name]) for rule, name in _STRATEGIES]

    def _open_buffers(self, conflicts: Conflicts, bound_bytes: int) -> list[int]:
        """Buffers of the stretches of time where the placement exceeds the bound."""
        buffers, offsets = self.problem.buffers, self.best.offsets
        used = (i for i, b in enumerate(buffers) if b.nbytes > 0 or not conflicts.alone(i))
        return [
            index
            for group in time_components(self.problem, used)
            if max(offsets[i] + buffers[i].nbytes for i in group) > bound_bytes
            for index in group
        ]

    def rearrange(self, goal: int, rounds: int) -> None:
        """Try orders until one reaches the goal; quick, and proves nothing."""
        table = self.table
        most = min(_TURN_ROUNDS, _TURN_WORK // (len(table.edge_to) + table.count))
        units = int((table.last_offsets(goal) + table.size).max())
        for turn in range(rounds // _TURN_ROUNDS):
            if self.best.arena_bytes <= goal or self.whole.late():
                break
            start, kind = _TURNS[turn % len(_TURNS)]
            rank = self.ranks[start] if start else by_offset(self.best.offsets, table)
            outcome = place(
                "squeaky_wheel",
                table,
                rank,
                goal=units,
                rule=4 * turn + kind,
                rounds=most,
                poll=self.whole.late,
            )
            self._take(outcome, "squeaky wheel")

    def eject(self, goal: int, tries: int) -> None:
        """Ask in turn for the goal and for a part of the way to it, less where it is in vain."""
        table, part = self.table, goal
        conflicts = len(table.edge_to) // table.count + 1
        most = min(_EJECTION_TURNS, _EJECTION_WORK // conflicts**2)
        for turn in range(tries):
            best = self.best.arena_bytes
            if best <= goal or self.whole.late():
                break
            target = goal if turn % 2 == 0 else (part + best) // 2
            outcome = place(
                "eject",
                table,
                self.ranks[_EJECTION_STARTS[turn % len(_EJECTION_STARTS)]],
                goal=int((table.last_offsets(target) + table.size).max()),
                rule=turn,
                rounds=most,
                poll=self.whole.late,
            )
            if outcome.status is Status.FOUND:
                self._take(outcome, "ejection")
                part = goal
            elif turn % 2 == 1:
                part = target if best - target > table.grain else goal

    def raise_bound(self, limit: _Limit) -> None:
        """Ask for what is not refuted yet until it is found or the limit is reached."""
        while self.proved < self.best.arena_bytes and self.ask(self.proved, limit):
            pass

    def close_in(self) -> None:
        """Halve the distance between what is undecided and what is found."""
        low = self.proved
        while self.best.arena_bytes - low > self.table.grain and not self.whole.spent(self.nodes):
            target = (low + self.best.arena_bytes) // 2
            if not self.ask(target, self.part(0.3)):
                low = target
            low = max(low, self.proved)

    def part(self, share: float, most: int = _UNLIMITED) -> _Limit:
        """A limit of at most ``most`` nodes that leaves the rest of the effort for later."""
        deadline = self.whole.deadline
        left = max(0, self.whole.nodes - self.nodes)
        if self.whole.nodes < _UNLIMITED:
            left = int(left * share)
        nodes = self.nodes + min(left, most)
        if deadline is not None:
            now = time.monotonic()
            deadline = now + (deadline - now) * share
        return _Limit(nodes, deadline)

    def ask(self, capacity: int, limit: _Limit) -> bool:
        """Search for a placement in ``capacity`` bytes; whether that was decided.

        Several strategies take turns with growing limits: where one is lost, another
        is often done at once, or the same one with its ranks slightly shuffled.
        """
        if self.refuter is not None and self._try_window(self.refuter, capacity, limit) is _NO:
            return True
        weights = [array("q", [1]) * self.table.sections for _ in self.strategies]
        last_offset = self.table.last_offsets(capacity)
        turn, tries = 4 * self.table.count, 0
        harmless: set[tuple[int, int]] = set()
        for center in (self.table.crowded_section(), self._highest_section()):
            if self._refuted_near(center, capacity, limit, harmless):
                return True
        while not limit.spent(self.nodes):
            for at, (rule, ranks) in enumerate(self.strategies):
                rank: Ints = ranks if tries == 0 else shuffled(ranks, tries)
                left = min(turn, limit.nodes - self.nodes)
                query = Query(self.table, last_offset, rank, weights[at], rule, left, limit.late)
                if self._run(query, capacity) in (Status.FOUND, _NO):
                    return True
                if limit.spent(self.nodes):
                    return False
            failures = [sum(each) for each in zip(*weights, strict=True)]
            if self._refuted_near(failures.index(max(failures)), capacity, limit, harmless):
                return True
            turn += turn // 3
            tries += 1
        return False

    def _run(self, query: Query, capacity: int) -> Status:
        outcome = search(query)
        self.nodes += outcome.nodes
        if outcome.status is Status.FOUND and query.table is self.table:
            self._take(outcome, "exact search")
        if outcome.status is _NO:
            self._refute(query.table, capacity, outcome)
        return outcome.status

    def _refuted_near(
        self, center: int, capacity: int, limit: _Limit, harmless: set[tuple[int, int]]
    ) -> bool:
        """Whether the buffers around one section alone cannot be placed.

        A search over all buffers may try everything elsewhere before it sees that.
        """
        radius, status = 0, Status.FOUND
        most = self.table.sections // 2
        while radius < most and status is Status.FOUND and not limit.late():
            if (center, radius) not in harmless:
                window = self._window(center, radius)
                status = self._try_window(window, capacity, limit)
                if status is _NO:
                    self.refuter = window
                harmless.add((center, radius))
            radius = 2 * radius + 1
        return status is _NO

    def _highest_section(self) -> int:
        """A section of the buffer that ends highest in the best placement."""
        table = self.table
        at = int((np.array(self.best.offsets)[table.indices] + table.nbytes).argmax())
        return int(table.first[at] + table.last[at]) // 2

    def _try_window(self, table: Table, capacity: int, limit: _Limit) -> Status:
        left = min(8 * table.count, limit.nodes - self.nodes)
        weight = array("q", [1]) * table.sections
        rank = by_lifetime(self.problem, table)
        last_offset = table.last_offsets(capacity)
        query = Query(table, last_offset, rank, weight, 0, left, limit.late)
        return self._run(query, capacity)

    def _window(self, center: int, radius: int) -> Table:
        key = (center, radius)
        if key not in self.windows:
            first, last = self.table.first, self.table.last
            near = (first <= center + radius) & (last > center - radius)
            indices = self.table.indices[near].tolist()
            self.windows[key] = make_table(self.problem, self.conflicts, indices)
        return self.windows[key]

    def _take(self, outcome: Outcome, method: str) -> None:
        """Keep a placement if it is the best so far."""
        if -1 in outcome.offset:
            return
        offsets, pinned = list(self.best.offsets), self.problem.pinned
        for index, offset in zip(self.table.indices.tolist(), outcome.offset, strict=True):
            offsets[index] = pinned.get(index, offset * self.table.grain)
        top = max(o + b.nbytes for o, b in zip(offsets, self.problem.buffers, strict=True))
        if top < self.best.arena_bytes:
            self.best = Packing(tuple(offsets), top, method)

    def _refute(self, table: Table, capacity: int, outcome: Outcome) -> None:
        needed = outcome.over * table.grain - table.padding
        needed = max(needed, capacity + table.step(capacity))
        self.proved = min(self.best.arena_bytes, max(self.proved, needed))
