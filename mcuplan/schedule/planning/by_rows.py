# SPDX-License-Identifier: Apache-2.0
"""Plans by rows of a graph and of its lowerings, and which of them is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mcuplan.errors import InputTooLarge, UsageError
from mcuplan.ir.graph import Graph
from mcuplan.passes.row_lowerings import row_lowerings
from mcuplan.schedule.assembly.row_local import row_program
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.kernels.select import Offers
from mcuplan.schedule.planning.lowered import LoweredRows
from mcuplan.schedule.planning.rating import Rating
from mcuplan.schedule.planning.roomy_runs import with_roomy_runs
from mcuplan.schedule.planning.spare_ram import with_copies
from mcuplan.schedule.planning.streamed import plans_in_reach
from mcuplan.schedule.program import Plan, Program, Sharing, Step
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.packing import Packer
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.targets import Target

__all__ = ["ByRows", "plan_rows"]

_FOR_SPEED = 0.05  # more arena than the least, for the objective that is fast


@dataclass(slots=True)
class ByRows:
    """Plans by rows of a lowered graph and of its other forms, for any objective.

    Attributes:
        graph: as it is.
        offers: candidates for the target.
        feed: rows of the input arrive one by one.
        packer: knows what plans of other graphs placed.
    """

    graph: Graph
    offers: Offers
    sharing: Sharing = field(default_factory=Sharing)
    effort: Effort = field(default_factory=Effort)
    feed: bool = False
    packer: Packer = field(default_factory=Packer)
    _forms: list[LoweredRows | UsageError] = field(default_factory=list)

    def plan(self, aim: Aim, *, enough: int | None = None) -> Plan | None:
        """The plan by rows; None where all of them must need ``enough`` bytes.

        None, too, where there are more rows than an order can be found of in reasonable time.

        Raises:
            Problems: nodes that no kernel runs, all of them.
            UsageError: the input is to be fed and cannot arrive row by row.
            InputTooLarge: rows would lie further apart than the generated code can say.
        """
        rating = Rating(aim.ram_limit, self.sharing.keep_inputs, aim.flash_limit)
        plans: list[Plan] = []
        refused: list[UsageError | InputTooLarge] = []
        forms = self._known()
        for form in forms:
            try:
                if isinstance(form, UsageError):
                    raise form
                plans += form.plans(aim, rating, enough)
            except (UsageError, InputTooLarge) as error:
                refused.append(error)
        if len(refused) == len(forms):
            raise refused[0]
        if not plans:
            return None
        if aim.objective is not Objective.LATENCY:
            return self._copying(_best(plans, aim.objective, rating), aim, rating)
        return rating.fastest([self._copying(plan, aim, rating) for plan in plans])

    def _copying(self, plan: Plan, aim: Aim, rating: Rating) -> Plan:
        """The plan with copies of weights, where there is room for them."""

        def placed(program: Program) -> Plan | None:
            assert isinstance(plan.order, RowOrder), "of rows"
            lean = replace(program, steps=tuple(map(_in_leanest_form, program.steps)))
            rowed = row_program(lean, self.sharing, feed=self.feed)
            found = next(plans_in_reach(rowed, [plan.order], self.sharing, self.effort), None)
            return found and with_roomy_runs(found, found.arena_bytes, self.sharing)

        return with_copies(plan, aim, rating, placed)

    def _known(self) -> list[LoweredRows | UsageError]:
        """The graph and its other forms, or why they cannot be fed."""
        if not self._forms:
            for graph in row_lowerings(self.graph, fed=self.feed):
                form: LoweredRows | UsageError
                try:
                    asked = self.sharing, self.effort, self.feed, self.packer
                    form = LoweredRows(graph, self.offers, *asked)
                except UsageError as error:
                    form = error
                self._forms.append(form)
        return self._forms


def _in_leanest_form(step: Step) -> Step:
    """The form that a step needs room for wherever it runs; of copied weights there is one."""
    if step.kernel.staged:
        return replace(step, forms=())
    return min(step.in_forms, key=lambda form: form.scratch_bytes)


def plan_rows(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    aim: Aim | None = None,
    *,
    feed: bool = False,
) -> Plan | None:
    """The plan by rows for one objective; None where no order of its rows is found.

    Raises:
        Problems, UsageError, InputTooLarge: see :meth:`ByRows.plan`.
    """
    aim = aim or Aim()
    offers = Offers(target, aim.flash_limit, aim.ram_limit)
    return ByRows(graph, offers, sharing or Sharing(), effort or Effort(), feed).plan(aim)


def _best(plans: Sequence[Plan], objective: Objective, rating: Rating) -> Plan:
    """The fastest of those whose arena the objective allows; what fits comes first."""
    least = min(plan.arena_bytes for plan in plans)
    more = {Objective.LATENCY: float("inf"), Objective.BALANCED: _FOR_SPEED}
    limit = least * (1 + more.get(objective, 0.0))
    allowed = [plan for plan in plans if plan.arena_bytes <= limit]
    if len(allowed) == 1:
        return allowed[0]
    return rating.fastest(allowed)
