# SPDX-License-Identifier: Apache-2.0
"""How far an output may lie inside its input: from the order in which rows are read.

A step computes its output rows one after the other, first to last or last to first. While
it computes row y it reads the rows of its inputs that row y needs, and it may write any
byte of row y at any moment. So row y may lie on input rows only that no row still to come
needs, nor row y itself: going up, the output starts below its input; going down, above.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import MappingProxyType

import numpy as np

from mcuplan.ir.geometry import ONWARD, Shape, hulls, row_spans
from mcuplan.ir.op import Op, Signature
from mcuplan.schedule.gaps import Gap, Overlaps, Pair
from mcuplan.schedule.program import Program, Slot, Step
from mcuplan.solvers.packing.problem import Buffer

__all__ = ["goes_onward", "overlaps", "shared_bytes"]

_FAR = 1 << 62
_Reads = tuple[tuple[int, ...], ...]  # the activations that each call reads


def _read(step: Step) -> _Reads:
    """The activations that each call of a step reads, as indices of inputs."""
    constants = step.signature.constants
    return tuple(tuple(i for i in call.inputs if constants[i] is None) for call in step.calls)


@dataclass(frozen=True, slots=True)
class _Distances:
    """Least safe distances between the first bytes of the output and an input.

    ``above``: the input lies above the output. ``below``: the output lies above the input.
    """

    above: int = -_FAR
    below: int = -_FAR


def _distances(step: Step, descending: bool) -> Mapping[int, _Distances]:
    """Distances by index of the input."""
    return step.signature.once(_gauge)(_read(step), descending)


def _gauge(sig: Signature) -> Callable[[_Reads, bool], Mapping[int, _Distances]]:
    """What measures a node, once for each way in which its kernels read it; many plans ask."""
    row_bytes = (*(kind.row_bytes for kind in sig.inputs), sig.output.row_bytes)
    return cache(partial(_measured, sig.op, sig.shapes, sig.output.shape, row_bytes))


@lru_cache(maxsize=4096)
def _measured(
    op: Op,
    inputs: tuple[Shape, ...],
    output: Shape,
    row_bytes: tuple[int, ...],
    calls: _Reads,
    descending: bool,
) -> Mapping[int, _Distances]:
    """The distances of all kernels of an operator that read the same.

    At each row what that one and those still to come read of an input: lowest row, end.
    """
    found: dict[int, _Distances] = {}
    for index in dict.fromkeys(i for active in reversed(calls) for i in active):
        first, end = hulls(row_spans(op, index, inputs, output))
        rows = np.arange(len(first))[:: -1 if descending else 1]
        nothing = first == end
        low = np.where(nothing, _FAR, first)[rows]
        high = np.where(nothing, 0, end)[rows]
        read = [index in active for active in calls]
        lows = np.concatenate([low if one else np.full_like(low, _FAR) for one in read])
        highs = np.concatenate([high if one else np.zeros_like(high) for one in read])
        lowest = np.minimum.accumulate(lows[::-1])[::-1]
        furthest = np.maximum.accumulate(highs[::-1])[::-1]
        needed = lowest < _FAR
        if needed.any():
            starts = np.tile(rows, len(calls))[needed] * row_bytes[-1]
            above = starts + row_bytes[-1] - lowest[needed] * row_bytes[index]
            below = furthest[needed] * row_bytes[index] - starts
            found[index] = _Distances(int(above.max()), int(below.max()))
    return MappingProxyType(found)


def shared_bytes(step: Step) -> Mapping[str, int]:
    """Most bytes that the output and each input may have in common, if that dies here."""
    if not step.kernel.row_by_row or len(step.node.outputs) > 1:
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
        if not step.kernel.row_by_row or not fresh or len(step.node.outputs) > 1:
            continue
        pairs = _pairs(step, buffers, number, slots, lasting)
        if pairs:
            found[step.index] = pairs
        for pair in pairs:
            both = backwards and len(pairs) == 1 and not goes_onward(step)
            kernel = step.kernel  # of two rows or more, which single ones take as long as
            both = both and kernel.tall == 1 and not kernel.trades_flash
            entries |= _entries(buffers, pair, both=both)
    return Overlaps(MappingProxyType(entries), MappingProxyType(found))


def goes_onward(step: Step) -> bool:
    """Whether what a row is made from came along with those before it."""
    return any(axis_map == ONWARD for own in step.signature.maps for axis_map in own)


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
