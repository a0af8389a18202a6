# SPDX-License-Identifier: Apache-2.0
"""What recompute would buy: least RAM against multiply-accumulates.

A group of layers in column tiles with halo needs narrower rows and computes the halo twice.
These are prices, modelled: live bytes of an order of rows, no addresses and no code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.schedule.assembly.row_local import RowProgram, row_program
from mcuplan.schedule.explore.columns import Group, Tile, groups_of, tile_macs, tiled, tiles_of
from mcuplan.schedule.program import Plan, Sharing
from mcuplan.solvers.rows.order import check_row_order, find_row_order
from mcuplan.solvers.rows.problem import RowGraph, RowOrder
from mcuplan.solvers.rows.stages import depth_first_moves
from mcuplan.solvers.rows.tables import row_tables

__all__ = ["FACTORS", "FrontierPoint", "frontier"]

FACTORS = (1.0, 1.1, 1.3, 1.5)
"""How many times the multiply-accumulates of the plan may be computed."""

_TILES = (2, 3, 4)
_STATES = 300  # of a search for an order of a tiled network
_PRICED = 80  # groups and tiles that are priced in a plain order
_SEARCHED = 2  # for each factor: of them, searched for a better order


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """The least RAM found for a limit of multiply-accumulates.

    Attributes:
        limit: the factor that bounds them.
        macs: of one inference; ``plan_macs`` without recompute.
        ram_bytes: most live bytes; the arena needs as much or more.
        layers: steps of the plan that run in tiles; none: the plan itself.
        tiles: column tiles; 1 for the plan itself.
    """

    limit: float
    macs: int
    plan_macs: int
    ram_bytes: int
    layers: tuple[int, ...] = ()
    tiles: int = 1

    @property
    def factor(self) -> float:
        """Multiply-accumulates against those of the plan."""
        return self.macs / self.plan_macs if self.plan_macs else 1.0


@dataclass(frozen=True, slots=True)
class _Way:
    """A group in tiles, before it is priced; ``least`` live bytes while tiles run in turn."""

    group: Group
    tiles: tuple[Tile, ...]
    macs: int
    least: int


def frontier(plan: Plan, sharing: Sharing | None = None) -> tuple[FrontierPoint, ...]:
    """The least RAM for each of ``FACTORS``, never more for a larger one.

    Args:
        plan: in one arena, its input held or fed.
        sharing: with what it was made.
    """
    sharing = sharing or Sharing()
    rowed = row_program(plan.program, sharing, feed=bool(plan.fed_rows))
    own = sum(step.cost.macs for step in plan.program.steps)
    if isinstance(plan.order, RowOrder):
        moves, peak = plan.order.moves, plan.order.peak_bytes
    else:
        moves = find_row_order(rowed.graph, states=_STATES).moves
        peak = sum(memory.lower_bound_bytes for memory in plan.memory.values())
    best = [FrontierPoint(limit, own, own, peak) for limit in FACTORS]
    ways = _ways(rowed, own, peak)
    priced = []
    for way in ways[:_PRICED]:
        graph, order = _in_turn(rowed, way, moves)
        priced.append((check_row_order(graph, order), way, graph))
        best = _kept(best, rowed, way, priced[-1][0])
    searched: list[_Way] = []
    for limit in FACTORS[1:]:
        within = sorted(
            (item for item in priced if item[1].macs <= limit * own),
            key=lambda item: (item[0], item[1].macs),
        )
        for _, way, graph in within[:_SEARCHED]:
            if way not in searched:
                searched.append(way)
                found = find_row_order(graph, states=_STATES)
                best = _kept(best, rowed, way, found.peak_bytes)
    return tuple(best)


def _ways(rowed: RowProgram, own: int, peak: int) -> list[_Way]:
    """Groups in tiles that may need less than the plan, the most promising ones first."""
    found = []
    for group in groups_of(rowed):
        before = sum(tile_macs(rowed, group, tile) for tile in tiles_of(rowed, group, 1))
        for count in _TILES:
            tiles = tiles_of(rowed, group, count)
            macs = own - before + sum(tile_macs(rowed, group, tile) for tile in tiles)
            source, end = (rowed.graph.tensors[t] for t in (group.source, group.end))
            collected = end.rows * end.row_bytes * (count - 1) // count
            least = source.rows * source.row_bytes + (collected if group.gatherer < 0 else 0)
            if tiles and macs <= FACTORS[-1] * own and least < peak:
                found.append(_Way(group, tiles, macs, least))
    return sorted(found, key=lambda way: (way.least, way.macs))


def _in_turn(
    rowed: RowProgram, way: _Way, moves: Sequence[int]
) -> tuple[RowGraph, tuple[int, ...]]:
    """The tiled rows, and an order: what the group needs, tile after tile, then the rest.

    Before and after the group the order is that of the plan.
    """
    group = way.group
    graph, origins = tiled(rowed, group, way.tiles)
    number = {s: k for k, s in enumerate(origins) if s not in group.steps}
    size, first = len(group.steps), origins.index(group.steps[0])
    own = set(range(first, first + size * len(way.tiles)))
    ends = [first + size * (j + 1) - 1 for j in range(len(way.tiles))]
    if group.gatherer >= 0:
        ends = [number.pop(group.gatherer)]
        own.add(ends[0])
    tables = row_tables(graph)
    needed = np.max([tables.needs[k][-1] for k in ends], axis=0)
    before, after = list[int](), list[int]()
    count = [0] * len(graph.steps)
    for k in (number[s] for s in moves if s in number):
        (before if count[k] < needed[k] else after).append(k)
        count[k] += 1
    tiles = (k for k in depth_first_moves(graph, tables, ends) if k in own)
    return graph, (*before, *tiles, *after)


def _kept(
    best: Sequence[FrontierPoint], rowed: RowProgram, way: _Way, ram_bytes: int
) -> list[FrontierPoint]:
    """The points with one more way to run the network."""
    layers = tuple(rowed.steps[s] for s in way.group.steps)
    return [
        FrontierPoint(old.limit, way.macs, old.plan_macs, ram_bytes, layers, len(way.tiles))
        if old.limit > 1
        and way.macs <= old.limit * old.plan_macs
        and (ram_bytes, way.macs) < (old.ram_bytes, old.macs)
        else old
        for old in best
    ]
