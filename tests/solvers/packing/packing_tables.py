# SPDX-License-Identifier: Apache-2.0
"""Random packing tables, and the least arena found by trying every offset."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from mcuplan.solvers.packing import Buffer, LiveRange, Problem


@st.composite
def problems(
    draw: st.DrawFn,
    most: int = 30,
    largest: int = 2000,
    aligns: tuple[int, ...] = (1, 4, 16),
    separations: bool = True,
) -> Problem:
    """Any table: empty buffers, mixed alignments, and entries of every kind."""
    count = draw(st.integers(0, most))
    steps = draw(st.integers(1, 8))
    buffers = []
    for index in range(count):
        start = draw(st.integers(0, steps - 1))
        end = draw(st.integers(start + 1, steps))
        size = draw(st.integers(0, largest))
        align = draw(st.sampled_from(aligns))
        buffers.append(Buffer(f"b{index}", size, LiveRange(start, end), align))
    entries: dict[tuple[int, int], int] = {}
    if separations and count > 1:
        for _ in range(draw(st.integers(0, 4))):
            low, high = draw(
                st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
                    lambda pair: pair[0] != pair[1]
                )
            )
            entries[low, high] = draw(
                st.one_of(st.just(0), st.integers(0, buffers[low].nbytes + largest // 4))
            )
    return Problem(tuple(buffers), entries)


@st.composite
def pinned_problems(draw: st.DrawFn, most: int = 6, largest: int = 9) -> Problem:
    """Any table with some buffers pinned where they do not disturb each other.

    Pinned ones may have an alignment of their own, so that they lie between the
    offsets that the others can have.
    """
    problem = draw(problems(most, largest, aligns=(1, 2, 4)))
    count = len(problem.buffers)
    fine = draw(st.booleans())
    chosen = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    buffers = tuple(
        replace(b, align=1) if fine and pin else b
        for b, pin in zip(problem.buffers, chosen, strict=True)
    )
    offsets: dict[int, int] = {}
    for index in range(count):
        if chosen[index]:
            align, least = buffers[index].align, draw(st.integers(0, 6))
            offsets[index] = next(
                at
                for at in range(least * align, 10**6, align)
                if all(
                    keeps_apart(problem, one, index, at - offset) for one, offset in offsets.items()
                )
            )
    return Problem(buffers, problem.separations, offsets)


def keeps_apart(problem: Problem, one: int, two: int, distance: int) -> bool:
    """Whether ``offset[two] - offset[one] == distance`` is allowed, by the definition."""
    first, second = problem.buffers[one], problem.buffers[two]
    entry = (one, two) in problem.separations or (two, one) in problem.separations
    if not first.live.meets(second.live) or not (entry or (first.nbytes and second.nbytes)):
        return True
    return distance >= problem.separation(one, two) or -distance >= problem.separation(two, one)


def least_arena(problem: Problem, enough: int) -> int:
    """Least arena of a tiny table, at most ``enough``, by trying every offset."""
    buffers = problem.buffers
    best = enough
    offsets = [0] * len(buffers)

    def place(index: int, top: int) -> None:
        nonlocal best
        if index == len(buffers):
            best = min(best, top)
            return
        size = buffers[index].nbytes
        tried = range(0, max(0, best - size), buffers[index].align)
        if index in problem.pinned:
            tried = range(problem.pinned[index], problem.pinned[index] + 1)
        for offset in tried:
            free = (keeps_apart(problem, i, index, offset - offsets[i]) for i in range(index))
            if max(top, offset + size) < best and all(free):
                offsets[index] = offset
                place(index + 1, max(top, offset + size))

    place(0, 0)
    return best


def cut_rectangle(seed: int, buffers: int, steps: int, height: int) -> Problem:
    """A table that fills ``height`` bytes over all steps without a gap, cut at random."""
    rng = random.Random(seed)
    pieces = [(0, steps, 0, height)]
    while len(pieces) < buffers:
        start, end, low, high = pieces.pop(
            max(range(len(pieces)), key=lambda i: rng.random() * (pieces[i][1] - pieces[i][0]))
        )
        if end - start > 1 and (rng.random() < 0.5 or high - low < 2):
            cut = rng.randint(start + 1, end - 1)
            pieces += [(start, cut, low, high), (cut, end, low, high)]
        elif high - low > 1:
            cut = rng.randint(low + 1, high - 1)
            pieces += [(start, end, low, cut), (start, end, cut, high)]
        else:
            pieces.append((start, end, low, high))
    rng.shuffle(pieces)
    return Problem(
        tuple(
            Buffer(f"b{index}", high - low, LiveRange(start, end), 1)
            for index, (start, end, low, high) in enumerate(pieces)
        )
    )


def rows_of_chain(
    rows: int, row_bytes: int, layers: Sequence[tuple[int, int, int]], *, pin: bool, scratch: int
) -> Problem:
    """Row buffers of a chain of convolutions run depth first into a whole last tensor.

    Args:
        rows: of the input.
        row_bytes: of a row of it.
        layers: kernel height, stride and bytes of an output row, padded to keep the size.
        pin: the input is there from the start, its rows one behind the other; else a row
            arrives when it is needed.
        scratch: bytes that every move needs for itself per row it may read.
    """
    heights = [rows]
    for _, stride, _ in layers:
        heights.append(-(-heights[-1] // stride))
    made: dict[tuple[int, int], int] = {}
    last: dict[tuple[int, int], int] = {}
    buffers: list[Buffer] = []
    steps = 0

    def make(layer: int, row: int) -> None:
        nonlocal steps
        if layer == 0:
            made[0, row] = 0 if pin else steps
            return
        kernel, stride, _ = layers[layer - 1]
        above = max(0, (heights[layer] - 1) * stride + kernel - heights[layer - 1]) // 2
        first, end = row * stride - above, row * stride - above + kernel
        reads = range(max(0, first), min(heights[layer - 1], end))
        for source in reads:
            if (layer - 1, source) not in made:
                make(layer - 1, source)
        made[layer, row] = steps
        last.update({(layer - 1, source): steps for source in reads})
        if scratch:
            live = LiveRange(steps, steps + 1)
            buffers.append(Buffer(f"scratch{steps}", kernel * scratch, live))
        steps += 1

    for row in range(heights[-1]):
        make(len(layers), row)
    pinned: dict[int, int] = {}
    sizes = [row_bytes, *(size for _, _, size in layers)]
    for (layer, row), step in made.items():
        if layer < len(layers):
            if layer == 0 and pin:
                pinned[len(buffers)] = row * row_bytes
            live = LiveRange(step, last[layer, row] + 1)
            buffers.append(Buffer(f"layer{layer} row{row}", sizes[layer], live))
    whole = LiveRange(made[len(layers), 0], steps)
    buffers.append(Buffer("whole", heights[-1] * sizes[-1], whole))
    return Problem(tuple(buffers), {}, pinned)


def loose_table(
    seed: int, buffers: int, steps: int, align: int = 4, life: float | None = None
) -> Problem:
    """Buffers of random sizes and lifetimes, a tenth of the steps on average if not given."""
    rng = random.Random(seed)

    def one(index: int) -> Buffer:
        start = rng.randrange(steps)
        end = start + 1 + int(rng.expovariate(1 / life if life else 10 / steps))
        return Buffer(f"b{index}", rng.randint(1, 5000), LiveRange(start, end), align)

    return Problem(tuple(map(one, range(buffers))))
