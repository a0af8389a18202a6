# SPDX-License-Identifier: Apache-2.0
"""The tables of state.py from a row graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuplan.solvers.rows.problem import RowGraph, RowTensor
from mcuplan.solvers.rows.state import Cell, Ints, RowTables

__all__ = ["row_tables"]

_Last = dict[int, int]  # step -> moves it must have done to have read a row for the last time


@dataclass(slots=True)
class _Draft:
    """Tables while they are filled, by step and move."""

    needs: list[Ints]
    allocated: list[list[int]]
    extra: list[list[int]]
    births: dict[tuple[int, int], list[int]]
    cells: dict[tuple[int, Cell], int]  # with the tensor's index -> bytes
    row_cell: dict[tuple[int, int], tuple[int, Cell]]  # (tensor, row) -> cell, bytes left out
    start_bytes: int = 0
    idle_bytes: int = 0


def row_tables(graph: RowGraph) -> RowTables:
    """Tables of a graph.

    Raises:
        ValueError: the graph is not one: a tensor with two makers, a read of a row that no
            earlier step makes, rows that are never made.
    """
    makers = _makers(graph)
    done_at = [_made_after(graph, makers.get(t)) for t in range(len(graph.tensors))]
    needs, last = _needs(graph, makers, done_at)
    draft = _Draft(
        needs=needs,
        allocated=[[0] * len(step.moves) for step in graph.steps],
        extra=[[step.scratch_bytes] * len(step.moves) for step in graph.steps],
        births={},
        cells={},
        row_cell={},
    )
    born = [_born(graph, t, makers.get(t)) for t in range(len(graph.tensors))]
    for t, tensor in enumerate(graph.tensors):
        made = [(move, k) for move, k in zip(born[t], done_at[t], strict=False) if move]
        _place_rows(draft, t, tensor, made, last[t])
    return _finish(graph, draft, born)


def _makers(graph: RowGraph) -> dict[int, int]:
    makers: dict[int, int] = {}
    for s, step in enumerate(graph.steps):
        made = [move.made for move in step.moves]
        rows = graph.tensors[step.output].rows
        if step.output in makers or not made or made != sorted(made) or made[-1] != rows:
            raise ValueError(f"{step.name}: its moves do not make the rows of a tensor once")
        makers[step.output] = s
    return makers


def _made_after(graph: RowGraph, maker: int | None) -> list[int]:
    """For each row the moves its maker must have done; empty if it is there from the start."""
    found: list[int] = []
    for i, move in enumerate(graph.steps[maker].moves if maker is not None else ()):
        found += [i + 1] * (move.made - len(found))
    return found


def _born(graph: RowGraph, t: int, maker: int | None) -> list[tuple[int, int] | None]:
    """The move that allocates each row."""
    tensor = graph.tensors[t]
    if maker is None:
        return [None] * tensor.rows
    found: list[tuple[int, int] | None] = []
    before = 0
    for i, move in enumerate(graph.steps[maker].moves):
        end = tensor.rows if tensor.whole else max(move.made, min(before + 1, tensor.rows))
        found += [(maker, i)] * (end - len(found))
        before = move.made
    return found


def _needs(
    graph: RowGraph, makers: Mapping[int, int], done_at: Sequence[Sequence[int]]
) -> tuple[list[Ints], list[list[_Last]]]:
    """What each move needs, and for each row of each tensor its last readers."""
    needs: list[Ints] = []
    last: list[list[_Last]] = [[{} for _ in range(t.rows)] for t in graph.tensors]
    for s, step in enumerate(graph.steps):
        found = np.zeros((len(step.moves), len(graph.steps)), np.int64)
        for i, move in enumerate(step.moves):
            if i:
                found[i] = found[i - 1]
            found[i, s] = i + 1
            for t, first, end in move.reads:
                maker = makers.get(t)
                known = maker is None or maker < s
                if not known or not 0 <= first <= end <= graph.tensors[t].rows:
                    raise ValueError(f"{step.name}: reads rows that no earlier step makes")
                for row in range(first, end):
                    last[t][row][s] = i + 1
                if maker is not None and first < end:
                    made = max(done_at[t][first:end])
                    np.maximum(found[i], needs[maker][made - 1], out=found[i])
        needs.append(found)
    return needs, last


def _place_rows(
    draft: _Draft,
    t: int,
    tensor: RowTensor,
    made: Sequence[tuple[tuple[int, int], int]],
    last: Sequence[_Last],
) -> None:
    """Put the bytes of each row of a tensor where they come from and where they go.

    ``made`` has for each row the move that allocates it, and the moves the maker must have
    done to complete it; it is empty for tensors that are there from the start.
    """
    if tensor.whole:
        together: _Last = {made[0][0][0]: made[-1][1]} if made else {}
        for one in last:
            together |= {s: max(k, together.get(s, 0)) for s, k in one.items()}
        last = [together] * tensor.rows
    for row, readers in enumerate(last):
        nbytes = tensor.row_bytes
        birth, complete = made[row] if made else (None, 0)
        if birth is not None and not readers:
            readers = {birth[0]: complete}
        if birth is None and not readers and not tensor.lasts:
            draft.idle_bytes += nbytes
        elif birth is not None and readers == {birth[0]: birth[1] + 1} and not tensor.lasts:
            draft.extra[birth[0]][birth[1]] += nbytes
        else:
            _place_row(draft, (t, row), tensor, birth, readers)


def _place_row(
    draft: _Draft,
    row: tuple[int, int],
    tensor: RowTensor,
    birth: tuple[int, int] | None,
    readers: _Last,
) -> None:
    nbytes = tensor.row_bytes
    if birth is None:
        draft.start_bytes += nbytes
    else:
        draft.allocated[birth[0]][birth[1]] += nbytes
    if not tensor.lasts:
        key = row[0], Cell(0, birth, tuple(sorted(readers.items())))
        draft.cells[key] = draft.cells.get(key, 0) + nbytes
        draft.row_cell[row] = key
    elif birth is not None:
        draft.births.setdefault(birth, []).append(-nbytes)


_Keyed = list[tuple[Ints, tuple[int, Cell] | None, Cell]]  # target, key in the draft, cell


def _finish(
    graph: RowGraph, draft: _Draft, born: Sequence[Sequence[tuple[int, int] | None]]
) -> RowTables:
    least = min((x for row in draft.extra for x in row), default=0)
    chains = _chains(draft, least)
    cells = [item for chain in chains for item in chain]
    number = {key: i for i, (_, key, _) in enumerate(cells) if key is not None}
    saves = _saves(graph, draft, born, number)
    ends = tuple(_last_moves(draft.needs, item[2]) for item in cells)
    reader, place, ended = _ended(chains, draft.needs)
    grown = [np.cumsum([0, *row]) for row in draft.allocated]
    freed = [np.cumsum([0, *(item[2].nbytes for item in chain)]) for chain in chains]
    return RowTables(
        totals=_ints([len(step.moves) for step in graph.steps]),
        needs=tuple(draft.needs),
        needing=_needing(draft.needs),
        allocated=tuple(map(tuple, draft.allocated)),
        extra=tuple(map(tuple, draft.extra)),
        least_extra=least,
        saves=saves,
        cells=tuple(item[2] for item in cells),
        births=_births(draft, [item[2] for item in cells]),
        start_bytes=draft.start_bytes,
        idle_bytes=draft.idle_bytes,
        chains=len(chains),
        chain=tuple(c for c, chain in enumerate(chains) for _ in chain),
        chain_start=np.cumsum([0, *map(len, chains)]),
        target=np.array([item[0] for item in cells], np.int64).reshape(
            len(cells), len(graph.steps)
        ),
        ends=ends,
        certain=_certain(graph, saves, cells),
        step_start=_starts(grown),
        grown_bytes=_joined(grown),
        reader=reader,
        place=place,
        ended=ended,
        freed=_joined(freed),
        freed_start=_starts(freed),
    )


def _needing(needs: Sequence[Ints]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    found = []
    for s, own in enumerate(needs):
        moves = np.arange(1, len(own) + 1)
        firsts = [np.searchsorted(other[:, s], moves).tolist() for other in needs]
        found.append(tuple(zip(*firsts, strict=True)))
    return tuple(found)


def _births(draft: _Draft, cells: Sequence[Cell]) -> dict[tuple[int, int], tuple[int, ...]]:
    births = dict(draft.births)
    for i, cell in enumerate(cells):
        if cell.born is not None:
            births[cell.born] = [*births.get(cell.born, ()), i]
    return {move: tuple(found) for move, found in births.items()}


def _chains(draft: _Draft, least: int) -> list[_Keyed]:
    """Cells in chains: of each tensor, and of each step whose moves need more than the least."""
    groups: dict[int, _Keyed] = {}
    for key, nbytes in draft.cells.items():
        t, cell = key
        target = np.max([draft.needs[s][k - 1] for s, k in cell.readers], axis=0)
        full = Cell(nbytes, cell.born, cell.readers)
        groups.setdefault(t, []).append((target, key, full))
    for s, row in enumerate(draft.extra):
        for i, extra in enumerate(row):
            if extra > least:
                bare = Cell(0, None, ((s, i + 1),))
                groups.setdefault(-1 - s, []).append((draft.needs[s][i], None, bare))
    chains: list[_Keyed] = []
    for group in groups.values():
        own: list[_Keyed] = []
        for item in sorted(group, key=lambda item: int(item[0].sum())):
            for chain in own:
                if (chain[-1][0] <= item[0]).all():
                    chain.append(item)
                    break
            else:
                own.append([item])
        chains += own
    return chains


def _ended(chains: Sequence[_Keyed], needs: Sequence[Ints]) -> tuple[Ints, Ints, Ints]:
    """For each chain its reading steps, and after how many moves which cells are over."""
    readers = [sorted({s for item in chain for s, _ in item[2].readers}) for chain in chains]
    width = max(map(len, readers), default=1)
    tables: list[Any] = []
    place: list[list[int]] = []
    start = 0
    for chain, steps in zip(chains, readers, strict=True):
        own: list[int] = []
        for s in steps:
            least = [int(item[0][s]) for item in chain]
            tables.append(np.searchsorted(least, np.arange(len(needs[s]) + 1), side="right"))
            own.append(start)
            start += len(needs[s]) + 1
        place.append(own + own[:1] * (width - len(own)))
    padded = [steps + steps[:1] * (width - len(steps)) for steps in readers]
    return (
        _ints(padded).reshape(-1, width),
        _ints(place).reshape(-1, width),
        _joined(tables),
    )


def _last_moves(needs: Sequence[Ints], cell: Cell) -> tuple[tuple[int, int], ...]:
    """Moves that end the cell if all else that ends it is done before."""
    return tuple(
        (s, k - 1)
        for s, k in cell.readers
        if not any(needs[other][last - 1][s] >= k for other, last in cell.readers if other != s)
    )


def _saves(
    graph: RowGraph,
    draft: _Draft,
    born: Sequence[Sequence[tuple[int, int] | None]],
    number: Mapping[tuple[int, Cell], int],
) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
    """What moves save by putting rows into the bytes of rows that die with them."""
    found: dict[tuple[int, int], dict[int, int]] = {}
    for step in graph.steps:
        if step.replaces < 0:
            continue
        output, replaced = graph.tensors[step.output], graph.tensors[step.replaces]
        if output.row_bytes > replaced.row_bytes or (output.whole and not replaced.whole):
            continue
        if output.whole and output.rows > replaced.rows:
            continue
        for row in range(min(output.rows, replaced.rows)):
            key, birth = draft.row_cell.get((step.replaces, row)), born[step.output][row]
            if key is None or birth is None or (birth[0], birth[1] + 1) not in key[1].readers:
                continue
            own = found.setdefault(birth, {})
            own[number[key]] = own.get(number[key], 0) + output.row_bytes
    return {move: tuple(sorted(own.items())) for move, own in found.items()}


def _certain(graph: RowGraph, saves: Mapping[tuple[int, int], object], cells: _Keyed) -> bool:
    """Whether of a tensor that a move saves on, all the cells it reads last die alike."""
    found: dict[tuple[int, int], Ints] = {}
    for target, key, cell in cells:
        for s, k in cell.readers:
            move = s, k - 1
            if key is None or move not in saves or graph.steps[s].replaces != key[0]:
                continue
            if (found.setdefault(move, target) != target).any():
                return False
    return True


def _ints(values: Sequence[Any]) -> Ints:
    return np.array(values, np.int64)


def _joined(arrays: Sequence[Any]) -> Ints:
    return np.concatenate([np.zeros(0, np.int64), *arrays]).astype(np.int64)


def _starts(arrays: Sequence[Any]) -> Ints:
    return np.cumsum([0, *(len(array) for array in arrays)])[:-1]
