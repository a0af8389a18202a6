# SPDX-License-Identifier: Apache-2.0
"""The compiled solvers: heuristics, local search, and the exact search, whose "no" is a proof.

How each of them goes about it stands in csrc/, where it is done.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from mcuplan.solvers.core import core
from mcuplan.solvers.packing.conflicts import Conflicts, Ints
from mcuplan.solvers.packing.table import Table

__all__ = ["GREATEST", "Heuristic", "Outcome", "Query", "Status", "place", "search"]

GREATEST = 1 << 56
"""The longest size, distance, alignment or offset times all buffers must stay below this."""

_INTERFACE = 5

Heuristic = Literal["first_fit", "best_fit", "climb", "squeaky_wheel", "eject"]


class Status(IntEnum):
    """How a search ended."""

    LIMIT = -1
    INFEASIBLE = 0
    FOUND = 1
    STOPPED = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """``offset`` in units where there is a placement.

    ``over`` is the capacity (units) below which no other would do either; of a heuristic it is
    where the highest buffer ends.
    """

    status: Status
    nodes: int
    over: int
    offset: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One search for a placement within a capacity.

    ``rule`` chooses the section to branch on (csrc/search.c), smaller ``rank`` goes first
    there; ``weight`` counts failures per section and is kept between searches. ``poll``
    is asked now and then; true stops the search.
    """

    table: Table
    last_offset: Ints
    rank: Ints
    weight: array[int]
    rule: int
    node_limit: int
    poll: Callable[[], bool]

    @property
    def capacity(self) -> int:
        """Units: no buffer can end higher than this."""
        return int((self.last_offset + self.table.size).max())


def search(query: Query) -> Outcome:
    """Look for a placement of all buffers of the table within the capacity."""
    table, offset = query.table, array("q", bytes(8 * query.table.count))
    status, nodes, over = core("packing._packcore", _INTERFACE).search(
        table.count,
        table.sections,
        query.capacity,
        query.rule,
        query.node_limit,
        table.size,
        table.align,
        table.pinned,
        query.rank,
        table.edge_start,
        table.edge_to,
        table.edge_above,
        table.edge_below,
        offset,
        table.first,
        table.last,
        query.last_offset,
        table.edge_shared,
        table.most_saved,
        query.weight,
        query.poll,
    )
    return Outcome(Status(status), nodes, over, tuple(offset))


def _never() -> bool:
    return False


def place(
    heuristic: Heuristic,
    table: Conflicts | Table,
    rank: Ints,
    *,
    goal: int = 0,
    rule: int = 0,
    rounds: int = 1,
    poll: Callable[[], bool] = _never,
) -> Outcome:
    """A placement of all buffers, smaller ranks first.

    Args:
        heuristic: the function of the core.
        table: buffers in units, or all of a problem in bytes.
        rank: of each buffer.
        goal: units; those that go round end when no buffer ends higher. Ejection has
            no placement at all where it finds none within.
        rule: kind of moves and seed of the squeaky wheel; seed of ejection.
        rounds: at most.
        poll: asked now and then; true ends it with the best placement so far.
    """
    offset = array("q", bytes(8 * table.count))
    status, done, top = getattr(core("packing._packcore", _INTERFACE), heuristic)(
        table.count,
        1,
        max(goal, 0),
        rule,
        rounds,
        table.size,
        table.align,
        table.pinned,
        rank,
        table.edge_start,
        table.edge_to,
        table.edge_above,
        table.edge_below,
        offset,
        poll,
    )
    return Outcome(Status(status), done, top, tuple(offset))
