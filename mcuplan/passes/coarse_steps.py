# SPDX-License-Identifier: Apache-2.0
"""Sums and differences whose operands lie on far coarser grids than the result."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.graph import Graph
from mcuplan.ops.eltwise import Add, Sub

__all__ = ["CoarseSteps", "coarse_steps"]

_APART = 8.0  # times the step of the result: three of its bits say nothing


@dataclass(frozen=True, slots=True)
class CoarseSteps:
    """An operand whose step is ``times`` that of the sum; the layer, and what makes the operand."""

    node: str
    operand: str
    times: float


def coarse_steps(graph: Graph) -> tuple[CoarseSteps, ...]:
    """Every such Add or Sub of a graph in which all activations have their grids, in order.

    What two large maps nearly cancel to is known to a step of theirs, whatever its own grid.
    """
    producers = graph.producers()
    found = []
    for node in graph.nodes:
        grid = graph.tensor(node.output).type.quant
        if not isinstance(node.op, Add | Sub) or grid is None:
            continue
        kinds = {name: graph.tensor(name).type.quant for name in graph.activations(node)}
        steps = {name: max(q.scale) for name, q in kinds.items() if q is not None}
        widest = max(steps, key=lambda name: steps[name], default=None)
        if widest is not None and steps[widest] > _APART * max(grid.scale):
            maker = producers.get(widest)
            operand = graph.node_name(maker) if maker is not None else graph.tensor_name(widest)
            times = steps[widest] / max(grid.scale)
            found.append(CoarseSteps(graph.node_name(node), operand, times))
    return tuple(found)
