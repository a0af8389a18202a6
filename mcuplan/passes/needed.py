# SPDX-License-Identifier: Apache-2.0
"""Values that no reader tells apart: beyond what limits of a sum, or an operator, leave of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ir.types import Array
from mcuplan.ops.eltwise import Add, Sub
from mcuplan.passes._ranges import hull
from mcuplan.quant.observers import Range

__all__ = ["needed", "told_apart"]


def needed(graph: Graph, ends: Mapping[str, Range]) -> Mapping[str, Range]:
    """Of each tensor the range beyond which a grid may cut its values off; no output changes.

    Of ``max(a + b, 0)``, where b is at most ``high``, all that is below ``-high`` of a gives 0.
    Both may be cut at once: where one is, the sum is beyond its limit whatever the other one is.

    Args:
        graph: float or lowered.
        ends: of the grid of each tensor, in real units; those without one are not limited.

    Returns:
        Ranges by tensor, without end where nothing is known.
    """
    found = {port.tensor: NO_CLAMP for port in graph.outputs}
    for node in reversed(graph.nodes):
        for index, name in enumerate(node.inputs):
            own = _of_sum(node, index, ends) if isinstance(node.op, Add | Sub) else NO_CLAMP
            if node.op.passes_grid and index == 0:
                own = hull(found.get(each, NO_CLAMP) for each in node.outputs)
            found[name] = hull((found.get(name, own), own))
    return found


def _of_sum(node: Node, index: int, ends: Mapping[str, Range]) -> Range:
    """What limits of a sum, or of a difference, leave of one operand."""
    low, high = node.op.act
    least, most = ends.get(node.inputs[1 - index], NO_CLAMP)
    if isinstance(node.op, Add):
        return low - most, high - least
    return (low + least, high + most) if index == 0 else (least - high, most - low)


def told_apart(graph: Graph) -> Mapping[str, Callable[[Array], Array]]:
    """What limits the values of each tensor that operators of one kind alone read, if they do.

    Ranges then need not hold what a Softmax gives no share, or a HardSwish makes 0.
    """
    outputs = {port.tensor for port in graph.outputs}
    found = {}
    for name, readers in graph.consumers().items():
        ops = {node.op for node in readers}
        only = next(iter(ops))
        limits = type(only).told_apart is not Op.told_apart
        if limits and len(ops) == 1 and name not in outputs:
            found[name] = only.told_apart
    return found
