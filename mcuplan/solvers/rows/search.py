# SPDX-License-Identifier: Apache-2.0
"""The order of row moves with the least peak: the compiled search over states, best first.

States are vectors of moves done (state.py); the bytes that exist in them are submodular: what a
move adds falls as more is done. Four consequences keep the search (csrc/search.c) small.

Only what is needed: between one death of a cell and the next, moves only add, so all that
the next death does not need can wait. From a state the search goes to the nearest states in
which another cell is dead, and only to those on whose way no other cell dies.

Safe at once: if such a step fits under the peak that is needed anyway and leaves no more
bytes than there were, everything else can come after it.

The peak grows only when it must: what fits is searched to the end before the limit rises to
the least peak that was put off. So the limit is a lower bound at any time.

Left behind: a state U is dropped when a state V was reached that has all that U has done,
and no state between them has fewer bytes than V. Any way on from U works from V as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np

from mcuplan.solvers.core import core
from mcuplan.solvers.rows.state import Ints, RowTables

__all__ = ["Arrays", "Outcome", "search", "search_arrays"]

Arrays = tuple[tuple[int, ...], tuple[Ints, ...]]
"""Sizes and arrays of tables as the core takes them."""

_INTERFACE = 3
_ENDED, _FOUND = 1, 0  # of rowcore_status


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search came to.

    Attributes:
        moves: an order, as step indices; empty if there is none.
        limit: what the search went up to; all orders below were ruled out if it is exact and
            started at a bound.
        over: there is nothing left to look at.
        states: how many were looked at.
    """

    moves: tuple[int, ...]
    limit: int
    over: bool
    states: int


def search(
    tables: RowTables,
    *,
    start: int,
    end: int,
    states: int,
    exact: bool = True,
    stop: Callable[[], bool] | None = None,
    begun: Sequence[int] = (),
    arrays: Arrays | None = None,
) -> Outcome:
    """Look for the order with the least peak.

    Args:
        tables: the graph.
        start: a peak that does no harm: a lower bound, or a limit that is good enough.
        end: a peak that is of no use.
        states: how many to look at.
        exact: prove that what is dropped is not needed; otherwise finding nothing proves
            nothing.
        stop: asked now and then whether to stop.
        begun: moves of each step that are done already; the order is of the others.
        arrays: the tables for the core, where they serve several searches.

    Raises:
        ValueError: tables that contradict each other, or bytes beyond 2**40.
    """
    sizes, flat = arrays or search_arrays(tables)
    done = np.array(begun or [0] * tables.steps, np.int64)
    least = int(tables.live(done, tables.dead(done))) if begun else tables.start_bytes
    limit = max(start, least + (0 if begun else tables.idle_bytes))
    task = (tables.start_bytes, tables.least_extra, limit, end, states, int(exact))
    run = core("rows._rowcore", _INTERFACE).search
    status, reached, count, order = run(sizes, task, (*flat, done), stop or (lambda: False))
    moves = np.frombuffer(order or b"", np.int64)[: sum(map(len, tables.needs)) - int(done.sum())]
    return Outcome(tuple(moves.tolist()), reached, status in (_FOUND, _ENDED), count)


def search_arrays(tables: RowTables) -> Arrays:
    """Sizes and arrays in the order of ``rowcore_table``."""
    moves = [(s, i) for s, own in enumerate(tables.needs) for i in range(len(own))]
    ends = [list(own) for own in tables.ends]
    saves = [list(tables.saves.get(move, ())) for move in moves]
    reads = [list(cell.readers) for cell in tables.cells]
    births = [
        [(max(k, -1), tables.cells[k].nbytes if k >= 0 else -k) for k in tables.births.get(m, ())]
        for m in moves
    ]
    born = [cell.born or (-1, -1) for cell in tables.cells]
    arrays: list[Iterable[int]] = [
        tables.totals,
        tables.step_start,
        tables.grown_bytes,
        _starts(tables.totals.tolist()),
        chain(*tables.extra),
        chain(*chain(*tables.needing)),
        tables.chain_start,
        tables.chain,
        tables.target.ravel(),
        tables.reader.ravel(),
        tables.place.ravel(),
        tables.ended,
        tables.freed_start,
        tables.freed,
        *_pairs(ends),
        *_pairs(saves),
        [cell.nbytes for cell in tables.cells],
        [s for s, _ in born],
        [i for _, i in born],
        *_pairs(reads),
        *_pairs(births),
    ]
    counts = (sum(map(len, lists)) for lists in (ends, saves, reads, births))
    width = tables.reader.shape[1]
    cells, places = len(tables.cells), len(tables.ended)
    sizes = (tables.steps, len(moves), tables.chains, cells, width, places, *counts)
    return sizes, tuple(np.array(list(array), np.int64) for array in arrays)


def _pairs(lists: Sequence[Sequence[tuple[int, int]]]) -> tuple[list[int], list[int], list[int]]:
    """Lists of pairs as where each starts, and the flat firsts and seconds."""
    flat = [pair for own in lists for pair in own]
    return _starts(map(len, lists)), [a for a, _ in flat], [b for _, b in flat]


def _starts(lengths: Iterable[int]) -> list[int]:
    return list(accumulate(lengths, initial=0))
