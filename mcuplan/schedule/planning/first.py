# SPDX-License-Identifier: Apache-2.0
"""The first plan found that fits: whole steps, by rows only where these need too much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain

from mcuplan.errors import InputTooLarge
from mcuplan.ir.graph import Graph
from mcuplan.passes.row_lowerings import row_lowerings
from mcuplan.plan_facts import FitsAsAWhole
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.row_local import RowProgram, has_too_many_rows, row_program
from mcuplan.schedule.kernels.choose import Choice, Placer, choose, slower
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import (
    Chosen,
    Offers,
    Ways,
    by_runs,
    fastest_of,
    program_of,
    tall_apart,
    traded_apart,
)
from mcuplan.schedule.planning.lowered import leanest_of
from mcuplan.schedule.planning.making import Maker
from mcuplan.schedule.planning.orders import RowOrders
from mcuplan.schedule.planning.rating import Rating, apart_bytes
from mcuplan.schedule.planning.spare_flash import spend_flash
from mcuplan.schedule.planning.spare_ram import spend_ram
from mcuplan.schedule.planning.streamed import least_bytes, streamed_plan
from mcuplan.schedule.program import Plan, Selected, Sharing
from mcuplan.solvers.effort import EFFORTS
from mcuplan.solvers.rows.order import smooth
from mcuplan.solvers.rows.problem import RowOrder

__all__ = ["first_plan"]

_EFFORT = EFFORTS["fast"]
_QUICK = replace(_EFFORT, row_states=600, nodes=0)  # rows are placed by fits alone
_ANY = 1 << 40  # bytes: an arena that is placed is small enough
_ROWS = 2  # that calls make, about
_PACKED = (1.0, 0.93, 0.85)  # of the room, that the peak may be: placing adds to it


def first_plan(graph: Graph, offers: Offers, sharing: Sharing, aim: Aim, *, by_rows: bool) -> Plan:
    """The fastest kernels that fit as whole steps; else as rows; else what needs least.

    Nothing is compared with what was not needed: a longer search may find less RAM, and a plan
    where this finds none.

    Args:
        graph: a lowered graph.
        offers: candidates for the target.
        sharing: what the plan may use.
        aim: the objective, balanced, latency or flash, and what memory there is.
        by_rows: whether rows may be looked for.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    rating = Rating(aim.ram_limit, sharing.keep_inputs)
    whole = _whole(graph, offers, sharing, aim, rating)
    if rating.fits(whole):
        return replace(whole, as_a_whole=FitsAsAWhole()) if by_rows else whole
    found, refuted = [whole], False
    if by_rows and not graph.states and all(len(node.outputs) == 1 for node in graph.nodes):
        room = rating.room(offers.target) - apart_bytes(whole)
        forms = [_Rows(form, offers, sharing, aim, rating, room) for form in row_lowerings(graph)]
        for plan in chain.from_iterable(form.plans() for form in forms):
            if rating.fits(plan):
                return plan
            found.append(plan)
        refuted = all(form.refuted for form in forms)
    least = min(found, key=lambda plan: plan.arena_bytes)
    assert least.selected is not None, "its kernels were chosen"
    return replace(least, selected=replace(least.selected, open_=not refuted))


def _whole(graph: Graph, offers: Offers, sharing: Sharing, aim: Aim, rating: Rating) -> Plan:
    """Whole steps: the fastest kernels if these fit, then with rows made backwards, then others."""
    (ways, more), target = traded_apart(offers.of(graph)), offers.target
    choice, fits = None, False
    wanted = aim if aim.objective is Objective.FLASH else replace(aim, objective=Objective.LATENCY)
    for backwards in sorted({False, sharing.backwards}):
        maker = Maker(graph, target, replace(sharing, backwards=backwards), _EFFORT, exact=False)
        placer = Placer(maker.place, lambda plan: plan.arena_bytes)
        choice = choose(ways, wanted, placer)
        if fits := rating.fits(choice.placed):
            break
    assert choice is not None, "something is tried"
    if not fits and wanted.objective is Objective.LATENCY:
        choice = _within(ways, wanted, placer, rating.room(target) - apart_bytes(choice.placed))
        fits = rating.fits(choice.placed)
    if fits:
        choice = spend_flash(choice, more, aim, placer, lambda plan, before: rating.fits(plan))
        choice = spend_ram(choice, aim, placer, rating)
    check_rows(choice.placed, keep_inputs=sharing.keep_inputs)
    return replace(choice.placed, selected=Selected(aim.objective.value, choice.trade, first=fits))


def _within(ways: Ways, aim: Aim, placer: Placer[Plan], room: int) -> Choice[Plan]:
    """The fastest kernels that keep a room, or those of the least scratch if these do not."""
    lean = leanest_of(ways)
    if placer.keeps(lean, room):
        return choose(ways, aim, placer, room)
    fastest = fastest_of(ways)
    chosen = min(lean, fastest, key=placer.size)
    return Choice(chosen, placer.best(chosen), slower(fastest, chosen))


@dataclass(slots=True)
class _Rows:
    """A lowered graph by rows, in so many bytes of room; leanest kernels are looked for first."""

    graph: Graph
    offers: Offers
    sharing: Sharing
    aim: Aim
    rating: Rating
    room: int
    ways: Ways = field(init=False)
    lean: Chosen = field(init=False)
    rowed: RowProgram | None = field(init=False)

    def __post_init__(self) -> None:
        target = self.offers.target
        known = by_runs(self.offers.of(self.graph), target, _ROWS)
        self.ways, _ = tall_apart(traded_apart(known)[0])
        self.lean = leanest_of(self.ways)
        program = program_of(self.graph, target, self.lean)
        empty = any(step.rows == 0 for step in program.steps)
        self.rowed = None if empty or has_too_many_rows(program) else self._rowed(self.lean)

    @property
    def refuted(self) -> bool:
        """Whether some call needs more than there is, in any order."""
        return self.rowed is not None and least_bytes(self.rowed.graph) > self.room

    def plans(self) -> Iterator[Plan]:
        """Plans by rows, until one fits; none where there are too many rows.

        None, too, where every order needs more than there is.
        """
        if self.rowed is None or self.refuted:
            return
        orders = RowOrders(self.rowed, _QUICK, self.room)
        placer = Placer(self._rowed, orders.peak)
        for share in _PACKED:
            limit = int(share * self.room)
            keeps = placer.keeps(self.lean, limit)
            chosen = self._fastest(placer, limit) if keeps else self.lean
            rowed = placer(chosen)
            found = orders.best(rowed)
            over = found.peak_bytes > self.room
            longer = found if over else smooth(rowed.graph, found, limit)
            yield from self._placed(chosen, rowed, longer)
            if not keeps:
                break
        if not over:
            yield from self._placed(chosen, rowed, found, more=True)

    def _fastest(self, placer: Placer[RowProgram], limit: int) -> Chosen:
        aim = replace(self.aim, objective=Objective.LATENCY)
        return choose(self.ways, aim, placer, limit).chosen

    def _rowed(self, chosen: Chosen) -> RowProgram:
        return row_program(program_of(self.graph, self.offers.target, chosen), self.sharing)

    def _placed(
        self, chosen: Chosen, rowed: RowProgram, order: RowOrder, *, more: bool = False
    ) -> Iterator[Plan]:
        """The plan of an order, by fits alone or with ``more`` effort; none out of reach."""
        effort, enough = (_EFFORT, self.room) if more else (_QUICK, _ANY)
        fastest = fastest_of(self.ways)
        selected = Selected(self.aim.objective.value, slower(fastest, chosen))
        with suppress(InputTooLarge):
            plan = streamed_plan(rowed, self.sharing, effort, order, enough)
            yield replace(plan, selected=replace(selected, first=self.rating.fits(plan)))
