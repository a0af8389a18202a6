# SPDX-License-Identifier: Apache-2.0
"""The compiled search where it was built, else the Python one: same answers, other speed."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from mcuplan.solvers.packing.search import Outcome, Status
from mcuplan.solvers.packing.search import search as search_python
from mcuplan.solvers.packing.state import Query
from mcuplan.solvers.packing.wheel import rearrange as rearrange_python

try:
    from mcuplan.solvers.packing import _packcore
except ImportError:  # no compiler when mcuplan was installed
    COMPILED = False
else:
    # An older build may lie beside newer sources until it is made again.
    COMPILED = getattr(_packcore, "INTERFACE", 1) == 3

__all__ = [
    "COMPILED",
    "rearrange",
    "rearrange_compiled",
    "rearrange_python",
    "search",
    "search_compiled",
    "search_python",
]


def search_compiled(query: Query) -> Outcome:
    """:func:`mcuplan.solvers.packing.search.search` in C; needs ``COMPILED``."""
    return _call(_packcore.search, query)


def rearrange_compiled(query: Query) -> Outcome:
    """:func:`mcuplan.solvers.packing.wheel.rearrange` in C; needs ``COMPILED``."""
    return _call(_packcore.rearrange, query)


def _call(solve: Callable[..., tuple[int, int, int]], query: Query) -> Outcome:
    table = query.table
    offset = array("q", bytes(8 * table.count))
    status, nodes, over = solve(
        table.count,
        table.sections,
        query.capacity,
        query.rule,
        query.node_limit,
        table.size,
        table.align,
        query.last_offset,
        query.rank,
        table.first,
        table.last,
        table.pinned,
        table.edge_start,
        table.edge_to,
        table.edge_above,
        table.edge_below,
        table.edge_shared,
        table.most_saved,
        query.weight,
        offset,
        query.poll,
    )
    return Outcome(Status(status), nodes, over, tuple(offset))


def search(query: Query) -> Outcome:
    """The fastest search that can answer: C where it was built and the numbers are small."""
    compiled = COMPILED and query.table.small
    return search_compiled(query) if compiled else search_python(query)


def rearrange(query: Query) -> Outcome:
    """The fastest local search that can answer, as with :func:`search`."""
    compiled = COMPILED and query.table.small
    return rearrange_compiled(query) if compiled else rearrange_python(query)
