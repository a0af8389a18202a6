# SPDX-License-Identifier: Apache-2.0
"""Which rows exist after how many moves of each step.

A state is a vector: how many moves each step has done. The bytes that exist follow from it:
those allocated by moves done, less those of the cells that are dead. A cell is rows of one
tensor that are born in one move and die together. In a chain of cells each needs, to die,
all that the one before it needs, so that the dead ones are always the first few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Cell", "Ints", "RowTables"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cell:
    """Bytes that come and go together.

    Attributes:
        born: (step, number of the move) that allocates them; None: there from the start.
        readers: (step, moves it must have done) for each step that reads them.
    """

    nbytes: int
    born: tuple[int, int] | None
    readers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RowTables:
    """A row graph in numbers. Moves are pairs (step, number).

    Attributes:
        totals: moves of each step.
        needs: for each step an array (moves, steps): the least state in which the move is done.
        needing: for each move, the first move of each step that needs it, or is it.
        allocated: bytes that each move leaves behind, before anything dies.
        extra: bytes that each move needs on top: scratch, and rows that nobody reads.
        least_extra: the smallest of these.
        saves: for a move, (cell, bytes) that it saves if the cell dies with it.
        cells: chain by chain. Moves with more extra than the least end a cell of no bytes.
        births: for a move, the cells born in it; a negative entry is bytes that never die.
        start_bytes: live at the start; ``idle_bytes`` more exist before the first move only.
    """

    totals: Ints
    needs: tuple[Ints, ...]
    needing: tuple[tuple[tuple[int, ...], ...], ...]
    allocated: tuple[tuple[int, ...], ...]
    extra: tuple[tuple[int, ...], ...]
    least_extra: int
    saves: Mapping[tuple[int, int], tuple[tuple[int, int], ...]]
    cells: tuple[Cell, ...]
    births: Mapping[tuple[int, int], tuple[int, ...]]
    start_bytes: int
    idle_bytes: int
    chains: int
    chain: tuple[int, ...]  # of each cell
    chain_start: Ints  # first cell of each chain, and the end
    target: Ints  # (cells, steps): the least state in which the cell is dead
    ends: tuple[tuple[tuple[int, int], ...], ...]  # moves that may be the last that a cell needs
    certain: bool  # no move can save in ways that the search does not try
    step_start: Ints
    grown_bytes: Ints  # bytes allocated by the first moves of a step, at step_start
    reader: Ints  # (chains, readers): steps
    place: Ints  # (chains, readers): where in ended the table of the reader starts
    ended: Ints  # cells of the chain that the reader has done with after so many moves
    freed: Ints  # bytes of the first cells of a chain, at freed_start
    freed_start: Ints

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.needs)

    def dead(self, states: Ints) -> Ints:
        """(states, steps) -> (states, chains): how many cells of each chain are dead."""
        if not self.chains:
            return np.zeros((*states.shape[:-1], 0), np.int64)
        found: Ints = self.ended[self.place + states[..., self.reader]].min(axis=-1)
        return found

    def grown(self, states: Ints) -> Ints:
        """Bytes allocated so far."""
        found: Ints = self.grown_bytes[self.step_start + states].sum(axis=-1)
        return found

    def live(self, states: Ints, dead: Ints) -> Ints:
        """Bytes that exist between moves."""
        freed = self.freed[self.freed_start + dead].sum(axis=-1)
        found: Ints = self.start_bytes + self.grown(states) - freed
        return found
