# SPDX-License-Identifier: Apache-2.0
"""Buffers as shapes over time and addresses; neighbouring rows of one tensor are one shape."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mcuplan.record import BufferRow

__all__ = ["Block", "Slab", "blocks_of", "live_bytes", "slabs_of"]

_KINDS = ("io", "activation", "scratch")


@dataclass(frozen=True, slots=True)
class Slab:
    """Bytes [low, high) that are held from one moment to another."""

    start: int
    end: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Block:
    """A tensor and what shares its bytes, with one or more outlines.

    Attributes:
        rows: buffers of it, the first one by its own name.
        shapes: each a run of slabs, every one where the one before it ends.
        colour: which of the colours of activations; None: that of its kind.
    """

    rows: tuple[BufferRow, ...]
    shapes: tuple[tuple[Slab, ...], ...]
    colour: int | None = None

    @property
    def kind(self) -> str:
        """Kind of the buffer; of an input or output where one of the tensors is that."""
        return next(kind for kind in _KINDS if any(row.kind == kind for row in self.rows))

    @property
    def low(self) -> int:
        """First byte."""
        return min(row.offset for row in self.rows)

    @property
    def high(self) -> int:
        """Behind the last byte."""
        return max(row.offset + row.bytes for row in self.rows)

    @property
    def start(self) -> int:
        """When it is first held."""
        return min(row.start for row in self.rows)

    @property
    def end(self) -> int:
        """When it is not any more."""
        return max(row.end for row in self.rows)


def blocks_of(rows: Sequence[BufferRow]) -> list[Block]:
    """Buffers by the tensor whose bytes they share; large ones first, small ones above them."""
    groups: dict[tuple[str, int, int], list[BufferRow]] = {}
    for row in rows:
        when = (row.start, row.end) if row.row is None else (-1, -1)
        groups.setdefault((row.alias_of or row.name, *when), []).append(row)
    own = [group for group in groups.values() if all(r.kind == "activation" for r in group)]
    order = sorted(own, key=lambda group: min(row.start for row in group))
    names = dict.fromkeys(group[0].name for group in order)
    colours = {name: i for i, name in enumerate(names)}
    kinds = {id(group): colours[group[0].name] for group in own}
    made = [
        Block(tuple(group), tuple(_shapes(group)), kinds.get(id(group)))
        for group in groups.values()
    ]
    return sorted(made, key=lambda b: (b.low - b.high, b.start, b.low))


def slabs_of(rows: Iterable[BufferRow]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """From moment to moment the bytes that are held, as intervals without common bytes."""
    rows = list(rows)
    coming = sorted(rows, key=lambda row: row.start)
    moments = sorted({moment for row in rows for moment in (row.start, row.end)})
    held: list[tuple[int, int, int]] = []
    at = 0
    for start, end in pairwise(moments):
        held = [each for each in held if each[2] > start]
        while at < len(coming) and coming[at].start <= start:
            row = coming[at]
            insort(held, (row.offset, row.offset + row.bytes, row.end))
            at += 1
        yield start, end, _joined(held)


def _joined(held: Iterable[tuple[int, int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high, _ in held:
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _shapes(rows: Sequence[BufferRow]) -> Iterator[tuple[Slab, ...]]:
    """Outlines of what a tensor takes: it goes on where one interval follows on one other."""
    open_: list[list[Slab]] = []
    for start, end, held in slabs_of(rows):
        still: list[list[Slab]] = []
        for low, high in held:
            before = [s for s in open_ if _touches(s[-1], start, low, high)]
            if len(before) == 1 and _reached(before[0][-1], held) == 1:
                _extend(before[0], Slab(start, end, low, high))
                still.append(before[0])
            else:
                still.append([Slab(start, end, low, high)])
        yield from (tuple(shape) for shape in open_ if not any(shape is s for s in still))
        open_ = still
    yield from map(tuple, open_)


def _touches(slab: Slab, start: int, low: int, high: int) -> bool:
    return slab.end == start and slab.low < high and low < slab.high


def _reached(slab: Slab, held: Sequence[tuple[int, int]]) -> int:
    return sum(slab.low < high and low < slab.high for low, high in held)


def _extend(shape: list[Slab], slab: Slab) -> None:
    last = shape[-1]
    if (last.low, last.high) == (slab.low, slab.high):
        shape[-1] = Slab(last.start, slab.end, last.low, last.high)
    else:
        shape.append(slab)


def live_bytes(rows: Sequence[BufferRow]) -> list[tuple[int, int, int]]:
    """Bytes that are held in all regions together, from moment to moment: start, end, bytes."""
    regions = sorted({row.region for row in rows})
    changes: dict[int, int] = {}
    for region in regions:
        for start, end, held in slabs_of(row for row in rows if row.region == region):
            size = sum(high - low for low, high in held)
            changes[start] = changes.get(start, 0) + size
            changes[end] = changes.get(end, 0) - size
    found, size = [], 0
    moments = sorted(changes)
    for start, end in pairwise(moments):
        size += changes[start]
        found.append((start, end, size))
    return found
