# SPDX-License-Identifier: Apache-2.0
"""From a graph to a program: kernels, views and the order, chosen together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mcuplan.ir.graph import Graph
from mcuplan.schedule.assembly.aliases import always_views, possible_views
from mcuplan.schedule.assembly.order import OrderResult, find_order
from mcuplan.schedule.kernels.select import select_kernels
from mcuplan.schedule.overlap import shared_bytes
from mcuplan.schedule.program import Program, Sharing
from mcuplan.solvers.effort import Effort
from mcuplan.targets import Target

__all__ = ["Arranged", "arrange"]

_TRIALS = 12  # optional views that are tried one by one


@dataclass(frozen=True, slots=True)
class Arranged:
    """A program in the best order found, and what is known about that order."""

    program: Program
    order: OrderResult


def arrange(
    graph: Graph,
    target: Target,
    sharing: Sharing | None = None,
    effort: Effort | None = None,
    *,
    reorder: bool = True,
    copying: Program | None = None,
    eager: bool = False,
) -> Arranged:
    """Kernels for the steps of a lowered graph, in the order with the least peak.

    ``copying`` has the kernels where they are chosen: a step for every node that is no view
    by itself. Without it every step gets its fastest kernel.

    A slice or join that can do without a copy does so unless that raises the peak, since
    the bytes of the whole then live as long as those of its parts; ``eager``: in any case.

    Raises:
        Problems: nodes that no kernel runs, all of them.
    """
    sharing, effort = sharing or Sharing(), effort or Effort()
    copying = copying or select_kernels(graph, target)
    costs = _Costs.of(copying, sharing)
    certain = always_views(graph)
    best = costs.order(graph, certain, effort, reorder)
    if sharing.views:
        views = frozenset(possible_views(graph))
        if views and eager:
            best = costs.order(graph, certain | views, effort, reorder)
        elif views:
            best = _with_views(graph, costs, views, best, effort, reorder)
    return Arranged(_program(copying, best), best)


@dataclass(frozen=True, slots=True)
class _Costs:
    """Scratch by node, and what outputs may share with or take over from inputs that die."""

    scratch: Mapping[str, int]
    shared: Mapping[tuple[str, str], int]
    replaceable: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, program: Program, sharing: Sharing) -> _Costs:
        shared = {}
        for step in program.steps if sharing.overlap else ():
            for tensor, nbytes in shared_bytes(step).items():
                shared[step.node.name, tensor] = nbytes
        scratch = {step.node.name: step.scratch_bytes for step in program.steps}
        steps = program.steps if sharing.in_place else ()
        return cls(scratch, shared, {step.node.name: step.inplace_inputs for step in steps})

    def order(
        self, graph: Graph, views: frozenset[str], effort: Effort, reorder: bool
    ) -> OrderResult:
        return find_order(
            graph,
            views=views,
            scratch=self.scratch,
            shared=self.shared,
            replaceable=self.replaceable,
            effort=effort if reorder else None,
            reorder=reorder,
        )


def _with_views(
    graph: Graph,
    costs: _Costs,
    optional: frozenset[str],
    copying: OrderResult,
    effort: Effort,
    reorder: bool,
) -> OrderResult:
    """The result with as many of the optional views as do not raise the peak."""
    certain = always_views(graph)
    best = costs.order(graph, certain | optional, effort, reorder)
    for name in sorted(optional)[:_TRIALS] if best.peak_bytes > copying.peak_bytes else ():
        trial = costs.order(graph, best.views - {name}, effort, reorder)
        best = trial if trial.peak_bytes < best.peak_bytes else best
    return best if best.peak_bytes <= copying.peak_bytes else copying


def _program(copying: Program, order: OrderResult) -> Program:
    """The steps in their order, those of views left out."""
    steps = {step.node.name: step for step in copying.steps}
    names = [n.name for n in order.graph.nodes if n.name not in order.views]
    ordered = tuple(replace(steps[name], index=i) for i, name in enumerate(names))
    return Program(order.graph, copying.target, ordered)
