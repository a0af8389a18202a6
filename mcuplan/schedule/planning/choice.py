# SPDX-License-Identifier: Apache-2.0
"""A graph becomes a plan: kernels for an objective, whole steps or rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from mcuplan.errors import InputTooLarge
from mcuplan.ir.graph import Graph
from mcuplan.plan_facts import (
    Faster,
    NotWorthCycles,
    RowsTooFar,
    SeveralOutputs,
    SlowerByRows,
    WithStates,
)
from mcuplan.record.planned import Request
from mcuplan.schedule.assembly.aliases import possible_views
from mcuplan.schedule.assembly.check_rows import check_rows
from mcuplan.schedule.assembly.states import check_states
from mcuplan.schedule.kernels.choose import choose
from mcuplan.schedule.kernels.flash_price import price_of
from mcuplan.schedule.kernels.objective import MORE_CYCLES, Aim, Objective, plan_cycles, ram_weight
from mcuplan.schedule.kernels.placer import Placer
from mcuplan.schedule.kernels.select import (
    Offers,
    flash_bytes,
    flash_room,
    program_of,
    traded_apart,
)
from mcuplan.schedule.planning.backwards import chosen_backwards, worth_backwards
from mcuplan.schedule.planning.by_rows import ByRows
from mcuplan.schedule.planning.finishing import finished_in_parts
from mcuplan.schedule.planning.first import first_plan
from mcuplan.schedule.planning.held import Held, instead
from mcuplan.schedule.planning.making import Maker, placed
from mcuplan.schedule.planning.rating import Rating, apart_bytes, ram_bytes
from mcuplan.schedule.planning.spare_flash import spend_flash
from mcuplan.schedule.planning.spare_ram import spend_ram
from mcuplan.schedule.program import Plan, Selected, Sharing, Streaming
from mcuplan.solvers.effort import EFFORTS, Effort
from mcuplan.solvers.packing import Packer
from mcuplan.targets import Target

__all__ = ["plan_asked", "plan_graph"]

_FITTING = (Objective.BALANCED, Objective.LATENCY, Objective.FLASH)  # what fits will do
_IN_ROOM = (Objective.LATENCY, Objective.FLASH)  # kernels for these are chosen by the RAM there is
_NEAR = 1.5  # times the cycles of the fastest kernels: what fits within that is not beaten by far


def plan_graph(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    aim: Aim | None = None,
    *,
    streaming: Streaming = "off",
) -> Plan:
    """Kernels, order and addresses of a lowered graph: all levels.

    The arena is never larger than with the graph's own order, nor than without streaming
    unless the input is fed or latency is asked for.

    Args:
        graph: a lowered graph.
        target: for what chip.
        sharing: what the plan may use.
        effort: how long to look for the order.
        aim: what kernels are chosen for.
        streaming: "auto": by rows where that needs less, for latency where it is faster;
            "input": by rows that are fed.

    Raises:
        Problems: nodes that no kernel runs, all of them.
        UsageError: the input cannot be fed.
    """
    aim = aim or Aim()
    return _plan(_rows(graph, target, sharing, effort, aim, streaming), effort, aim, streaming)


def plan_asked(
    request: Request, graph: Graph, target: Target, packer: Packer | None = None
) -> tuple[Plan, Plan]:
    """The plan that a request asks for, in one arena and divided among the RAM regions.

    Where the default's plan misses a limit, it is the fastest that keeps all; elsewhere it says
    what the plan for latency takes where that is faster by far. With little effort it is the
    first plan that fits, but for least RAM. ``packer`` knows what plans of like graphs placed.

    Raises:
        Problems, UsageError: see :func:`plan_graph`.
    """
    sharing, effort, streaming = request.sharing, EFFORTS[request.effort], request.streaming
    row_cycles = max(1, int(request.row_limit_s * target.clock_hz)) if request.row_limit_s else 0
    objective = Objective(request.objective)
    aim = Aim(objective, request.ram_limit, row_cycles, flash_room(target, request.flash_limit))
    rows = _rows(graph, target, sharing, effort, aim, streaming, packer)
    seconds = request.latency_limit_s
    limits = Held(_rating(rows, aim), math.inf if seconds is None else seconds * target.clock_hz)
    if request.effort == "fast" and objective in _FITTING and not rows.feed:

        def first(offers: Offers, aim: Aim) -> Plan:
            return first_plan(graph, offers, sharing, aim, by_rows=streaming == "auto")

        plan = _of_held(first(rows.offers, aim), rows)
        plan = limits.instead_of(plan, rows, aim, first)
        return plan, limits.rating.divided(plan)

    def again(offers: Offers, aim: Aim) -> Plan:
        return _plan(replace(rows, offers=offers, _forms=[]), effort, aim, streaming)

    plan, faster = _or_faster(rows, effort, aim, streaming, limits)
    plan = _of_held(plan, rows)
    held = limits.instead_of(plan, rows, aim, again)
    said = faster if held is plan else None
    one, several = (
        finished_in_parts(_saying(each, said), row_cycles, keep_inputs=sharing.keep_inputs)
        for each in (held, limits.rating.divided(held))
    )
    return one, several


def _of_held(plan: Plan, rows: ByRows) -> Plan:
    """The plan, which says so where its kernels were compared with those that flash holds."""
    if rows.offers.holds_fastest(rows.graph):
        return plan
    assert plan.selected is not None, "its kernels were chosen"
    return replace(plan, selected=replace(plan.selected, of_held=True))


def _or_faster(
    rows: ByRows, effort: Effort | None, aim: Aim, streaming: Streaming, limits: Held
) -> tuple[Plan, Faster | None]:
    """The plan for an aim, or that for latency where it keeps limits which the default misses.

    Else what that takes, where it is faster by far.
    """
    rating, plan = limits.rating, _plan(rows, effort, aim, streaming)
    near = MORE_CYCLES if rows.offers.target.memory is None else 1.0  # copies may beat all kernels
    slow = rating.cycles(plan) > near * _least_cycles(rows.graph, rows.offers)
    missed = not limits.keeps(plan)
    if aim.objective is not Objective.BALANCED or not (slow or missed):
        return plan, None
    if not rating.fits(plan) and not _some_fits(rows, effort, aim, streaming, rating):
        return plan, None
    fast = _plan(rows, effort, replace(aim, objective=Objective.LATENCY), streaming)
    if missed and limits.keeps(fast):
        return instead(fast, aim.objective), None
    return plan, _faster_by(plan, fast, rating)


def _some_fits(
    rows: ByRows, effort: Effort | None, aim: Aim, streaming: Streaming, rating: Rating
) -> bool:
    """Whether the least arena fits, with half of its stack: that of other kernels may be less."""
    plan = _plan(rows, effort, replace(aim, objective=Objective.RAM_STRICT), streaming)
    return rating.fits(plan, apart_bytes(plan) // 2)


def _faster_by(plan: Plan, fast: Plan, rating: Rating) -> Faster | None:
    """What the plan for latency takes, where it fits and is faster by more than is given up."""
    saved = rating.cycles(plan) - rating.cycles(fast)
    if not rating.fits(fast) or saved <= (1 - 1 / MORE_CYCLES) * rating.cycles(plan):
        return None
    more = fast.arena_bytes + apart_bytes(fast) - plan.arena_bytes - apart_bytes(plan)
    return Faster(round(saved), more, flash_bytes(fast.program) - flash_bytes(plan.program))


def _saying(plan: Plan, faster: Faster | None) -> Plan:
    """The plan with what a faster one takes, where there is one."""
    if faster is None:
        return plan
    selected = plan.selected
    assert selected is not None, "its kernels were chosen"
    return replace(plan, selected=replace(selected, trade=replace(selected.trade, faster=faster)))


def _rows(
    graph: Graph,
    target: Target,
    sharing: Sharing | None,
    effort: Effort | None,
    aim: Aim,
    streaming: Streaming,
    packer: Packer | None = None,
) -> ByRows:
    """What plans by rows are made of; its candidates serve plans of whole steps, too."""
    feed = streaming == "input"
    check_states(graph, fed=feed)
    offers = Offers(target, aim.flash_limit, aim.ram_limit)
    asked = sharing or Sharing(), effort or Effort(), feed, packer or Packer()
    return ByRows(graph, offers, *asked)


def _rating(rows: ByRows, aim: Aim) -> Rating:
    """What plans for an aim are rated by."""
    return Rating(aim.ram_limit, rows.sharing.keep_inputs, aim.flash_limit)


def _plan(rows: ByRows, effort: Effort | None, aim: Aim, streaming: Streaming) -> Plan:
    """The plan for an objective: whole steps or rows."""
    rating = _rating(rows, aim)
    if rows.feed:
        fed = rows.plan(aim)
        assert fed is not None, "an input that can be fed has rows"
        return fed
    whole, by_rows = _both_ways(rows, effort, aim, streaming)
    if aim.objective is not Objective.LATENCY:
        return whole if by_rows is None else _leaner(by_rows, whole, aim.objective, rating)
    best = whole if by_rows is None else _faster(by_rows, whole, rating)
    if rating.fits(best) and (rows.offers.copies or _is_near(best, rows, rating)):
        return best
    others = _others(rows, effort, aim, streaming, rating)
    found = rating.fastest([best, *others])
    return found if found is best else replace(found, selected=_as_latency(found))


def _is_near(plan: Plan, rows: ByRows, rating: Rating) -> bool:
    """Whether a plan is hardly slower than the fastest kernels."""
    return rating.cycles(plan) <= _NEAR * _least_cycles(rows.graph, rows.offers)


def _least_cycles(graph: Graph, offers: Offers) -> float:
    """Of all kernels, each step as a whole, with waits for nothing."""
    return sum(found[0].cycles for found in offers.of(graph).values())


def _both_ways(
    rows: ByRows, effort: Effort | None, aim: Aim, streaming: Streaming
) -> tuple[Plan, Plan | None]:
    """The plan of whole steps, and that by rows where it may be better."""
    graph = rows.graph
    whole = _plan_whole(graph, rows.offers, rows.sharing, effort, aim)
    if streaming == "off":
        return whole, None
    if graph.states:
        return replace(whole, as_a_whole=WithStates()), None
    several = next((node for node in graph.nodes if len(node.outputs) > 1), None)
    if several is not None:
        return replace(whole, as_a_whole=SeveralOutputs(graph.node_name(several))), None
    enough = None if aim.objective is Objective.LATENCY else whole.arena_bytes
    try:
        return whole, rows.plan(aim, enough=enough)
    except InputTooLarge as error:
        return replace(whole, as_a_whole=RowsTooFar(error.message)), None


def _others(
    rows: ByRows, effort: Effort | None, aim: Aim, streaming: Streaming, rating: Rating
) -> Iterator[Plan]:
    """Plans of other objectives, where the fastest kernels need more than the best RAM."""
    for objective in (Objective.RAM_STRICT, Objective.RAM, Objective.BALANCED, Objective.FLASH):
        wanted = replace(aim, objective=objective)
        whole, by_rows = _both_ways(rows, effort, wanted, streaming)
        plans = [whole] if by_rows is None else [whole, by_rows]
        yield from plans
        if objective is Objective.RAM_STRICT and not any(rating.fits(plan, 0) for plan in plans):
            break  # nor does any other arena


def _as_latency(plan: Plan) -> Selected | None:
    """Of a plan that was made for another objective."""
    selected, objective = plan.selected, Objective.LATENCY.value
    return selected and replace(selected, objective=objective, among_fitting=True)


def _faster(by_rows: Plan, whole: Plan, rating: Rating) -> Plan:
    """The faster plan; where both are as fast, the one that needs less."""
    if rating.fastest([whole, by_rows]) is by_rows:
        return by_rows
    more = 100 * (rating.cycles(by_rows) / max(1.0, rating.cycles(whole)) - 1)
    return replace(whole, as_a_whole=SlowerByRows(more)) if more > 0 else whole


def _leaner(by_rows: Plan, whole: Plan, objective: Objective, rating: Rating) -> Plan:
    """The plan by rows where it needs less, and for `ram` where that is worth its cycles."""
    if rating.fits(whole) and rating.in_flash(whole) and not rating.in_flash(by_rows):
        return whole
    sizes = by_rows.arena_bytes, whole.arena_bytes
    if sizes[0] >= sizes[1]:
        return whole
    if objective is not Objective.RAM or not rating.fits(whole):
        return by_rows
    cycles = rating.cycles(by_rows), rating.cycles(whole)
    if ram_weight(sizes[0], cycles[0]) <= ram_weight(sizes[1], cycles[1]):
        return by_rows
    return replace(whole, as_a_whole=NotWorthCycles(sizes[1] - sizes[0]))


def _plan_whole(
    graph: Graph, offers: Offers, sharing: Sharing, effort: Effort | None, aim: Aim
) -> Plan:
    """Every step as a whole, with kernels for the objective."""
    (ways, more), target = traded_apart(offers.of(graph)), offers.target
    maker = Maker(graph, target, sharing, effort)
    price = price_of(graph, target, ways)
    placer = Placer(maker.place, lambda plan: plan.arena_bytes, maker.finish, price=price)
    rating = Rating(aim.ram_limit, sharing.keep_inputs, aim.flash_limit)
    plain = choose(ways, aim, placer)
    if aim.objective in _IN_ROOM and not rating.fits(plain.placed):
        plain = choose(ways, aim, placer.measured_by(ram_bytes), rating.room(target))
    choice = spend_flash(plain, more, aim, placer, _better(aim, rating))
    choice = spend_ram(choice, aim, placer, rating)
    turned = chosen_backwards(choice, ways, aim, placer, sharing)
    choice = (
        turned if rating.in_flash(turned.placed) or not rating.in_flash(choice.placed) else choice
    )
    best, fast = choice.placed, aim.objective is Objective.LATENCY
    copying, onwards = program_of(graph, target, choice.chosen), replace(sharing, backwards=False)
    if fast:
        plans = [best] if choice.chosen is plain.chosen else [best, plain.placed]
        if possible_views(graph):
            plans.append(placed(copying, sharing, effort, eager=True))
        if any(map(_descends, plans)):  # rows made backwards may take longer
            plans.append(placed(copying, onwards, effort, eager=True))
        best = plans[0] if len(plans) == 1 else rating.fastest(plans)
    elif _descends(best):
        other = placed(copying, onwards, effort)
        best = best if worth_backwards(best, other, aim.objective) else other
    check_rows(best, keep_inputs=sharing.keep_inputs)
    trade = plain.trade if best is plain.placed else choice.trade
    trade = trade if _descends(best) else replace(trade, backwards=None)
    return replace(best, selected=Selected(aim.objective.value, trade))


def _descends(plan: Plan) -> bool:
    return any(run.descending for run in plan.runs)


def _better(aim: Aim, rating: Rating) -> Callable[[Plan, Plan], bool]:
    """Whether more flash makes a better plan: with no more arena; for latency one that fits."""
    if aim.objective is Objective.LATENCY:
        return lambda plan, before: rating.fits(plan) or not rating.fits(before)
    return lambda plan, before: (
        plan.arena_bytes <= before.arena_bytes and plan_cycles(plan) < plan_cycles(before)
    )
