# SPDX-License-Identifier: Apache-2.0
"""Groups of steps in column tiles: what each tile computes, and the rows that then exist.

Rows cost no halo: they stream. What is computed twice is what neighbouring tiles of the
group's last tensor both need of the tensors before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from mcuplan.ir.geometry import hulls
from mcuplan.ir.types import TensorType
from mcuplan.schedule.assembly.row_local import RowProgram, is_row_local
from mcuplan.schedule.program import FEED, Step
from mcuplan.solvers.rows.problem import Move, RowGraph, RowStep, RowTensor

__all__ = ["Group", "Tile", "groups_of", "tile_macs", "tiled", "tiles_of"]

Tile = Mapping[int, tuple[int, int]]
"""Columns ``[first, end)`` that a tile has of each tensor of a group, its source included."""


@dataclass(frozen=True, slots=True)
class Group:
    """Steps from one tensor to another that nobody else reads from.

    ``steps``, ``source`` and ``end`` are indices of the row graph; the last step makes ``end``.
    ``gatherer`` is the step that adds up all rows of ``end``, part after part, so that none
    is collected; -1 where others read it.
    """

    source: int
    end: int
    steps: tuple[int, ...]
    gatherer: int = -1


def groups_of(rowed: RowProgram) -> tuple[Group, ...]:
    """All groups that column tiles can compute."""
    graph = rowed.graph
    makers = {step.output: s for s, step in enumerate(graph.steps)}
    able = frozenset(s for s in range(len(graph.steps)) if _by_columns(rowed, s))
    readers: dict[int, set[int]] = {}
    for s, step in enumerate(graph.steps):
        for t in _sources(step):
            readers.setdefault(t, set()).add(s)
    found = []
    for source in range(len(graph.tensors)):
        for end, last in makers.items():
            steps = _between(graph, makers, source, last, able)
            inner = {graph.steps[s].output for s in steps} - {end}
            if steps and all(readers.get(t, set()) <= set(steps) for t in inner):
                found.append(Group(source, end, steps, _gatherer(rowed, readers.get(end, set()))))
    return tuple(found)


def tiles_of(rowed: RowProgram, group: Group, count: int) -> tuple[Tile, ...]:
    """Columns of each tile; no tile where the last tensor has fewer columns."""
    width = _type(rowed, group.end).shape[2]
    if not 1 <= count <= width:
        return ()
    cuts = [width * j // count for j in range(count + 1)]
    return tuple(_tile(rowed, group, first, end) for first, end in pairwise(cuts))


def tile_macs(rowed: RowProgram, group: Group, tile: Tile) -> int:
    """Multiply-accumulates of the group's steps for one tile."""
    return sum(_macs(rowed, s, tile[rowed.graph.steps[s].output]) for s in group.steps)


def tiled(rowed: RowProgram, group: Group, tiles: tuple[Tile, ...]) -> tuple[RowGraph, list[int]]:
    """The rows with the group in tiles, and for each of its steps the one it comes from.

    Every tile has tensors and steps of its own; readers of the last tensor read the rows of
    all its parts. What the group made before is left without rows.
    """
    graph = rowed.graph
    tensors, parts = list(graph.tensors), list[int]()
    made: list[RowStep] = []
    for j, tile in enumerate(tiles):
        index = {}
        for s in group.steps:
            t = graph.steps[s].output
            index[t] = len(tensors)
            tensors.append(_narrow(rowed, t, tile[t], j))
        parts.append(index[group.end])
        made += [_in_tile(graph.steps[s], index) for s in group.steps]
    for s in group.steps:
        t = graph.steps[s].output
        tensors[t] = replace(tensors[t], rows=0)
    steps: list[RowStep] = []
    origins: list[int] = []
    for s, step in enumerate(graph.steps):
        if s == group.steps[-1]:
            steps += made
            origins += group.steps * len(tiles)
        elif s not in group.steps:
            tall = s == group.gatherer
            steps.append(_gathering(step, parts) if tall else _reading(step, group.end, parts))
            origins.append(s)
    return RowGraph(tuple(tensors), tuple(steps)), origins


def _by_columns(rowed: RowProgram, s: int) -> bool:
    """Whether a step makes a column of rows that lie anywhere from columns it can name."""
    if rowed.steps[s] == FEED:
        return False
    step, output = _step(rowed, s), rowed.graph.tensors[rowed.graph.steps[s].output]
    kind = step.signature.output
    if not is_row_local(step) or step.node.op.gathers or output.whole or output.lasts:
        return False
    if len(kind.shape) != 4 or _type(rowed, rowed.graph.steps[s].output).shape != kind.shape:
        return False
    inputs = [
        (i, slot)
        for i, name in enumerate(step.node.inputs)
        if (slot := rowed.aliases.slots.get(name)) is not None
    ]
    same = (
        not slot.offset
        and rowed.program.graph.tensor(slot.buffer).type.shape == step.signature.inputs[i].shape
        and step.signature.columns_read(i) is not None
        for i, slot in inputs
    )
    return bool(inputs) and all(same)


def _gatherer(rowed: RowProgram, readers: set[int]) -> int:
    """The only reader, if it gathers."""
    one = min(readers, default=-1)
    gathers = len(readers) == 1 and rowed.steps[one] != FEED and _step(rowed, one).node.op.gathers
    return one if gathers and is_row_local(_step(rowed, one)) else -1


def _step(rowed: RowProgram, s: int) -> Step:
    """The program's step behind a row step."""
    return next(step for step in rowed.program.steps if step.index == rowed.steps[s])


def _type(rowed: RowProgram, tensor: int) -> TensorType:
    return rowed.program.graph.tensor(rowed.graph.tensors[tensor].name).type


def _sources(step: RowStep) -> set[int]:
    return {t for move in step.moves for t, _, _ in move.reads}


def _between(
    graph: RowGraph, makers: Mapping[int, int], source: int, last: int, able: frozenset[int]
) -> tuple[int, ...]:
    """Steps on which the last one depends up to a tensor; none if it depends on others, too."""
    found: set[int] = set()
    wanted = [last]
    while wanted:
        s = wanted.pop()
        if s not in able:
            return ()
        found.add(s)
        for t in _sources(graph.steps[s]) - {source}:
            if t not in makers:
                return ()
            wanted += [makers[t]] if makers[t] not in found else []
    return tuple(sorted(found))


def _tile(rowed: RowProgram, group: Group, first: int, end: int) -> Tile:
    """Columns of every tensor, from the last one back to the source."""
    spans = {group.end: (first, end)}
    for s in reversed(group.steps):
        step = _step(rowed, s)
        made = spans[rowed.graph.steps[s].output]
        for i, name in enumerate(step.node.inputs):
            slot = rowed.aliases.slots.get(name)
            if slot is None:
                continue
            t = rowed.tensors[slot.buffer]
            columns = step.signature.columns_read(i)
            assert columns is not None, "a step of a group says which columns it reads"
            reads = zip(*(ends.tolist() for ends in hulls(columns[slice(*made)])), strict=True)
            seen = [read for read in reads if read[0] < read[1]]
            seen += [spans[t]] if t in spans else []
            spans[t] = (min(a for a, _ in seen), max(b for _, b in seen)) if seen else (0, 1)
    return spans


def _macs(rowed: RowProgram, s: int, span: tuple[int, int]) -> int:
    """Work of a step for some columns of its output."""
    step = _step(rowed, s)
    kind = step.signature.output
    shape = (*kind.shape[:2], span[1] - span[0], *kind.shape[3:])
    return step.node.op.cost(step.signature.inputs, (replace(kind, shape=shape),)).macs


def _narrow(rowed: RowProgram, tensor: int, span: tuple[int, int], tile: int) -> RowTensor:
    """A tensor's columns of one tile."""
    whole = rowed.graph.tensors[tensor]
    width = _type(rowed, tensor).shape[2]
    row_bytes = whole.row_bytes * (span[1] - span[0]) // width
    return replace(whole, name=f"{whole.name}.{tile}", row_bytes=row_bytes)


def _in_tile(step: RowStep, index: Mapping[int, int]) -> RowStep:
    moves = tuple(
        Move(tuple((index.get(t, t), first, end) for t, first, end in move.reads), move.made)
        for move in step.moves
    )
    replaces = index.get(step.replaces, -1)  # the source is read by other tiles, too
    return replace(step, output=index[step.output], moves=moves, replaces=replaces)


def _reading(step: RowStep, end: int, parts: list[int]) -> RowStep:
    """A step outside of the group: rows of its last tensor are rows of all parts."""
    if end not in _sources(step):
        return step
    moves = tuple(
        Move(
            tuple(
                (part, first, stop)
                for t, first, stop in move.reads
                for part in (parts if t == end else [t])
            ),
            move.made,
        )
        for move in step.moves
    )
    replaces = -1 if step.replaces == end else step.replaces
    return replace(step, moves=moves, replaces=replaces)


def _gathering(step: RowStep, parts: list[int]) -> RowStep:
    """The step that gathers, part after part: its output is complete with the last row of all."""
    moves = [
        Move(tuple((part, first, stop) for _, first, stop in move.reads), 0)
        for part in parts
        for move in step.moves
    ]
    moves[-1] = replace(moves[-1], made=step.moves[-1].made)
    return replace(step, moves=tuple(moves))
