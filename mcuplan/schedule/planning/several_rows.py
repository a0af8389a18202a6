# SPDX-License-Identifier: Apache-2.0
"""Spare RAM buys speed: plans by rows with kernels that make several rows together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcuplan.facts import Trade
from mcuplan.ir.graph import Graph
from mcuplan.schedule.assembly.row_local import RowProgram, has_too_many_rows, row_program
from mcuplan.schedule.kernels.objective import Objective
from mcuplan.schedule.kernels.select import Offers, program_of, tall_apart, traded_apart
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.planning.streamed import least_bytes, plans_in_reach
from mcuplan.schedule.program import Plan, Selected, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.rows.order import find_row_order, smooth

__all__ = ["plan_of_several_rows"]

_MOST_TRIALS = 6  # one by one, of kernels that make rows together
_SHARES = (0.97, 0.9, 0.8, 0.65)  # of the RAM: peaks of orders with long runs


def plan_of_several_rows(
    graph: Graph, offers: Offers, sharing: Sharing, effort: Effort, rating: Rating
) -> Plan | None:
    """A plan of a lowered graph for the RAM there is; None where no kernel wants several rows.

    Where that is too little for all of these kernels, those that save most come first.
    """
    ways, tall = tall_apart(traded_apart(offers.of(graph))[0])
    chosen = {name: found[0] for name, found in ways.items()}
    saved = {n: chosen[n].cycles - c[0].cycles for n, c in tall.items() if c}
    wanted = sorted((n for n, cycles in saved.items() if cycles > 0), key=lambda n: -saved[n])
    if not wanted or has_too_many_rows(program_of(graph, offers.target, chosen)):
        return None
    room, best = rating.room(offers.target), None
    for names in (wanted, *([name] for name in wanted[:_MOST_TRIALS])):
        trial = chosen | {name: tall[name][0] for name in names}
        rowed = row_program(program_of(graph, offers.target, trial), sharing)
        found = next((p for p in _plans(rowed, sharing, effort, room) if rating.fits(p)), None)
        if found is not None:
            chosen, best = trial, found
            if names is wanted:
                break
    return best and replace(best, selected=Selected(Objective.LATENCY.value, Trade(len(chosen))))


def _plans(rowed: RowProgram, sharing: Sharing, effort: Effort, room: int) -> Iterator[Plan]:
    """Plans with runs of several lengths, the longest first."""
    limits = [int(share * room) for share in _SHARES]
    if least_bytes(rowed.graph) > limits[0]:
        return
    found = find_row_order(rowed.graph, states=effort.row_states, limit_bytes=limits[1])
    peaks = (*(limit for limit in limits if limit > found.peak_bytes), found.peak_bytes)
    orders = (smooth(rowed.graph, found, peak) for peak in peaks)
    yield from plans_in_reach(rowed, orders, sharing, effort)
