# SPDX-License-Identifier: Apache-2.0
"""Which buffers are alive together, and how far apart they must be."""

from __future__ import annotations

from mcuplan.solvers.packing.problem import Problem

__all__ = ["Conflicts", "count_pairs", "loads"]


class Conflicts:
    """For every buffer, those alive with it: (other, distance below, distance above).

    ``distance below`` is the separation when the other buffer lies below this one,
    ``distance above`` when it lies above. Empty buffers conflict with nobody unless
    they have an entry. Read only.
    """

    __slots__ = ("of", "pairs")

    def __init__(self, problem: Problem) -> None:
        buffers, entries = problem.buffers, problem.separations
        self.of: list[list[tuple[int, int, int]]] = [[] for _ in buffers]
        self.pairs = 0
        alive: list[int] = []
        for one in sorted(range(len(buffers)), key=lambda i: (buffers[i].live, i)):
            start, size = buffers[one].live.start, buffers[one].nbytes
            alive = [two for two in alive if buffers[two].live.end > start]
            for two in alive:
                above, below = size, buffers[two].nbytes
                if (one, two) in entries or (two, one) in entries:
                    above, below = problem.separation(one, two), problem.separation(two, one)
                elif not (above and below):
                    continue
                self.of[one].append((two, below, above))
                self.of[two].append((one, above, below))
                self.pairs += 1
            alive.append(one)


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
