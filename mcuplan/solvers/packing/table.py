# SPDX-License-Identifier: Apache-2.0
"""A problem as the exact search wants it: small integers in flat arrays."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub

from mcuplan.solvers.packing.bound import most_saved, most_shared, partners_of
from mcuplan.solvers.packing.conflicts import Conflicts, loads
from mcuplan.solvers.packing.problem import Problem

__all__ = [
    "Table",
    "by_lifetime",
    "by_sections",
    "make_table",
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

    indices: tuple[int, ...]
    nbytes: tuple[int, ...]
    grain: int
    sections: int
    size: array[int]
    align: array[int]
    first: array[int]
    last: array[int]
    pinned: array[int]
    edge_start: array[int]
    edge_to: array[int]
    edge_above: array[int]
    edge_below: array[int]
    edge_shared: array[int]
    most_saved: array[int]

    @property
    def small(self) -> bool:
        """Whether no sum that the compiled search makes can leave 64 bits."""
        distances = max(self.edge_above, default=0)
        longest = max(*self.size, *self.align, *self.pinned, distances)
        return longest * (len(self.edge_to) + self.count + 1) < 2**57

    @property
    def count(self) -> int:
        """Number of buffers."""
        return len(self.indices)

    @property
    def padding(self) -> int:
        """Most bytes that rounding to the grain adds to where a buffer ends."""
        return max(s * self.grain - n for s, n in zip(self.size, self.nbytes, strict=True))

    def crowded_section(self) -> int:
        """The first section with the largest sum of sizes."""
        change = [0] * (self.sections + 1)
        for size, first, last in zip(self.size, self.first, self.last, strict=True):
            change[first] += size
            change[last] -= size
        sums = list(accumulate(change))
        return sums.index(max(sums))

    def step(self, capacity: int) -> int:
        """Bytes after which some buffer can lie higher than in ``capacity`` bytes."""
        return min(self.grain - (capacity - nbytes) % self.grain for nbytes in self.nbytes)

    def last_offsets(self, capacity: int) -> array[int]:
        """Greatest offset (units) of every buffer that ends within ``capacity`` bytes."""
        free = [(capacity - nbytes) // self.grain for nbytes in self.nbytes]
        fixed = zip(self.pinned, free, strict=True)
        return array("q", [pin if pin >= 0 else last for pin, last in fixed])


def make_table(problem: Problem, conflicts: Conflicts, indices: Sequence[int]) -> Table:
    """Table of the given buffers; conflicts with others are left out."""
    where = {index: at for at, index in enumerate(indices)}
    edges = [[edge for edge in conflicts.of[i] if edge[0] in where] for i in indices]
    partners = {
        i: tuple(o for o in others if o in where)
        for i, others in partners_of(problem).items()
        if i in where
    }
    grain = _grain(problem, indices, edges, partners)
    pins = [-(-problem.pinned[i] // grain) if i in problem.pinned else -1 for i in indices]
    size, nbytes = _sizes(problem, indices, grain)
    first, last, sections = _sections(problem, indices)
    flat = [(i, *edge) for i, row in zip(indices, edges, strict=True) for edge in row]
    distances = [_distances(problem.pinned, edge, grain) for edge in flat]
    shared = [
        most_shared(problem, i, o, grain) // grain if o in partners.get(i, ()) else 0
        for i, o, _, _ in flat
    ]
    aligns = [1 if i in problem.pinned else problem.buffers[i].align // grain for i in indices]
    return Table(
        indices=tuple(indices),
        nbytes=nbytes,
        grain=grain,
        sections=sections,
        size=size,
        align=array("q", [max(1, align) for align in aligns]),
        first=first,
        last=last,
        pinned=array("q", pins),
        edge_start=array("q", accumulate(map(len, edges), initial=0)),
        edge_to=array("q", [where[edge[1]] for edge in flat]),
        edge_above=array("q", [above for _, above in distances]),
        edge_below=array("q", [below for below, _ in distances]),
        edge_shared=array("q", shared),
        most_saved=_saved(problem, partners, indices, (first, last, sections), grain),
    )


def _sizes(
    problem: Problem, indices: Sequence[int], grain: int
) -> tuple[array[int], tuple[int, ...]]:
    """Sizes in units, and how many bytes after its first unit every buffer ends.

    A pinned buffer takes the units that begin in it, so that buffers pinned one behind
    the other take no more units than together.
    """
    size: list[int] = []
    nbytes: list[int] = []
    for index in indices:
        pin = problem.pinned.get(index, 0)
        unit, end = -(-pin // grain), pin + problem.buffers[index].nbytes
        size.append(-(-end // grain) - unit)
        nbytes.append(end - unit * grain)
    return array("q", size), tuple(nbytes)


def _distances(
    pinned: Mapping[int, int], edge: tuple[int, int, int, int], grain: int
) -> tuple[int, int]:
    """Least distance in units when the other buffer of an edge lies below and above.

    An offset is a whole number of units; a pinned one counts rounded up, and the distance
    to it is what lets the free buffer come as close as it may.
    """
    index, other, below, above = edge

    def least(low: int, high: int, distance: int) -> int:
        if low in pinned:
            return -(-(pinned[low] + distance) // grain) - -(-pinned[low] // grain)
        if high in pinned:
            return -(-pinned[high] // grain) - (pinned[high] - distance) // grain
        return -(-distance // grain)

    return least(other, index, below), least(index, other, above)


def _grain(
    problem: Problem,
    indices: Sequence[int],
    edges: Sequence[Sequence[tuple[int, int, int]]],
    partners: Mapping[int, tuple[int, ...]],
) -> int:
    """Largest unit that all offsets worth trying are multiples of.

    Offsets are multiples of the common divisor of the alignments. With one alignment
    for all, sizes and distances rounded up to it may have a greater divisor: a buffer
    that rests on others lies at a sum of such distances. Pinned buffers count only for
    what rests on them, and exactly where they may share bytes.
    """
    buffers, pinned = problem.buffers, problem.pinned
    free = [i for i in indices if i not in pinned]
    aligns = {buffers[i].align for i in free or indices}
    grain = math.gcd(*aligns, *(pinned[i] for i in partners if i in pinned))
    lengths = {buffers[i].nbytes for i in free}
    lengths.update(pinned[i] for i in partners if i in pinned)
    for i, row in zip(indices, edges, strict=True):
        if i not in pinned:
            lengths.update(pinned.get(o, 0) + below for o, below, _ in row)
    coarser = math.gcd(*(-(-length // grain) for length in lengths))
    return grain * max(1, coarser) if aligns == {grain} else grain


def _sections(problem: Problem, indices: Sequence[int]) -> tuple[array[int], array[int], int]:
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
    steps = sorted(at)
    before = {step: at[earlier] for earlier, step in pairwise(steps)}
    first = array("q", [at[live.start] for live in lives])
    last = array("q", [before[live.end] + 1 for live in lives])
    return first, last, section + 1


def _saved(
    problem: Problem,
    partners: dict[int, tuple[int, ...]],
    indices: Sequence[int],
    sections: tuple[array[int], array[int], int],
    grain: int,
) -> array[int]:
    first, last, count = sections
    live: list[list[int]] = [[] for _ in range(count)]
    for at, index in enumerate(indices):
        if index in partners:
            for section in range(first[at], last[at]):
                live[section].append(index)
    return array("q", [most_saved(problem, each, partners, grain) // grain for each in live])


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


def by_lifetime(problem: Problem, table: Table) -> array[int]:
    """Ranks: long-lived buffers first, large ones first among equals."""
    buffers = problem.buffers
    return _ranks([(-len(buffers[i].live), -buffers[i].nbytes) for i in table.indices])


def by_sections(table: Table) -> array[int]:
    """Ranks: buffers alive in many sections first, large ones first among equals."""
    spans = map(sub, table.first, table.last)
    return _ranks(list(zip(spans, (-nbytes for nbytes in table.nbytes), strict=True)))


def rankings(problem: Problem, table: Table) -> dict[str, array[int]]:
    """Ranks by name: by lifetime and sections as above, and what else leads to placements.

    ``size`` and ``area`` (bytes times steps) put the largest first, ``crowd`` those that
    are alive with the most others, ``load`` those that live where the most bytes do.
    """
    buffers, load = [problem.buffers[i] for i in table.indices], loads(problem)
    degrees = [low - high for low, high in pairwise(table.edge_start)]
    return {
        "lifetime": by_lifetime(problem, table),
        "sections": by_sections(table),
        "size": _ranks([(-b.nbytes, -len(b.live)) for b in buffers]),
        "area": _ranks([(-b.nbytes * len(b.live),) for b in buffers]),
        "crowd": _ranks([(degree,) for degree in degrees]),
        "load": _ranks(
            [
                (-load[i], -len(b.live), -b.nbytes)
                for i, b in zip(table.indices, buffers, strict=True)
            ]
        ),
    }


def by_offset(offsets: Sequence[int], table: Table) -> array[int]:
    """Ranks: what lies lowest in a placement of all buffers goes first."""
    return _ranks([(offsets[i],) for i in table.indices])


def shuffled(ranks: array[int], seed: int) -> array[int]:
    """The ranks with neighbours exchanged here and there; equal seeds, equal results."""
    keys: list[tuple[int, ...]] = []
    state = seed
    for rank in ranks:
        state = (state * 1103515245 + 12345) % 2**31
        keys.append(((rank + 2) * (1000 + (state >> 8) % 100),))
    return _ranks(keys)


def _ranks(keys: Sequence[tuple[int, ...]]) -> array[int]:
    ranks = array("q", bytes(8 * len(keys)))
    for rank, at in enumerate(sorted(range(len(keys)), key=lambda i: (keys[i], i))):
        ranks[at] = rank
    return ranks
