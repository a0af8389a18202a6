# SPDX-License-Identifier: Apache-2.0
"""Plans by rows of a graph and of its lowerings, and which of them is taken."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.errors import InputTooLarge, UsageError
from mcuplan.ir.graph import Graph
from mcuplan.passes.row_lowerings import row_lowerings
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import Offers
from mcuplan.schedule.planning.flash_by_rows import with_flash
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.planning.several_rows import plan_of_several_rows
from mcuplan.schedule.planning.spare_ram import with_copies
from mcuplan.schedule.planning.streamed import plan_lowered, plans_in_reach
from mcuplan.schedule.program import Plan, Program, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.targets import Target

__all__ = ["plan_rows"]

_FOR_SPEED = 0.05  # more arena than the least, for the objective that is fast


def plan_rows(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    aim: Aim | None = None,
    *,
    feed: bool = False,
    enough: int | None = None,
    offers: Offers | None = None,
) -> Plan | None:
    """The plan by rows of a lowered graph; None where all of them must need ``enough`` bytes.

    None, too, where there are more rows than an order can be found of in reasonable time.
    ``offers``: candidates for this target, where some are known.

    Raises:
        Problems: nodes that no kernel runs, all of them.
        UsageError: the input is to be fed and cannot arrive row by row.
        InputTooLarge: rows would lie further apart than the generated code can say.
    """
    sharing, aim, plans = sharing or Sharing(), aim or Aim(), list[Plan]()
    effort, rating = effort or Effort(), Rating(aim.ram_limit, sharing.keep_inputs)
    refused: list[UsageError | InputTooLarge] = []
    offers = offers or Offers(target, aim.flash_limit, aim.ram_limit)
    lowerings = row_lowerings(graph, fed=feed)
    for lowered in lowerings:
        try:
            plan = plan_lowered(lowered, offers, sharing, effort, aim, feed=feed, enough=enough)
        except (UsageError, InputTooLarge) as error:
            refused.append(error)
        else:
            plans += [plan] if plan is not None else []
            if plan is not None and aim.objective is Objective.LATENCY and not feed:
                plans.append(with_flash(lowered, plan, offers, sharing, effort, aim, rating))
                if rating.fits(plan):
                    several = plan_of_several_rows(lowered, offers, sharing, effort, rating)
                    plans += [several] if several is not None else []
    if len(refused) == len(lowerings):
        raise refused[0]
    if not plans:
        return None
    best = _best(plans, aim.objective, rating)

    def placed(program: Program) -> Plan | None:
        assert isinstance(best.order, RowOrder), "of rows"
        rowed = row_program(program, sharing, feed=feed)
        return next(plans_in_reach(rowed, [best.order], sharing, effort), None)

    return with_copies(best, aim, rating, placed)


def _best(plans: Sequence[Plan], objective: Objective, rating: Rating) -> Plan:
    """The fastest of those whose arena the objective allows; what fits comes first."""
    least = min(plan.arena_bytes for plan in plans)
    more = {Objective.LATENCY: float("inf"), Objective.BALANCED: _FOR_SPEED}
    limit = least * (1 + more.get(objective, 0.0))
    allowed = [plan for plan in plans if plan.arena_bytes <= limit]
    if len(allowed) == 1:
        return allowed[0]
    return rating.fastest(allowed)
