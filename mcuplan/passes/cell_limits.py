# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers in integers whose states could go beyond what holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.recurrent import Recurrent
from mcuplan.ops.state_parts import PackState

__all__ = ["CellLimit", "cell_limits"]


_WIDENED = 1.25  # what observed outputs of 1 become


@dataclass(frozen=True, slots=True)
class CellLimit:
    """A layer and the size that its cells or first outputs are limited to, in real units."""

    node: str
    most: float
    first: bool = False  # it is that of the outputs it begins with


def cell_limits(graph: Graph) -> tuple[CellLimit, ...]:
    """Every layer on grids that is not proved to stay within its limits, in order.

    No step adds more than 1 to a cell, so that few steps from a known state prove it. Outputs lie
    within 1 from the first step on; what they begin with may not.
    """
    found: dict[tuple[str, bool], float] = {}
    made = graph.producers()
    for node in graph.nodes:
        x = graph.tensor(node.inputs[0]).type
        if not isinstance(node.op, Recurrent) or x.quant is None:
            continue
        packed, most = made.get(node.inputs[1]), 2.0**node.op.cell.reach
        if node.op.cell.parts > 1 and _first(graph, packed, 1) + x.shape[1] >= most:
            found[graph.node_name(node), False] = most
        if packed is not None and _first(graph, packed, 0) > _WIDENED:
            found[graph.node_name(node), True] = 1.0
    return tuple(CellLimit(name, most, first) for (name, first), most in found.items())


def _first(graph: Graph, packed: Node | None, part: int) -> float:
    """The largest output (0) or cell (1) that is found by the first step.

    Of cells it is infinite where calls hand them on; of outputs what their grid holds.
    """
    if packed is None or not isinstance(packed.op, PackState):
        return 0.0 if part == 0 else np.inf
    values = graph.tensor(packed.inputs[part])
    if values.data is None:
        quant = values.type.quant
        if part or quant is None:
            return np.inf if part else 0.0
        ends = np.array([quant.dtype.low, quant.dtype.high])
        return float(np.abs((ends - quant.z) * quant.s).max())
    real = values.data if values.type.dtype.is_float else values.type.q.dequantize(values.data)
    return float(np.abs(real).max(initial=0))
