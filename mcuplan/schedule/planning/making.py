# SPDX-License-Identifier: Apache-2.0
"""Plans of whole steps with kernels that are given."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Kernel
from mcuplan.schedule.assembly.arrange import arrange
from mcuplan.schedule.assembly.plan import make_plan
from mcuplan.schedule.kernels.placer import kernels_of
from mcuplan.schedule.kernels.select import Chosen, program_of
from mcuplan.schedule.program import Plan, Program, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.targets import Target

__all__ = ["Maker", "placed"]


@dataclass(slots=True)
class Maker:
    """Plans of one graph with different kernels; the order is searched for the first of them.

    Without ``exact`` no search follows where quick placing is not proved best.
    """

    graph: Graph
    target: Target
    sharing: Sharing
    effort: Effort | None
    exact: bool = True
    first: Plan | None = None
    searched: tuple[Kernel, ...] = ()

    def place(self, chosen: Chosen) -> Plan:
        """A plan in the order of the first one."""
        if self.first is None:
            self.first, self.searched = self.finish(chosen), kernels_of(chosen)
            return self.first
        graph = self.first.program.graph
        copying = program_of(graph, self.target, chosen)
        arranged = arrange(graph, self.target, self.sharing, reorder=False, copying=copying)
        return make_plan(
            arranged.program, self.sharing, arranged.order, exact=self.exact, checked=False
        )

    def finish(self, chosen: Chosen) -> Plan:
        """A plan in the best order for its own kernels."""
        if self.first is not None and kernels_of(chosen) == self.searched:
            return self.first
        copying = program_of(self.graph, self.target, chosen)
        return placed(copying, self.sharing, self.effort, exact=self.exact)


def placed(
    copying: Program,
    sharing: Sharing,
    effort: Effort | None,
    *,
    eager: bool = False,
    exact: bool = True,
) -> Plan:
    """The plan of given kernels, one for every node that is no view by itself; not checked yet.

    ``eager``: without copies that a view saves, whatever their arena is; ``exact``: see
    :class:`Maker`.
    """
    graph, target = copying.graph, copying.target
    arranged = arrange(graph, target, sharing, effort, copying=copying, eager=eager)
    plan = make_plan(arranged.program, sharing, arranged.order, exact=exact, checked=False)
    if arranged.program.graph is graph:
        return plan
    own = arrange(graph, target, sharing, reorder=False, copying=copying, eager=eager)
    other = make_plan(own.program, sharing, own.order, exact=exact, checked=False)
    return other if other.arena_bytes < plan.arena_bytes else plan
