# SPDX-License-Identifier: Apache-2.0
"""The compiled search where it was built, else the Python one: same answers, other speed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain

import numpy as np

from mcuplan.solvers.rows.search import Found
from mcuplan.solvers.rows.search import search as search_python
from mcuplan.solvers.rows.state import Ints, RowTables

try:
    from mcuplan.solvers.rows import _rowcore
except ImportError:  # no compiler when mcuplan was installed
    COMPILED = False
else:
    COMPILED = True

__all__ = ["COMPILED", "search", "search_compiled", "search_python"]

_FOUND, _OVER = 0, 1
_GREATEST = 1 << 40


def search(
    tables: RowTables,
    *,
    start: int,
    end: int,
    states: int,
    exact: bool = True,
    stop: Callable[[], bool] | None = None,
) -> Found:
    """:func:`mcuplan.solvers.rows.search.search`, compiled if that can answer."""
    total = tables.start_bytes + tables.idle_bytes + sum(map(sum, tables.allocated))
    compiled = COMPILED and max(total, start, end, states) < _GREATEST
    run = search_compiled if compiled else search_python
    return run(tables, start=start, end=end, states=states, exact=exact, stop=stop)


def search_compiled(
    tables: RowTables,
    *,
    start: int,
    end: int,
    states: int,
    exact: bool = True,
    stop: Callable[[], bool] | None = None,
) -> Found:
    """:func:`mcuplan.solvers.rows.search.search` in C; needs ``COMPILED``."""
    sizes, arrays = _arrays(tables)
    limit = max(start, tables.start_bytes + tables.idle_bytes)
    task = (tables.start_bytes, tables.least_extra, limit, end, states, int(exact))
    status, reached, count, order = _rowcore.search(sizes, task, arrays, stop or (lambda: False))
    moves = np.frombuffer(order or b"", np.int64).tolist()
    return Found(tuple(moves), reached, status in (_FOUND, _OVER), count)


def _arrays(tables: RowTables) -> tuple[tuple[int, ...], tuple[Ints, ...]]:
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
