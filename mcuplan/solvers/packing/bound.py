# SPDX-License-Identifier: Apache-2.0
"""The peak of the live bytes: no placement can be smaller."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcuplan.solvers.packing.problem import Buffer, Problem
from mcuplan.units import align_up

__all__ = ["LowerBound", "lower_bound", "most_saved", "most_shared", "partners_of"]


@dataclass(frozen=True, slots=True)
class LowerBound:
    """``bytes`` that every placement needs because of what is alive at ``step``."""

    bytes: int
    step: int


def partners_of(problem: Problem) -> dict[int, tuple[int, ...]]:
    """For every buffer with an entry: the buffers alive with it that it has entries with."""
    found: dict[int, set[int]] = {}
    for low, high in problem.separations:
        if problem.buffers[low].live.meets(problem.buffers[high].live):
            found.setdefault(low, set()).add(high)
            found.setdefault(high, set()).add(low)
    return {index: tuple(sorted(others)) for index, others in sorted(found.items())}


def most_shared(problem: Problem, one: int, two: int, grain: int = 1) -> int:
    """Most bytes that two buffers alive together can have in common.

    Sizes and distances are rounded up to ``grain``, which must divide both alignments.
    """

    def common(low: int, high: int) -> int:
        distance = align_up(problem.separation(low, high), grain)
        size_low = align_up(problem.buffers[low].nbytes, grain)
        return min(size_low - distance, align_up(problem.buffers[high].nbytes, grain))

    return max(0, common(one, two), common(two, one))


def lower_bound(problem: Problem) -> LowerBound:
    """Largest number of bytes that some step cannot do without.

    At a step, offsets are multiples of the common divisor of the live alignments, so
    all live buffers but the topmost take their size rounded up to it. What pairs may
    share is taken off: every buffer adds at least its size less what it can share
    with those counted before it. Where a pinned buffer ends is a bound too.

    Returns:
        The bound and the first step where it occurs; step -1 without buffers.
    """
    if not problem.buffers:
        return LowerBound(0, -1)
    partners = partners_of(problem)
    # The heaviest step first: its bound spares the work on most of the others.
    _, negated = max((load, -step) for step, load, _ in _live_steps(problem.buffers))
    heaviest = (live for step, _, live in _live_steps(problem.buffers) if step == -negated)
    best = _step_bytes(problem, next(heaviest), partners)
    first: int | None = None
    for step, load, live in _live_steps(problem.buffers):
        if load < best:
            continue
        needed = _step_bytes(problem, live, partners)
        if needed > best or (needed == best and first is None):
            best, first = needed, step
    assert first is not None, "the heaviest step is visited again"
    pinned = problem.pinned.items()
    ends = [(o + problem.buffers[i].nbytes, -problem.buffers[i].live.start) for i, o in pinned]
    top, start = max(ends, default=(0, 0))
    return LowerBound(top, -start) if top > best else LowerBound(best, first)


def _live_steps(buffers: Sequence[Buffer]) -> Iterator[tuple[int, int, Mapping[int, int]]]:
    """Every step where a buffer starts (elsewhere the live set only shrinks).

    Yields the step, at least the bytes it needs, and the live buffers; the mapping is
    valid until the next step is asked for.
    """
    grain = math.lcm(*(buffer.align for buffer in buffers))
    opening: dict[int, list[int]] = {}
    closing: dict[int, list[int]] = {}
    for index, buffer in enumerate(buffers):
        opening.setdefault(buffer.live.start, []).append(index)
        closing.setdefault(buffer.live.end, []).append(index)
    alive: dict[int, int] = {}
    load = 0
    for step in sorted({*opening, *closing}):
        for index in closing.get(step, ()):
            load -= alive.pop(index)
        for index in opening.get(step, ()):
            alive[index] = align_up(buffers[index].nbytes, grain)
            load += alive[index]
        if step in opening:
            yield step, load, alive


def _step_bytes(
    problem: Problem, live: Iterable[int], partners: Mapping[int, tuple[int, ...]]
) -> int:
    buffers = problem.buffers
    used = [i for i in live if buffers[i].nbytes > 0]
    if not used:
        return 0
    grain = math.gcd(*{buffers[i].align for i in used})
    sizes = {i: align_up(buffers[i].nbytes, grain) for i in used}
    padding = max(sizes[i] - buffers[i].nbytes for i in used)
    largest = max(buffers[i].nbytes for i in used)
    paired = [i for i in used if i in partners]
    total = sum(sizes.values())
    if not paired:
        return max(largest, total - padding)
    return max(largest, total - most_saved(problem, paired, partners, grain) - padding)


def most_saved(
    problem: Problem, live: Iterable[int], partners: Mapping[int, tuple[int, ...]], grain: int
) -> int:
    """Most bytes that sharing can save among buffers alive together, rounded to ``grain``.

    Every buffer saves at most its own size; the better of two orders of counting is taken.
    """
    paired = [i for i in live if i in partners]
    if len(paired) < 2:
        return 0
    sizes = {i: align_up(problem.buffers[i].nbytes, grain) for i in paired}
    by_degree = sorted(paired, key=lambda i: (len(partners[i]), i))
    by_size = sorted(paired, key=lambda i: (-sizes[i], i))
    return min(_saved(problem, order, sizes, partners, grain) for order in (by_degree, by_size))


def _saved(
    problem: Problem,
    order: Sequence[int],
    sizes: Mapping[int, int],
    partners: Mapping[int, tuple[int, ...]],
    grain: int,
) -> int:
    """Most bytes that sharing can save when buffers are counted in this order."""
    counted: set[int] = set()
    saved = 0
    for index in order:
        common = (most_shared(problem, index, j, grain) for j in partners[index] if j in counted)
        saved += min(sizes[index], sum(common))
        counted.add(index)
    return saved
