# SPDX-License-Identifier: Apache-2.0
"""How far an output may lie inside its input: from the order in which rows are read.

A step computes output rows in ascending order. While it computes row y it reads the rows
of its inputs that row y needs, and it may write any byte of row y at any moment. So row y
may lie on input rows only that no row from y on needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mcuplan.memory.problem import Buffer
from mcuplan.schedule.program import Program, Slot, Step

__all__ = ["Access", "accesses", "separations", "shared_bytes"]


@dataclass(frozen=True, slots=True)
class Access:
    """One output row of a step: the row written, and rows ``[first, end)`` read by input."""

    row: int
    reads: tuple[tuple[int, int, int], ...]  # (index of the node's input, first, end)


def accesses(step: Step) -> Iterator[Access]:
    """What a step reads and writes, in the order in which its kernel does."""
    signature, op = step.signature, step.node.op
    output = signature.output
    for call in step.calls:
        active = [i for i in call.inputs if signature.constants[i] is None]
        for y in range(output.rows):
            rows = [(i, *op.rows_read(i, y, signature.inputs, output)) for i in active]
            yield Access(y, tuple(item for item in rows if item[1] < item[2]))


@dataclass(slots=True)
class _Distances:
    """Least safe distance from an output down to an input that lies above it, and up."""

    above: int = 0  # input above output: first byte of the input - first byte of the output
    below: int = 0  # input below output


def _distances(step: Step) -> dict[int, _Distances]:
    """Distances by input, in bytes between the tensors."""
    output = step.signature.output
    found: dict[int, _Distances] = {}
    needed: dict[int, tuple[int, int]] = {}
    for access in reversed(list(accesses(step))):
        for index, first, end in access.reads:
            low, high = needed.get(index, (first, end))
            needed[index] = (min(low, first), max(high, end))
        for index, (low, high) in needed.items():
            row_bytes = step.signature.inputs[index].row_bytes
            distances = found.setdefault(index, _Distances(-(1 << 62), -(1 << 62)))
            end_byte = (access.row + 1) * output.row_bytes
            distances.above = max(distances.above, end_byte - low * row_bytes)
            start_byte = access.row * output.row_bytes
            distances.below = max(distances.below, high * row_bytes - start_byte)
    return found


def shared_bytes(step: Step) -> Mapping[str, int]:
    """Most bytes that the output and each input may have in common, if that dies here."""
    if not step.kernel.row_by_row:
        return {}
    found: dict[str, int] = {}
    made = step.signature.output.nbytes
    for index, distances in _distances(step).items():
        size = step.signature.inputs[index].nbytes
        above = min(made - max(0, distances.above), size)
        below = min(size - max(0, distances.below), made)
        name, common = step.node.inputs[index], max(above, below)
        found[name] = min(common, found.get(name, common))
    return {name: common for name, common in found.items() if common > 0}


def separations(
    program: Program,
    buffers: Sequence[Buffer],
    slots: Mapping[str, Slot],
    lasting: Collection[str] = (),
    reserved: Collection[str] = (),
) -> Mapping[tuple[int, int], int]:
    """Entries for the placement problem: output and input buffers that may overlap.

    Only pairs that are alive together in one step alone: the input dies there and the
    output is made there. ``lasting`` are buffers that are read after the last step,
    ``reserved`` those that hold something before the first.
    """
    number = {buffer.name: i for i, buffer in enumerate(buffers)}
    entries: dict[tuple[int, int], int] = {}
    for step in program.steps:
        made = slots[step.node.output]
        output = buffers[number[made.buffer]]
        if not step.kernel.row_by_row or output.live.start != step.index:
            continue
        if output.name in reserved:
            continue
        pairs: dict[str, _Distances] = {}
        for index, distances in _distances(step).items():
            read = slots[step.node.inputs[index]]
            source = buffers[number[read.buffer]]
            if source.live.end != step.index + 1 or source is output or source.name in lasting:
                continue
            pair = pairs.setdefault(source.name, _Distances())
            pair.above = max(pair.above, made.offset + distances.above - read.offset)
            pair.below = max(pair.below, read.offset + distances.below - made.offset)
        for name, pair in pairs.items():
            low, high = number[output.name], number[name]
            entries |= _entries(buffers, low, high, pair)
    return MappingProxyType(entries)


def _entries(
    buffers: Sequence[Buffer], output: int, source: int, pair: _Distances
) -> dict[tuple[int, int], int]:
    found = {}
    if pair.above < buffers[output].nbytes:
        found[output, source] = pair.above
    if pair.below < buffers[source].nbytes:
        found[source, output] = pair.below
    return found
