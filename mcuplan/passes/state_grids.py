# SPDX-License-Identifier: Apache-2.0
"""Grids of the states of recurrent cells that go on from call to call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mcuplan.ir.graph import Graph, Node, State
from mcuplan.ir.types import Quant
from mcuplan.ops.state_parts import PackState, StatePart

__all__ = ["keeps_state", "state_grids"]


def state_grids(graph: Graph) -> dict[str, Quant]:
    """The int16 grid of each state that a cell alone makes and reads, by the tensor read.

    It is the one that the cell itself goes on with, so that a call finds what the one before
    left, to the bit.
    """
    producers, consumers = graph.producers(), graph.consumers()
    found = {}
    for state in graph.states:
        maker = _maker(producers, state.written.tensor)
        if maker is None or not isinstance(maker.op, StatePart):
            continue
        cell = producers[maker.inputs[0]].op.fixed_quant
        readers = list(_readers(graph, consumers, state))
        if cell is None or not readers:
            continue
        quants = {op.fixed_quant.scale[i] for op, i in readers if isinstance(op, PackState)}
        packs = all(isinstance(op, PackState) for op, _ in readers)
        if packs and quants == {cell.scale[maker.op.part]}:
            found[state.read.tensor] = Quant.per_tensor(quants.pop(), 0, cell.dtype)
    return found


def keeps_state(graph: Graph, node: Node, grids: Mapping[str, Quant]) -> bool:
    """Whether a node takes or gives parts of a cell's state in int16 on the cell's own grids."""
    if isinstance(node.op, PackState):
        state, names = node.op.fixed_quant, node.inputs
        scales = state.scale
    elif isinstance(node.op, StatePart):
        own = graph.producers()[node.inputs[0]].op.fixed_quant
        if own is None:
            return False
        state, names, scales = own, (node.output,), (own.scale[node.op.part],)
    else:
        return False
    pairs = zip(names, scales, strict=True)
    wide = [(n, s) for n, s in pairs if n in grids and grids[n].dtype is state.dtype]
    return all(grids[n].z == 0 and np.float32(grids[n].s) == np.float32(s) for n, s in wide)


def _maker(producers: Mapping[str, Node], tensor: str) -> Node | None:
    """The node whose values a tensor shows, behind views."""
    node = producers.get(tensor)
    while node is not None and node.op.is_view:
        node = producers.get(node.inputs[0])
    return node


def _readers(
    graph: Graph, consumers: Mapping[str, tuple[Node, ...]], state: State
) -> Iterator[tuple[object, int]]:
    """Operators that read what either end of a state shows, and as which input."""
    waiting = [state.read.tensor, state.written.tensor]
    while waiting:
        tensor = waiting.pop()
        for node in consumers.get(tensor, ()):
            if node.op.is_view:
                waiting.append(node.output)
            else:
                yield node.op, node.inputs.index(tensor)
