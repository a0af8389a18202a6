# SPDX-License-Identifier: Apache-2.0
"""The state with the fewest bytes between two states: a flow.

Going back from the later state undoes moves, and all that need them. That frees what these
moves allocated and brings back cells that they had ended. It does not pay if the bytes
allocated can be shared out to cells that ended since, each to one ended by a move that needs
the move that allocated. Cells that were born and ended in between take their own. What finds
no room is worth undoing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mcuplan.solvers.rows.state import Ints, RowTables

__all__ = ["least_between"]

_Move = tuple[int, int]


@dataclass(slots=True)
class _Ended:
    """A cell that ended: bytes it can still take, and what it took from which moves."""

    room: int
    taken: dict[_Move, int]


def least_between(tables: RowTables, low: Ints, high: Ints) -> Ints:
    """The largest state from ``low`` to ``high`` with as few live bytes as any of them."""
    return _Between(tables, low, high).least()


class _Between:
    def __init__(self, tables: RowTables, low: Ints, high: Ints) -> None:
        self._tables = tables
        self._high = high
        self._low: list[int] = low.tolist()
        self._steps: list[int] = np.nonzero(high > low)[0].tolist()
        self._dead: list[list[int]] = tables.dead(np.stack([low, high])).tolist()
        self._ended: dict[_Move, list[_Ended]] = {}  # by the moves that read them last
        self._room = 0
        self._end_cells()

    def least(self) -> Ints:
        left = list(self._left())
        worth: list[int] = self._high.tolist()
        for move, nbytes in left:
            reached = self._share_out(move, nbytes)
            if reached is not None:
                worth = [min(pair) for pair in zip(worth, reached, strict=True)]
        return np.array(worth, np.int64)

    def _end_cells(self) -> None:
        """Cells that ended in between."""
        starts = self._tables.chain_start.tolist()
        low = self._low
        for start, first, end in zip(starts, *self._dead, strict=False):
            for cell in self._tables.cells[start + first : start + end]:
                if not cell.nbytes:
                    continue
                if cell.born is None or cell.born[1] < low[cell.born[0]]:
                    ended = _Ended(cell.nbytes, {})
                else:
                    ended = _Ended(0, {cell.born: cell.nbytes})
                for s, k in cell.readers:
                    if k > low[s]:
                        self._ended.setdefault((s, k - 1), []).append(ended)

    def _left(self) -> Iterator[tuple[_Move, int]]:
        """Bytes allocated in between that are live in the end, by move."""
        tables, dead = self._tables, self._dead[1]
        for s in self._steps:
            for i in range(self._low[s], int(self._high[s])):
                nbytes = 0
                for cell in tables.births.get((s, i), ()):
                    if cell < 0:
                        nbytes -= cell
                    elif tables.rank[cell] >= dead[tables.chain[cell]]:
                        nbytes += tables.cells[cell].nbytes
                if nbytes:
                    yield (s, i), nbytes

    def _share_out(self, move: _Move, nbytes: int) -> list[int] | None:
        """Find room for what a move allocated, shifting what others have where needed.

        Returns:
            None if there was room for all. Otherwise for each step the first move that was
            reached: these and those after them are worth undoing.
        """
        while nbytes:
            path = self._path(move)
            if isinstance(path, list):
                return path
            came, mover, last = path
            way = [(last, mover)]
            while mover != move:
                mover, cell = came[mover]
                way.append((cell, mover))
            way.reverse()
            amount = min(nbytes, last.room)
            for (cell, _), (_, owner) in pairwise(way):
                amount = min(amount, cell.taken[owner])
            for k, (cell, mover) in enumerate(way):
                cell.taken[mover] = cell.taken.get(mover, 0) + amount
                if k + 1 < len(way):
                    cell.taken[way[k + 1][1]] -= amount
            last.room -= amount
            nbytes -= amount
        return None

    def _path(
        self, move: _Move
    ) -> list[int] | tuple[dict[_Move, tuple[_Move, _Ended]], _Move, _Ended]:
        """A cell with room, with the mover that reaches it and how that was come by; or reach."""
        came: dict[_Move, tuple[_Move, _Ended]] = {}
        reach: list[int] = self._high.tolist()
        queue = [move]
        seen = {move}
        for mover in queue:
            needing = self._tables.needing[mover[0]][mover[1]]
            for s in self._steps:
                for i in range(needing[s], reach[s]):
                    for cell in self._ended.get((s, i), ()):
                        if cell.room:
                            return came, mover, cell
                        for owner, taken in cell.taken.items():
                            if taken and owner not in seen:
                                seen.add(owner)
                                came[owner] = mover, cell
                                queue.append(owner)
                reach[s] = min(reach[s], needing[s])
        return reach
