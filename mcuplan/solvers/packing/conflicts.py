# SPDX-License-Identifier: Apache-2.0
"""Which buffers are alive together, and how far apart they must be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcuplan.solvers.packing.problem import Problem

__all__ = ["Conflicts", "Ints", "count_pairs", "loads", "ramp"]

Ints = npt.NDArray[np.int64]


class Conflicts:
    """All buffers of a problem in bytes, and for each those alive with it. Read only.

    The conflicts of buffer i are the edges ``edge_start[i]`` to ``edge_start[i + 1]``, in
    order of time: the other buffer, the least distance to it when it lies above, and when it
    lies below. Empty buffers conflict with nobody unless they have an entry. ``pinned`` is
    -1 for buffers that are not.
    """

    def __init__(self, problem: Problem) -> None:
        buffers = problem.buffers
        self.count = len(buffers)
        self.size: Ints = np.array([b.nbytes for b in buffers], np.int64)
        self.align: Ints = np.array([b.align for b in buffers], np.int64)
        self.pinned: Ints = np.full(self.count, -1, np.int64)
        self.pinned[list(problem.pinned)] = list(problem.pinned.values())
        lives = np.array([(b.live.start, b.live.end) for b in buffers], np.int64).reshape(-1, 2)
        order = np.lexsort((lives[:, 1], lives[:, 0]))
        place = np.argsort(order)
        low, high = self._pairs(problem, lives[order], order, place)
        self.pairs = len(low)
        to = np.concatenate([high, low])
        key = order[np.concatenate([low, high])] * self.count + to
        sequence = np.argsort(key)
        key = key[sequence]
        source: Ints = key // max(self.count, 1)
        self.edge_to: Ints = order[to[sequence]]
        self.edge_start: Ints = np.searchsorted(source, np.arange(self.count + 1))
        self.edge_above: Ints = self.size[source]
        self.edge_below: Ints = self.size[self.edge_to]
        for (below, above), distance in problem.separations.items():
            if buffers[below].live.meets(buffers[above].live):
                near = [below * self.count + place[above], above * self.count + place[below]]
                up, down = np.searchsorted(key, near)
                self.edge_above[up] = self.edge_below[down] = distance

    def _pairs(self, problem: Problem, lives: Ints, order: Ints, place: Ints) -> tuple[Ints, Ints]:
        """Places, in order of time, of buffers that conflict: the earlier and the later."""
        first = np.arange(self.count)
        later = np.searchsorted(lives[:, 0], lives[:, 1]) - first - 1
        low = np.repeat(first, later)
        high = low + 1 + ramp(later)
        kept = (self.size[order[low]] > 0) & (self.size[order[high]] > 0)
        if problem.separations:
            entries = np.sort(place[np.array(list(problem.separations), np.int64)], axis=1)
            known = entries[:, 0] * self.count + entries[:, 1]
            kept |= np.isin(low * self.count + high, known)
        return low[kept], high[kept]

    def alone(self, buffer: int) -> bool:
        """Whether a buffer conflicts with nobody."""
        return bool(self.edge_start[buffer] == self.edge_start[buffer + 1])


def ramp(lengths: Ints) -> Ints:
    """0, 1, .. up to each of the lengths, one after the other."""
    ends = np.cumsum(lengths)
    found: Ints = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    return found


def count_pairs(problem: Problem) -> int:
    """How many pairs are alive together, without listing them."""
    starts = sorted(buffer.live.start for buffer in problem.buffers)
    ends = sorted(buffer.live.end for buffer in problem.buffers)
    pairs, ended = 0, 0
    for begun, start in enumerate(starts):
        while ends[ended] <= start:
            ended += 1
        pairs += begun - ended
    return pairs


def loads(problem: Problem) -> list[int]:
    """For every buffer, the largest sum of live bytes at a step of its life."""
    change: dict[int, int] = {}
    for buffer in problem.buffers:
        change[buffer.live.start] = change.get(buffer.live.start, 0) + buffer.nbytes
        change[buffer.live.end] = change.get(buffer.live.end, 0) - buffer.nbytes
    place = {step: at for at, step in enumerate(sorted(change))}
    total = 0
    sums: list[int] = []
    for step in place:
        total += change[step]
        sums.append(total)
    windows = [sums]  # windows[k][i]: largest of 2**k sums from i on
    while 2 ** len(windows) <= len(place):
        low, half = windows[-1], 2 ** (len(windows) - 1)
        windows.append([max(low[i], low[i + half]) for i in range(len(low) - half)])
    found: list[int] = []
    for buffer in problem.buffers:
        first, last = place[buffer.live.start], place[buffer.live.end]
        k = (last - first).bit_length() - 1
        found.append(max(windows[k][first], windows[k][last - 2**k]))
    return found
