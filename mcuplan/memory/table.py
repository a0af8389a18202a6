# SPDX-License-Identifier: Apache-2.0
"""A problem as the exact search wants it: small integers in flat arrays."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub

from mcuplan.memory.bound import most_saved, most_shared, partners_of
from mcuplan.memory.conflicts import Conflicts
from mcuplan.memory.problem import Problem

__all__ = ["Table", "by_lifetime", "by_sections", "make_table", "shuffled", "time_components"]


@dataclass(frozen=True, slots=True)
class Table:
    """Some buffers of a problem; sizes, distances and alignments count in ``grain`` bytes.

    Steps are compressed to sections: the largest sets of buffers alive together, in
    order of time; a buffer lives in sections ``[first, last)``. The conflicts of
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
    edge_start: array[int]
    edge_to: array[int]
    edge_above: array[int]
    edge_below: array[int]
    edge_shared: array[int]
    most_saved: array[int]

    @property
    def small(self) -> bool:
        """Whether no sum that the compiled search makes can leave 64 bits."""
        longest = max(max(self.size), max(self.align), max(self.edge_above, default=0))
        return longest * (len(self.edge_to) + self.count + 1) < 2**57

    @property
    def count(self) -> int:
        """Number of buffers."""
        return len(self.indices)

    @property
    def padding(self) -> int:
        """Most bytes that rounding to the grain adds to a buffer."""
        return max(s * self.grain - n for s, n in zip(self.size, self.nbytes, strict=True))

    def last_offsets(self, capacity: int) -> array[int]:
        """Greatest offset (units) of every buffer that ends within ``capacity`` bytes."""
        return array("q", [(capacity - nbytes) // self.grain for nbytes in self.nbytes])


def make_table(problem: Problem, conflicts: Conflicts, indices: Sequence[int]) -> Table:
    """Table of the given buffers; conflicts with others are left out."""
    buffers = problem.buffers
    where = {index: at for at, index in enumerate(indices)}
    edges = [
        [(where[o], below, above, o) for o, below, above in conflicts.of[i] if o in where]
        for i in indices
    ]
    grain = _grain(problem, indices, {d for row in edges for e in row for d in e[1:3]})
    partners = {
        i: tuple(o for o in others if o in where)
        for i, others in partners_of(problem).items()
        if i in where
    }
    first, last, sections = _sections(problem, indices)
    flat = [edge for row in edges for edge in row]
    shared = [
        most_shared(problem, i, o, grain) // grain if o in partners.get(i, ()) else 0
        for i, row in zip(indices, edges, strict=True)
        for _, _, _, o in row
    ]
    starts = [0]
    for row in edges:
        starts.append(starts[-1] + len(row))
    return Table(
        indices=tuple(indices),
        nbytes=tuple(buffers[i].nbytes for i in indices),
        grain=grain,
        sections=sections,
        size=_units((buffers[i].nbytes for i in indices), grain),
        align=_units((buffers[i].align for i in indices), grain),
        first=first,
        last=last,
        edge_start=array("q", starts),
        edge_to=array("q", [edge[0] for edge in flat]),
        edge_above=_units((edge[2] for edge in flat), grain),
        edge_below=_units((edge[1] for edge in flat), grain),
        edge_shared=array("q", shared),
        most_saved=_saved(problem, partners, indices, (first, last, sections), grain),
    )


def _units(values: Iterable[int], grain: int) -> array[int]:
    return array("q", [-(-value // grain) for value in values])


def _grain(problem: Problem, indices: Sequence[int], distances: set[int]) -> int:
    """Largest unit that all offsets worth trying are multiples of.

    Offsets are multiples of the common divisor of the alignments. With one alignment
    for all, sizes and distances rounded up to it may have a greater divisor: a buffer
    that rests on others lies at a sum of such distances.
    """
    grain = math.gcd(*(problem.buffers[i].align for i in indices))
    sizes = {-(-problem.buffers[i].nbytes // grain) for i in indices}
    coarser = math.gcd(*sizes, *(-(-distance // grain) for distance in distances))
    alike = all(problem.buffers[i].align == grain for i in indices)
    return grain * max(1, coarser) if alike else grain


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
