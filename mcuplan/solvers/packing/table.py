# SPDX-License-Identifier: Apache-2.0
"""A problem as the exact search wants it: small integers in flat arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mcuplan.solvers.packing.bound import most_saved, most_shared, partners_of
from mcuplan.solvers.packing.conflicts import Conflicts, Ints, loads, ramp
from mcuplan.solvers.packing.problem import Problem

__all__ = [
    "Table",
    "by_lifetime",
    "make_table",
    "ranked",
    "rankings",
    "shuffled",
    "time_components",
]


@dataclass(frozen=True, slots=True)
class Table:
    """Some buffers of a problem; sizes, distances and alignments count in ``grain`` bytes.

    Steps are compressed to sections: the largest sets of buffers alive together, in
    order of time; a buffer lives in sections ``[first, last)``; ``pinned`` is the offset
    of one that lies where it must, -1 for the others. The conflicts of
    buffer i are the edges ``edge_start[i]`` to ``edge_start[i + 1]``: the other buffer,
    the least distance to it when it lies above and when it lies below, and the most
    units the two can share. ``most_saved`` bounds what sharing saves in a section.
    """

    indices: Ints
    nbytes: Ints
    grain: int
    sections: int
    size: Ints
    align: Ints
    first: Ints
    last: Ints
    pinned: Ints
    edge_start: Ints
    edge_to: Ints
    edge_above: Ints
    edge_below: Ints
    edge_shared: Ints
    most_saved: Ints

    @property
    def count(self) -> int:
        """Number of buffers."""
        return len(self.indices)

    @property
    def padding(self) -> int:
        """Most bytes that rounding to the grain adds to where a buffer ends."""
        return int((self.size * self.grain - self.nbytes).max())

    def crowded_section(self) -> int:
        """The first section with the largest sum of sizes."""
        change = np.zeros(self.sections + 1, np.int64)
        np.add.at(change, self.first, self.size)
        np.subtract.at(change, self.last, self.size)
        return int(np.cumsum(change).argmax())

    def step(self, capacity: int) -> int:
        """Bytes after which some buffer can lie higher than in ``capacity`` bytes."""
        return int((self.grain - (capacity - self.nbytes) % self.grain).min())

    def last_offsets(self, capacity: int) -> Ints:
        """Greatest offset (units) of every buffer that ends within ``capacity`` bytes."""
        return np.where(self.pinned >= 0, self.pinned, (capacity - self.nbytes) // self.grain)


def make_table(problem: Problem, conflicts: Conflicts, indices: Sequence[int]) -> Table:
    """Table of the given buffers; conflicts with others are left out."""
    chosen: Ints = np.array(indices, np.int64)
    where = np.full(conflicts.count, -1, np.int64)
    where[chosen] = np.arange(len(chosen))
    degree = conflicts.edge_start[chosen + 1] - conflicts.edge_start[chosen]
    edges = np.repeat(conflicts.edge_start[chosen], degree) + ramp(degree)
    source = np.repeat(chosen, degree)
    inside = where[conflicts.edge_to[edges]] >= 0
    edges, source = edges[inside], source[inside]
    partners = {
        i: tuple(o for o in others if where[o] >= 0)
        for i, others in partners_of(problem).items()
        if where[i] >= 0
    }
    grain = _grain(conflicts, chosen, source, edges, partners)
    size, nbytes = _sizes(conflicts, chosen, grain)
    pins = conflicts.pinned[chosen]
    free = pins < 0
    first, last, sections = _sections(problem, indices)
    below, above = _distances(conflicts, source, edges, grain)
    return Table(
        indices=chosen,
        nbytes=nbytes,
        grain=grain,
        sections=sections,
        size=size,
        align=np.where(free, np.maximum(1, conflicts.align[chosen] // grain), 1),
        first=first,
        last=last,
        pinned=np.where(free, -1, _up(pins, grain)),
        edge_start=np.searchsorted(where[source], np.arange(len(chosen) + 1)),
        edge_to=where[conflicts.edge_to[edges]],
        edge_above=above,
        edge_below=below,
        edge_shared=_shared(problem, partners, source, conflicts.edge_to[edges], grain),
        most_saved=_saved(problem, partners, indices, (first, last, sections), grain),
    )


def _up(nbytes: Ints, grain: int) -> Ints:
    """Units that hold so many bytes."""
    return -(-nbytes // grain)


def _sizes(conflicts: Conflicts, chosen: Ints, grain: int) -> tuple[Ints, Ints]:
    """Sizes in units, and how many bytes after its first unit every buffer ends.

    A pinned buffer takes the units that begin in it, so that buffers pinned one behind
    the other take no more units than together.
    """
    pin = np.maximum(conflicts.pinned[chosen], 0)
    unit, end = _up(pin, grain), pin + conflicts.size[chosen]
    return _up(end, grain) - unit, end - unit * grain


def _distances(conflicts: Conflicts, source: Ints, edges: Ints, grain: int) -> tuple[Ints, Ints]:
    """Least distance in units when the other buffer of an edge lies below and above.

    An offset is a whole number of units; a pinned one counts rounded up, and the distance
    to it is what lets the free buffer come as close as it may.
    """

    def least(low: Ints, high: Ints, distance: Ints) -> Ints:
        above_pin = _up(low + distance, grain) - _up(low, grain)
        below_pin = _up(high, grain) - (high - distance) // grain
        found = np.where(high >= 0, below_pin, _up(distance, grain))
        return np.where(low >= 0, above_pin, found)

    one, two = conflicts.pinned[source], conflicts.pinned[conflicts.edge_to[edges]]
    below, above = conflicts.edge_below[edges], conflicts.edge_above[edges]
    return least(two, one, below), least(one, two, above)


def _shared(
    problem: Problem,
    partners: Mapping[int, tuple[int, ...]],
    source: Ints,
    to: Ints,
    grain: int,
) -> Ints:
    """Most units that the two buffers of each edge can have in common."""
    shared = np.zeros(len(to), np.int64)
    for k in np.flatnonzero(np.isin(source, list(partners))).tolist():
        one, two = int(source[k]), int(to[k])
        if two in partners[one]:
            shared[k] = most_shared(problem, one, two, grain) // grain
    return shared


def _grain(
    conflicts: Conflicts,
    chosen: Ints,
    source: Ints,
    edges: Ints,
    partners: Mapping[int, tuple[int, ...]],
) -> int:
    """Largest unit that all offsets worth trying are multiples of.

    Offsets are multiples of the common divisor of the alignments. With one alignment
    for all, sizes and distances rounded up to it may have a greater divisor: a buffer
    that rests on others lies at a sum of such distances. Pinned buffers count only for
    what rests on them, and exactly where they may share bytes.
    """
    pinned = conflicts.pinned
    free = chosen[pinned[chosen] < 0]
    aligns = np.unique(conflicts.align[free if len(free) else chosen])
    shared = [int(pinned[i]) for i in partners if pinned[i] >= 0]
    grain = math.gcd(*aligns.tolist(), *shared)
    if aligns.tolist() != [grain]:
        return grain
    edges = edges[pinned[source] < 0]
    rests = np.maximum(pinned[conflicts.edge_to[edges]], 0) + conflicts.edge_below[edges]
    lengths = np.concatenate([conflicts.size[free], np.array(shared, np.int64), rests])
    return grain * max(1, int(np.gcd.reduce(_up(lengths, grain))))


def _sections(problem: Problem, indices: Sequence[int]) -> tuple[Ints, Ints, int]:
    """Live sections of every buffer, and how many sections there are.

    A new section begins where a buffer starts after another one has ended: only the
    largest live sets are kept.
    """
    lives = [problem.buffers[i].live for i in indices]
    starts, ends = {live.start for live in lives}, {live.end for live in lives}
    section, ended = -1, True
    at: dict[int, int] = {}
    for step in sorted(starts | ends):
        ended = ended or step in ends
        if step in starts and ended:
            section, ended = section + 1, False
        at[step] = section
    before = {step: at[earlier] for earlier, step in pairwise(at)}
    first = np.array([at[live.start] for live in lives], np.int64)
    last = np.array([before[live.end] + 1 for live in lives], np.int64)
    return first, last, section + 1


def _saved(
    problem: Problem,
    partners: dict[int, tuple[int, ...]],
    indices: Sequence[int],
    sections: tuple[Ints, Ints, int],
    grain: int,
) -> Ints:
    first, last, count = sections
    live: list[list[int]] = [[] for _ in range(count)]
    for at, index in enumerate(indices if partners else ()):
        if index in partners:
            for section in range(first[at], last[at]):
                live[section].append(index)
    return np.array([most_saved(problem, each, partners, grain) // grain for each in live])


def time_components(problem: Problem, indices: Iterable[int]) -> list[list[int]]:
    """Buffers grouped so that no two groups are alive at the same step, by time."""
    groups: list[list[int]] = []
    reach = 0
    for index in sorted(indices, key=lambda i: (problem.buffers[i].live, i)):
        live = problem.buffers[index].live
        if not groups or live.start >= reach:
            groups.append([])
            reach = live.end
        groups[-1].append(index)
        reach = max(reach, live.end)
    return groups


def by_lifetime(problem: Problem, table: Table) -> Ints:
    """Ranks: long-lived buffers first, large ones first among equals."""
    buffers = [problem.buffers[i] for i in table.indices]
    return ranked([-len(b.live) for b in buffers], [-b.nbytes for b in buffers])


def rankings(problem: Problem, table: Table) -> dict[str, Ints]:
    """Ranks by name: by lifetime as above, and what else leads to placements.

    ``sections`` puts those first that are alive in many, ``size`` and ``area`` (bytes times
    steps) the largest, ``crowd`` those that are alive with the most others, ``load`` those that
    live where the most bytes do, ``start`` those that live first.
    """
    buffers, load = [problem.buffers[i] for i in table.indices], loads(problem)
    life = [-len(b.live) for b in buffers]
    size = [-b.nbytes for b in buffers]
    return {
        "lifetime": by_lifetime(problem, table),
        "sections": ranked(table.first - table.last, -table.nbytes),
        "size": ranked(size, life),
        "area": ranked([-float(b.nbytes * len(b.live)) for b in buffers]),
        "crowd": ranked(-np.diff(table.edge_start)),
        "load": ranked([-load[i] for i in table.indices], life, size),
        "start": ranked([b.live.start for b in buffers], size),
    }


def by_offset(offsets: Sequence[int], table: Table) -> Ints:
    """Ranks: what lies lowest in a placement of all buffers goes first."""
    return ranked([offsets[i] for i in table.indices])


def shuffled(ranks: Ints, seed: int) -> Ints:
    """The ranks with neighbours exchanged here and there; equal seeds, equal results."""
    keys = []
    state = seed
    for rank in ranks.tolist():
        state = (state * 1103515245 + 12345) % 2**31
        keys.append((rank + 2) * (1000 + (state >> 8) % 100))
    return ranked(keys)


def ranked(*keys: npt.ArrayLike) -> Ints:
    """Ranks by some keys, the first one counts most; ties go to the lower number."""
    order = np.lexsort([np.asarray(key) for key in reversed(keys)])
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks
