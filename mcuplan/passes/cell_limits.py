# SPDX-License-Identifier: Apache-2.0
"""LSTMs in integers whose cells could grow beyond what holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.recurrent import Recurrent
from mcuplan.ops.state_parts import PackState

__all__ = ["CellLimit", "cell_limits"]


@dataclass(frozen=True, slots=True)
class CellLimit:
    """An LSTM and the size that its cells are limited to, in real units."""

    node: str
    most: float


def cell_limits(graph: Graph) -> tuple[CellLimit, ...]:
    """Every LSTM on grids that is not proved to stay within its limit, in order.

    No step adds more than 1 to a cell, so that few steps from a known state prove it.
    """
    found, made = {}, graph.producers()
    for node in graph.nodes:
        if not isinstance(node.op, Recurrent) or node.op.cell.parts == 1:
            continue
        x, most = graph.tensor(node.inputs[0]).type, 2.0**node.op.cell.reach
        if x.quant is not None and _first(graph, made.get(node.inputs[1])) + x.shape[1] >= most:
            found[graph.node_name(node)] = most
    return tuple(CellLimit(name, most) for name, most in found.items())


def _first(graph: Graph, packed: Node | None) -> float:
    """The largest cell that is found by the first step; infinite where calls hand it on."""
    if packed is None or not isinstance(packed.op, PackState):
        return np.inf
    cells = graph.tensor(packed.inputs[1])
    if cells.data is None:
        return np.inf
    real = cells.data if cells.type.dtype.is_float else cells.type.q.dequantize(cells.data)
    return float(np.abs(real).max(initial=0))
