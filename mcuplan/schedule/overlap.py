# SPDX-License-Identifier: Apache-2.0
"""How far an output may lie inside its input: from the order in which rows are read.

A step computes its output rows one after the other, first to last or last to first. While
it computes row y it reads the rows of its inputs that row y needs, and it may write any
byte of row y at any moment. So row y may lie on input rows only that no row still to come
needs, nor row y itself: going up, the output starts below its input; going down, above.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from mcuplan.ir.op import Op
from mcuplan.ir.types import TensorType
from mcuplan.schedule.gaps import Gap, Overlaps, Pair
from mcuplan.schedule.program import Program, Slot, Step
from mcuplan.solvers.packing.problem import Buffer

__all__ = ["Access", "accesses", "overlaps", "shared_bytes"]


_FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Access:
    """One output row of a step: the row written, and rows ``[first, end)`` read by input."""

    row: int
    reads: tuple[tuple[int, int, int], ...]  # (index of the node's input, first, end)


def accesses(step: Step, descending: bool = False) -> Iterator[Access]:
    """What a step reads and writes, in the order in which its kernel does."""
    signature = step.signature
    return _accesses(
        step.node.op, signature.inputs, signature.output, _read(step), descending=descending
    )


def _read(step: Step) -> tuple[tuple[int, ...], ...]:
    """The activations that each call of a step reads, as indices of inputs."""
    constants = step.signature.constants
    return tuple(tuple(i for i in call.inputs if constants[i] is None) for call in step.calls)


def _accesses(
    op: Op,
    inputs: tuple[TensorType, ...],
    output: TensorType,
    calls: tuple[tuple[int, ...], ...],
    *,
    descending: bool,
) -> Iterator[Access]:
    rows = range(output.rows)
    for active in calls:
        for y in reversed(rows) if descending else rows:
            read = [(i, *op.rows_read(i, y, inputs, output)) for i in active]
            yield Access(y, tuple(item for item in read if item[1] < item[2]))


@dataclass(frozen=True, slots=True)
class _Distances:
    """Least safe distances between the first bytes of the output and an input.

    ``above``: the input lies above the output. ``below``: the output lies above the input.
    """

    above: int = -_FAR
    below: int = -_FAR


def _distances(step: Step, descending: bool) -> Mapping[int, _Distances]:
    """Distances by index of the input."""
    signature = step.signature
    return _measured(step.node.op, signature.inputs, signature.output, _read(step), descending)


@lru_cache(maxsize=4096)
def _measured(
    op: Op,
    inputs: tuple[TensorType, ...],
    output: TensorType,
    calls: tuple[tuple[int, ...], ...],
    descending: bool,
) -> Mapping[int, _Distances]:
    """The distances of all kernels of an operator that read the same; many plans ask."""
    made, row_bytes = output.row_bytes, [kind.row_bytes for kind in inputs]
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    needed: dict[int, tuple[int, int]] = {}
    for access in reversed(list(_accesses(op, inputs, output, calls, descending=descending))):
        for index, first, end in access.reads:
            low, high = needed.get(index, (first, end))
            needed[index] = (min(low, first), max(high, end))
        start = access.row * made
        for index, (low, high) in needed.items():
            above[index] = max(above.get(index, -_FAR), start + made - low * row_bytes[index])
            below[index] = max(below.get(index, -_FAR), high * row_bytes[index] - start)
    return MappingProxyType({i: _Distances(above[i], below[i]) for i in above})


def shared_bytes(step: Step) -> Mapping[str, int]:
    """Most bytes that the output and each input may have in common, if that dies here."""
    if not step.kernel.row_by_row:
        return {}
    found: dict[str, int] = {}
    made = step.signature.output.nbytes
    up, down = _distances(step, False), _distances(step, True)
    for index in up:
        size = step.signature.inputs[index].nbytes
        above = min(up[index].above, down[index].above)
        below = min(up[index].below, down[index].below)
        common = max(min(made - max(0, above), size), min(size - max(0, below), made))
        name = step.node.inputs[index]
        found[name] = min(common, found.get(name, common))
    return {name: common for name, common in found.items() if common > 0}


def overlaps(
    program: Program,
    buffers: Sequence[Buffer],
    slots: Mapping[str, Slot],
    lasting: Collection[str] = (),
    reserved: Collection[str] = (),
    *,
    backwards: bool = True,
) -> Overlaps:
    """What outputs and inputs may share.

    Only pairs that are alive together in one step alone: the input dies there and the
    output is made there. ``lasting`` are buffers that are read after the last step,
    ``reserved`` those that hold something before the first. ``backwards``: rows may be made
    from the last to the first.
    """
    number = {buffer.name: i for i, buffer in enumerate(buffers)}
    entries: dict[tuple[int, int], int] = {}
    found: dict[int, tuple[Pair, ...]] = {}
    for step in program.steps:
        output = buffers[number[slots[step.node.output].buffer]]
        read = {slots[n].buffer for n in program.graph.activations(step.node)}
        made_here = output.live.start == step.index and output.name not in read
        fresh = made_here and output.name not in reserved
        if not step.kernel.row_by_row or not fresh:
            continue
        pairs = _pairs(step, buffers, number, slots, lasting)
        if pairs:
            found[step.index] = pairs
        for pair in pairs:
            entries |= _entries(buffers, pair, both=backwards and len(pairs) == 1)
    return Overlaps(MappingProxyType(entries), MappingProxyType(found))


def _pairs(
    step: Step,
    buffers: Sequence[Buffer],
    number: Mapping[str, int],
    slots: Mapping[str, Slot],
    lasting: Collection[str],
) -> tuple[Pair, ...]:
    made = slots[step.node.output]
    gaps: dict[int, list[_Distances]] = {}
    for falling in (False, True):
        for index, distances in _distances(step, falling).items():
            read = slots[step.node.inputs[index]]
            source = buffers[number[read.buffer]]
            dies = source.live.end == step.index + 1 and source.name not in lasting
            if not dies or read.buffer == made.buffer:
                continue
            both = gaps.setdefault(number[read.buffer], [_Distances(), _Distances()])
            shift = made.offset - read.offset
            known = both[falling]
            both[falling] = _Distances(
                max(known.above, distances.above + shift), max(known.below, distances.below - shift)
            )
    return tuple(
        Pair(number[made.buffer], source, *(Gap(max(0, d.above), max(0, d.below)) for d in both))
        for source, both in gaps.items()
    )


def _entries(buffers: Sequence[Buffer], pair: Pair, both: bool) -> dict[tuple[int, int], int]:
    """Separations of a pair; where several pairs share a step, all are to run from the first."""
    gaps = (pair.rising, pair.falling) if both else (pair.rising,)
    above, below = min(g.above for g in gaps), min(g.below for g in gaps)
    found = {}
    if above < buffers[pair.output].nbytes:
        found[pair.output, pair.source] = above
    if below < buffers[pair.source].nbytes:
        found[pair.source, pair.output] = below
    return found
