# SPDX-License-Identifier: Apache-2.0
"""Grids of the states of recurrent cells that go on from call to call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcuplan.ir.graph import Graph, Node, State
from mcuplan.ir.types import Quant
from mcuplan.ops.state_parts import PackState, StatePart

__all__ = ["state_grids"]


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
