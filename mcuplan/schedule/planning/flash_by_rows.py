# SPDX-License-Identifier: Apache-2.0
"""Flash to spare by rows, for latency: kernels of several rows at a time, in longer runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Kernel
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.kernels.choose import kernels_of
from mcuplan.schedule.kernels.objective import Aim
from mcuplan.schedule.kernels.select import (
    Candidate,
    Chosen,
    Offers,
    Ways,
    program_of,
    traded_apart,
)
from mcuplan.schedule.planning.rating import Rating, apart_bytes
from mcuplan.schedule.planning.spare_flash import bought, spent
from mcuplan.schedule.planning.streamed import plans_in_reach
from mcuplan.schedule.program import Plan, Program, Selected, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.rows.order import find_row_order, smooth

__all__ = ["with_flash"]

_SHARES = (1.0, 0.95, 0.88)  # of the room, that the peak may take: placing adds to it
_MOST_SIZES = 8
_NO_LOSS = 1.01  # times the cycles of kernels that run as a whole: nothing is to be gained


def with_flash(
    graph: Graph,
    plain: Plan,
    offers: Offers,
    sharing: Sharing,
    effort: Effort,
    aim: Aim,
    rating: Rating,
) -> Plan:
    """The plan by rows of a lowered graph, or a faster one that fits with more flash.

    The more scratch a kernel may have, the faster, but the less is left for long runs of rows:
    several sizes are tried.
    """
    ways, more = traded_apart(offers.of(graph))
    if not any(more.values()):
        return plain
    room = rating.room(offers.target) - apart_bytes(plain)
    kernels = {step.node.name: step.kernel for step in plain.program.steps}
    chosen = {
        name: next(c for c in found if c.step.kernel == kernels[name])
        for name, found in ways.items()
    }
    best, taken, tried = plain, chosen, set[tuple[Kernel, ...]]()
    for within in _choices(more):
        now = {**chosen, **bought(chosen, within, aim, plain.program)}
        if kernels_of(now) in tried:
            continue
        tried.add(kernels_of(now))
        plans = _plans(program_of(graph, offers.target, now), sharing, effort, room)
        found = rating.fastest([best, *plans])
        best, taken = (best, taken) if found is best else (found, now)
        enough = _NO_LOSS * sum(candidate.cycles for candidate in now.values())
        if rating.fits(best) and rating.cycles(best) <= enough:
            break
    return best if best is plain else _said(best, plain, chosen, taken)


def _choices(more: Ways) -> Iterator[Ways]:
    """Those with the most scratch, then less and less; of each step all, or the leanest."""
    sizes = {c.step.scratch_bytes for found in more.values() for c in found}
    for most in sorted(sizes, reverse=True)[:_MOST_SIZES]:
        within = {n: tuple(c for c in f if c.step.scratch_bytes <= most) for n, f in more.items()}
        yield within
        yield {n: tuple(sorted(f, key=_scratch)[:1]) for n, f in within.items()}


def _scratch(candidate: Candidate) -> int:
    return candidate.step.scratch_bytes


def _plans(program: Program, sharing: Sharing, effort: Effort, room: int) -> list[Plan]:
    """Plans with long runs, as far as there is room in bytes for their peak, and for less."""
    rowed = row_program(program, sharing)
    order = find_row_order(rowed.graph, states=effort.row_states)
    limits = [int(share * room) for share in _SHARES if share * room >= order.peak_bytes]
    orders = {found.moves: found for found in (smooth(rowed.graph, order, n) for n in limits)}
    return list(plans_in_reach(rowed, orders.values(), sharing, effort))


def _said(plan: Plan, plain: Plan, chosen: Chosen, now: Chosen) -> Plan:
    """The plan, with what it took."""
    assert plain.selected is not None, "its kernels were chosen"
    fact = spent(plain.program, plan.program, chosen, now)
    trade = replace(plain.selected.trade, flash=fact)
    return replace(plan, selected=Selected(plain.selected.objective, trade))
