# SPDX-License-Identifier: Apache-2.0
"""First fit in an order that learns: what ends too high goes earlier the next time.

Squeaky wheel optimization (Joslin and Clements 1999). Made for many small buffers without
separations, as the rows of streamed networks are: what is taken is a bit mask per section
of time, so that a round costs little more than a few words per buffer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcuplan.solvers.packing.greedy import Packing
from mcuplan.solvers.packing.problem import Buffer, Problem
from mcuplan.units import align_up

__all__ = ["learn"]

_STARTS = 2  # of the plain orders, the best ones are improved
_PATIENCE = 110  # rounds without progress
_HIGH = 0.97  # of the height reached: what ends above it goes earlier


def learn(problem: Problem, best: Packing, goal: int, rounds: int) -> Packing:
    """The best placement of some rounds; never worse than ``best``.

    Stops at ``goal`` bytes. Equal input gives equal output.

    Raises:
        ValueError: the problem has separations.
    """
    if problem.separations:
        raise ValueError("separations are not for first fit in a learned order")
    moving = [i for i in range(len(problem.buffers)) if i not in problem.pinned]
    if not moving or not best.arena_bytes:
        return best
    table = _Table.of(problem, best.arena_bytes)
    starts = []
    for key in _KEYS:
        order = sorted(moving, key=lambda i: key(problem.buffers[i]))
        starts.append((table.place(order), order))
    starts.sort(key=lambda start: table.top(start[0]))
    for at, order in starts[:_STARTS]:
        best = _rounds(table, order, at, best, goal, rounds // _STARTS)
        if best.arena_bytes <= goal:
            break
    return best


_KEYS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda b: (-b.nbytes, b.live.start),
    lambda b: (-b.nbytes * len(b.live), b.live.start),
    lambda b: (b.live.start, -b.nbytes),
    lambda b: (-len(b.live), -b.nbytes),
)


def _rounds(
    table: _Table, order: list[int], at: list[int], best: Packing, goal: int, rounds: int
) -> Packing:
    """Rounds from one start: buffers that end high move up to a tenth of all places ahead."""
    rank = {index: place for place, index in enumerate(order)}
    low, state, reach, idle = table.top(at), 1, max(2, len(order) // 10), 0
    for left in range(rounds, -1, -1):
        if low < best.arena_bytes:
            found = tuple(offset * table.grain for offset in at)
            best = Packing(found, low, "first fit in a learned order")
        if best.arena_bytes <= goal or not left or idle > _PATIENCE:
            break
        high = max(goal, int(low * _HIGH))
        for index in order:
            if table.end(index, at) > high:
                state = (state * 1103515245 + 12345) % 2**31
                rank[index] -= 1 + (state >> 8) % reach
        order = sorted(order, key=rank.__getitem__)
        at = table.place(order)
        idle = 0 if table.top(at) < low else idle + 1
        low = min(low, table.top(at))
    return best


@dataclass(frozen=True, slots=True)
class _Table:
    """Sizes and alignments in units of ``grain`` bytes, and sections ``[first, last)`` of life.

    ``taken`` has a mask per section with the units of pinned buffers.
    """

    grain: int
    nbytes: tuple[int, ...]
    size: tuple[int, ...]
    align: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]
    taken: tuple[int, ...]
    pinned: tuple[tuple[int, int], ...]
    width: int

    @classmethod
    def of(cls, problem: Problem, height: int) -> _Table:
        """The table of a problem for which a placement of ``height`` bytes is known."""
        buffers = problem.buffers
        grain = _grain(problem)
        size = [-(-b.nbytes // grain) for b in buffers]
        begins = _sections(buffers)
        first = [bisect_right(begins, b.live.start) - 1 for b in buffers]
        last = [bisect_right(begins, b.live.end - 1) for b in buffers]
        pinned = tuple((i, offset // grain) for i, offset in sorted(problem.pinned.items()))
        taken = [0] * len(begins)
        for index, offset in pinned:
            mask = ((1 << size[index]) - 1) << offset
            for section in range(first[index], last[index]):
                taken[section] |= mask
        return cls(
            grain,
            tuple(b.nbytes for b in buffers),
            tuple(size),
            tuple(max(1, b.align // grain) for b in buffers),
            tuple(first),
            tuple(last),
            tuple(taken),
            pinned,
            2 * height // grain,
        )

    def end(self, index: int, at: Sequence[int]) -> int:
        """Where a buffer ends, in bytes."""
        return at[index] * self.grain + self.nbytes[index]

    def top(self, at: Sequence[int]) -> int:
        """Where the highest buffer ends, in bytes."""
        return max(self.end(index, at) for index in range(len(at)))

    def place(self, order: Sequence[int]) -> list[int]:
        """Offsets in units when each buffer of the order takes the lowest that is free."""
        taken, at = list(self.taken), [0] * len(self.size)
        whole = (1 << self.width) - 1
        for index, offset in self.pinned:
            at[index] = offset
        for index in order:
            first, last, size = self.first[index], self.last[index], self.size[index]
            used = 0
            for mask in taken[first:last]:
                used |= mask
            at[index] = _lowest(whole & ~used, size, self.align[index], used.bit_length())
            block = ((1 << size) - 1) << at[index]
            for section in range(first, last):
                taken[section] |= block
        return at


def _grain(problem: Problem) -> int:
    """The largest unit that offsets worth trying are multiples of."""
    grain = math.gcd(*(b.align for b in problem.buffers))
    if any(b.align > grain for b in problem.buffers):
        return grain
    sizes = (-(-b.nbytes // grain) for b in problem.buffers)
    return grain * max(1, math.gcd(*sizes, *(o // grain for o in problem.pinned.values())))


def _lowest(free: int, size: int, align: int, top: int) -> int:
    """The lowest multiple of ``align`` from which on ``size`` bits are set, else above ``top``."""
    length = 1
    while length < size:
        more = min(length, size - length)
        free &= free >> more
        length += more
    if not size:
        return 0
    while free:
        at = (free & -free).bit_length() - 1
        if at % align == 0:
            return at
        free &= free - 1
    return align_up(top, align)


def _sections(buffers: Sequence[Buffer]) -> list[int]:
    """Steps at which a buffer starts after another one has ended."""
    starts, ends = {b.live.start for b in buffers}, {b.live.end for b in buffers}
    found, ended = [], True
    for step in sorted(starts | ends):
        ended = ended or step in ends
        if step in starts and ended:
            found.append(step)
            ended = False
    return found
