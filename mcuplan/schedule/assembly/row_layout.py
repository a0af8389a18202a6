# SPDX-License-Identifier: Apache-2.0
"""Buffers of a program that works by rows, in a given order of moves.

Every row is a buffer of its own with the moves at which it must exist. A row that replaces
another one takes over its buffer. A resident input lies in one piece from the start, but
each of its rows ends by itself: its rows are pinned one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import gcd
from types import MappingProxyType

from mcuplan.schedule.assembly.row_local import RowProgram
from mcuplan.schedule.program import FEED, Allocation, Run, Sharing, Slot
from mcuplan.solvers.packing.problem import Buffer, LiveRange
from mcuplan.solvers.rows.problem import RowTensor
from mcuplan.units import align_up

__all__ = ["lay_out"]

_ALIGN = 4  # bytes; of what lies in one piece


@dataclass(slots=True)
class _Span:
    """A buffer under construction: its first move, and the move after the last use."""

    name: str
    nbytes: int
    align: int
    start: int
    end: int
    pinned: int | None = None


@dataclass(slots=True)
class _Lives:
    """Buffers by number, and where the rows of each row tensor lie."""

    spans: list[_Span] = field(default_factory=list)
    homes: list[dict[int, int]] = field(default_factory=list)  # tensor -> row -> number
    in_place: set[int] = field(default_factory=set)  # row steps


def lay_out(
    rowed: RowProgram,
    order: Sequence[int],
    sharing: Sharing,
    *,
    align: int = _ALIGN,
    one_scratch: bool = False,
    before: int = 0,
) -> tuple[Allocation, tuple[Run, ...]]:
    """Buffers, live ranges and runs of an order of row steps.

    ``align``: of offsets, where they are not given and it is more than a buffer needs itself.
    ``one_scratch``: the scratch of all runs lies in one place, which nothing else uses. Else
    ``before`` bytes lie in front of the inputs that are there from the start.
    """
    scratch = _one_scratch(rowed, order) if one_scratch else _scratch(rowed, order)
    base = max((span.nbytes for span in scratch.values()), default=0) if one_scratch else before
    scratch |= _held_scratch(rowed, order)
    lives, (runs, run_of) = _lives(rowed, order, sharing, base), _runs(rowed, order)
    count = len(order)
    spans = [*lives.spans, *{id(span): span for span in scratch.values()}.values()]
    buffers = tuple(
        Buffer(
            span.name,
            span.nbytes,
            LiveRange(span.start, max(span.start + 1, min(span.end, max(1, count)))),
            max(align, span.align) if align > _ALIGN and span.pinned is None else span.align,
        )
        for span in spans
    )
    used: dict[int, str] = {}
    for move, span in scratch.items():
        used.setdefault(run_of[move], span.name)
    pinned = {i: span.pinned for i, span in enumerate(spans) if span.pinned is not None}
    allocation = Allocation(
        buffers,
        MappingProxyType(_rows(rowed, lives)),
        MappingProxyType(used),
        pinned=MappingProxyType(pinned),
        in_place=tuple(sorted(rowed.steps[number] for number in lives.in_place)),
    )
    return allocation, runs


def _lives(rowed: RowProgram, order: Sequence[int], sharing: Sharing, base: int) -> _Lives:
    """Rows and tensors; resident inputs from offset ``base`` on."""
    tensors, steps = rowed.graph.tensors, rowed.graph.steps
    last = _last_reads(rowed, order)
    found = _Lives(homes=[{} for _ in tensors])
    base = align_up(base, _ALIGN)
    for name in rowed.resident:
        base = _residents(found, tensors, rowed.tensors[name], last, base)
    if sharing.keep_outputs:
        for port in rowed.program.graph.outputs:
            index = rowed.tensors[rowed.aliases.slots[port.tensor].buffer]
            if not found.homes[index]:
                _open(found, tensors, index, 0, 0, last)
    moved = [0] * len(steps)
    for at, number in enumerate(order):
        step = steps[number]
        before = step.moves[moved[number] - 1].made if moved[number] else 0
        made = step.moves[moved[number]].made
        moved[number] += 1
        for row in range(before, max(made, before + 1)):
            if row in found.homes[step.output] or row >= tensors[step.output].rows:
                continue
            source = step.replaces if sharing.in_place else -1
            if source >= 0 and last[source].get(row, -1) == at and row in found.homes[source]:
                home = found.homes[source][row]
                found.homes[step.output][row] = home
                found.spans[home].end = max(at, last[step.output].get(row, at)) + 1
                found.in_place.add(number)
            else:
                _open(found, tensors, step.output, row, at, last)
    return found


def _last_reads(rowed: RowProgram, order: Sequence[int]) -> list[dict[int, int]]:
    """For each tensor and row the last move that reads it; beyond the last where it lasts."""
    tensors, steps = rowed.graph.tensors, rowed.graph.steps
    found: list[dict[int, int]] = [{} for _ in tensors]
    moved = [0] * len(steps)
    for at, number in enumerate(order):
        move = steps[number].moves[moved[number]]
        moved[number] += 1
        for tensor, first, end in move.reads:
            found[tensor] |= dict.fromkeys(range(first, end), at)
        if moved[number] == len(steps[number].moves):
            output = steps[number].output
            if tensors[output].rows == 1 or tensors[output].whole:
                found[output][0] = at
    for index, each in enumerate(tensors):
        if each.lasts:
            found[index] = dict.fromkeys(range(each.rows), len(order))
        elif each.whole:
            found[index] = dict.fromkeys(range(each.rows), max(found[index].values(), default=0))
    return found


def _residents(
    found: _Lives, tensors: Sequence[RowTensor], index: int, last: list[dict[int, int]], base: int
) -> int:
    """Buffers of an input that is there from the start; the first free offset behind it."""
    tensor = tensors[index]
    if tensor.whole or tensor.rows == 1:
        _open(found, tensors, index, 0, 0, last)
        return base
    for row in range(tensor.rows):
        _open(found, tensors, index, row, 0, last)
        found.spans[-1].pinned = base + row * tensor.row_bytes
    return align_up(base + tensor.rows * tensor.row_bytes, _ALIGN)


def _open(
    found: _Lives,
    tensors: Sequence[RowTensor],
    index: int,
    row: int,
    at: int,
    last: list[dict[int, int]],
) -> None:
    """A new buffer for a row, or for all rows of a tensor in one piece."""
    tensor = tensors[index]
    alone = tensor.rows == 1 or tensor.whole
    nbytes = tensor.row_bytes * (tensor.rows if alone else 1)
    align = _ALIGN if alone else gcd(_ALIGN, tensor.row_bytes)
    name = tensor.name if alone else f"{tensor.name}[{row}]"
    end = last[index].get(0 if alone else row, at) + 1
    for each in range(tensor.rows) if alone else (row,):
        found.homes[index][each] = len(found.spans)
    found.spans.append(_Span(name, nbytes, align, at, max(end, at + 1)))


def _scratch(rowed: RowProgram, order: Sequence[int]) -> dict[int, _Span]:
    """A buffer for the scratch of each move; the moves of a run share one."""
    found: dict[int, _Span] = {}
    before = -1
    for at, number in enumerate(order):
        nbytes = 0 if _is_staged(rowed, number) else rowed.graph.steps[number].scratch_bytes
        if nbytes and number == before and _merges(rowed, number):
            span = found[at - 1]
            span.end = at + 1
            found[at] = span
        elif nbytes:
            found[at] = _Span(f"scratch{at}", nbytes, _ALIGN, at, at + 1)
        before = number
    return found


def _one_scratch(rowed: RowProgram, order: Sequence[int]) -> dict[int, _Span]:
    """The same buffer for each move that needs scratch, below everything else."""
    steps = rowed.graph.steps
    sizes = {at: steps[n].scratch_bytes for at, n in enumerate(order) if not _is_staged(rowed, n)}
    moves = [at for at, nbytes in sizes.items() if nbytes]
    if not moves:
        return {}
    span = _Span("scratch", max(sizes.values()), _ALIGN, moves[0], moves[-1] + 1, pinned=0)
    return dict.fromkeys(moves, span)


def _held_scratch(rowed: RowProgram, order: Sequence[int]) -> dict[int, _Span]:
    """Of a step that copies its weights into its scratch: one buffer from its first move on."""
    found: dict[int, _Span] = {}
    by_step: dict[int, _Span] = {}
    for at, number in enumerate(order):
        if _is_staged(rowed, number):
            nbytes = rowed.graph.steps[number].scratch_bytes
            span = by_step.setdefault(number, _Span(f"scratch{at}", nbytes, _ALIGN, at, at + 1))
            span.end = at + 1
            found[at] = span
    return found


def _is_staged(rowed: RowProgram, number: int) -> bool:
    step = rowed.steps[number]
    return step != FEED and rowed.program.steps[step].kernel.staged


def _merges(rowed: RowProgram, number: int) -> bool:
    """Whether neighbouring moves of a row step are one call: it makes several moves of one."""
    step = rowed.steps[number]
    return step == FEED or len(rowed.program.steps[step].calls) == 1


def _runs(rowed: RowProgram, order: Sequence[int]) -> tuple[tuple[Run, ...], list[int]]:
    """The calls, neighbouring moves of a step merged, and the run of each move."""
    found: list[Run] = []
    run_of: list[int] = []
    moved = [0] * len(rowed.graph.steps)
    before = -1
    for number in order:
        first, end = rowed.runs[number][moved[number]]
        moved[number] += 1
        if number == before and _merges(rowed, number):
            found[-1] = replace(found[-1], end=end, moves=found[-1].moves + 1)
        else:
            found.append(Run(rowed.steps[number], first, end))
        run_of.append(len(found) - 1)
        before = number
    return tuple(found), run_of


def _rows(rowed: RowProgram, lives: _Lives) -> dict[str, tuple[Slot, ...]]:
    """Where tensors in one piece lie, and the rows of the others."""
    rows: dict[str, tuple[Slot, ...]] = {}
    for name, slot in rowed.aliases.slots.items():
        index = rowed.tensors[slot.buffer]
        tensor, homes = rowed.graph.tensors[index], lives.homes[index]
        if tensor.whole or tensor.rows == 1:
            rows[name] = (Slot(lives.spans[homes[0]].name, slot.offset),)
        else:
            rows[name] = tuple(Slot(lives.spans[homes[y]].name) for y in range(tensor.rows))
    return rows
