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
from mcuplan.price import kernel_size
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.row_local import RowProgram, has_too_many_rows, row_program
from mcuplan.schedule.kernels.choose import Choice, choose, slower
from mcuplan.schedule.kernels.flash_price import price_of
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import (
    Candidate,
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
from mcuplan.schedule.planning.rating import Rating, apart_of, ram_bytes
from mcuplan.schedule.planning.spare_flash import spend_flash
from mcuplan.schedule.planning.spare_ram import spend_ram
from mcuplan.schedule.planning.streamed import least_bytes, streamed_plan
from mcuplan.schedule.program import Plan, Program, Selected, Sharing
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
    where this finds none. Flash is looked at where the candidates are those that may save some.

    Args:
        graph: a lowered graph.
        offers: candidates for the target.
        sharing: what the plan may use.
        aim: the objective, balanced, latency or flash, and what memory there is.
        by_rows: whether rows may be looked for.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    rating = Rating(aim.ram_limit, sharing.keep_inputs, aim.flash_limit)
    whole = _whole(graph, offers, sharing, aim, rating)

    def fits(plan: Plan) -> bool:
        return rating.fits(plan) and (rating.in_flash(plan) or not offers.copies)

    if fits(whole):
        return replace(whole, as_a_whole=FitsAsAWhole()) if by_rows else whole
    found, refuted = [whole], False
    if by_rows and not graph.states and all(len(node.outputs) == 1 for node in graph.nodes):
        forms = [_Rows(form, offers, sharing, aim, rating) for form in row_lowerings(graph)]
        for plan in chain.from_iterable(form.plans() for form in forms):
            if fits(plan):
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
    wanted, price = _wanted(aim), price_of(graph, target, ways)
    for backwards in sorted({False, sharing.backwards}):
        maker = Maker(graph, target, replace(sharing, backwards=backwards), _EFFORT, exact=False)
        placer = Placer(maker.place, lambda plan: plan.arena_bytes, price=price)
        choice = choose(ways, wanted, placer)
        if fits := rating.fits(choice.placed):
            break
    assert choice is not None, "something is tried"
    if not fits:
        choice = _within(ways, wanted, placer.measured_by(ram_bytes), rating.room(target))
        fits = rating.fits(choice.placed)
    if fits:
        choice = spend_flash(choice, more, aim, placer, lambda plan, before: rating.fits(plan))
        choice = spend_ram(choice, aim, placer, rating)
    check_rows(choice.placed, keep_inputs=sharing.keep_inputs)
    return replace(choice.placed, selected=Selected(aim.objective.value, choice.trade, first=fits))


def _wanted(aim: Aim) -> Aim:
    """What is looked for first: the least flash where that is asked for, else speed."""
    return aim if aim.objective is Objective.FLASH else replace(aim, objective=Objective.LATENCY)


def _within(ways: Ways, aim: Aim, placer: Placer[Plan], room: int) -> Choice[Plan]:
    """The kernels wanted that keep a room, or those of the least scratch if none do."""
    lean = leanest_of(ways)
    if aim.objective is Objective.FLASH or placer.keeps(lean, room):
        return choose(ways, aim, placer, room)
    fastest = fastest_of(ways)
    chosen = min(lean, fastest, key=placer.size)
    return Choice(chosen, placer.best(chosen), slower(fastest, chosen))


def _stack(candidate: Candidate) -> int:
    return kernel_size(candidate.step.kernel).stack_bytes


@dataclass(slots=True)
class _Rows:
    """A lowered graph by rows; leanest kernels are looked for first."""

    graph: Graph
    offers: Offers
    sharing: Sharing
    aim: Aim
    rating: Rating
    room: int = field(init=False)  # bytes, of the arena of the leanest kernels
    ways: Ways = field(init=False)
    lean: Chosen = field(init=False)
    rowed: RowProgram | None = field(init=False)

    def __post_init__(self) -> None:
        target = self.offers.target
        known = by_runs(self.offers.of(self.graph), target, _ROWS)
        self.ways, _ = tall_apart(traded_apart(known)[0])
        self.lean = leanest_of(self.ways)
        program = program_of(self.graph, target, self.lean)
        self.room = self._room(program)
        empty = any(step.rows == 0 for step in program.steps)
        self.rowed = None if empty or has_too_many_rows(program) else self._rowed(self.lean)

    @property
    def refuted(self) -> bool:
        """Whether some call needs more than there is, in any order."""
        least = {name: min(found, key=_stack) for name, found in self.ways.items()}
        most = self._room(program_of(self.graph, self.offers.target, least))
        return self.rowed is not None and least_bytes(self.rowed.graph) > most

    def _room(self, program: Program) -> int:
        """Bytes for the arena of a program."""
        return self.rating.room(program.target) - apart_of(program)

    def plans(self) -> Iterator[Plan]:
        """Plans by rows, until one fits; none where there are too many rows.

        None, too, where every order needs more than there is.
        """
        if self.rowed is None or self.refuted:
            return
        orders = RowOrders(self.rowed, _QUICK, self.room)
        price = price_of(self.graph, self.offers.target, self.ways)
        all_ram = self.rating.room(self.offers.target)

        def needs(rowed: RowProgram) -> int:
            return orders.peak(rowed) + apart_of(rowed.program)

        placer = Placer(self._rowed, needs, price=price)
        for share in _PACKED:
            limit = all_ram - int((1 - share) * self.room)
            keeps = placer.keeps(self.lean, limit)
            chosen = self._best(placer, limit) if keeps else self.lean
            rowed = placer(chosen)
            found, self.room = orders.best(rowed), self._room(rowed.program)
            over = found.peak_bytes > self.room
            longer = found if over else smooth(rowed.graph, found, int(share * self.room))
            yield from self._placed(chosen, rowed, longer)
            if not keeps:
                break
        if not over:
            yield from self._placed(chosen, rowed, found, more=True)

    def _best(self, placer: Placer[RowProgram], limit: int) -> Chosen:
        return choose(self.ways, _wanted(self.aim), placer, limit).chosen

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
