# SPDX-License-Identifier: Apache-2.0
"""First fit for tables with millions of conflicts, which are never listed."""

from __future__ import annotations

import numpy as np

from mcuplan.solvers.packing.bound import partners_of
from mcuplan.solvers.packing.greedy import Packing
from mcuplan.solvers.packing.problem import Problem

__all__ = ["crowded_fit"]


def crowded_fit(problem: Problem) -> Packing:
    """Largest buffer first, each at the lowest free offset.

    The same placement as first fit by size; conflicts are found anew for every buffer
    among those placed, which are kept in order of address.
    """
    buffers, partners = problem.buffers, partners_of(problem)
    offsets, pinned = [0] * len(buffers), problem.pinned
    order = sorted(
        range(len(buffers)),
        key=lambda i: (i not in pinned, -buffers[i].nbytes, buffers[i].live.start, i),
    )
    placed = np.empty((5, 0), dtype=np.int64)  # offset, end offset, start, end, index
    for index in order:
        buffer = buffers[index]
        starts, ends = placed[2], placed[3]
        meets = placed[:, (starts < buffer.live.end) & (ends > buffer.live.start)]
        low, high = meets[0] - buffer.nbytes, meets[1].copy()
        if buffer.nbytes == 0:
            low, high = low[:0], high[:0]
        if index in partners:
            low, high = _with_entries(problem, index, meets)
        at = pinned.get(index, -1)
        if at < 0:
            at = _lowest(low, high, buffer.align)
        offsets[index] = at
        row = np.searchsorted(placed[0], at)
        new = (at, at + buffer.nbytes, buffer.live.start, buffer.live.end, index)
        placed = np.insert(placed, row, new, axis=1)
    top = max((o + b.nbytes for o, b in zip(offsets, buffers, strict=True)), default=0)
    return Packing(tuple(offsets), top, "first fit by size")


def _lowest(low: np.ndarray, high: np.ndarray, align: int) -> int:
    """Smallest aligned offset outside all open ranges ``(low, high)``, sorted by ``low``."""
    reach = np.maximum.accumulate(np.concatenate(([0], high)))
    reach = -(-reach // align) * align
    free = np.flatnonzero(np.append(low >= reach[:-1], True))
    return int(reach[free[0]])


def _with_entries(problem: Problem, index: int, meets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forbidden ranges of a buffer that has entries of its own, sorted."""
    ranges = []
    for offset, _, _, _, other in meets.T.tolist():
        entry = (index, other) in problem.separations or (other, index) in problem.separations
        if entry or (problem.buffers[index].nbytes and problem.buffers[other].nbytes):
            above, below = problem.separation(index, other), problem.separation(other, index)
            ranges.append((offset - above, offset + below))
    ranges.sort()
    pairs = np.array(ranges, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
