# SPDX-License-Identifier: Apache-2.0
"""Masks of numbers so low that a grid which holds them holds nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.choice import Where
from mcuplan.ops.eltwise import Add
from mcuplan.ops.softmax import Softmax

__all__ = ["hidden"]

_HIDES = -1e4  # and below: a Softmax makes 0 of it


def hidden(graph: Graph) -> frozenset[str]:
    """Nodes that hide parts of a tensor, and the Softmax behind, of values on no grid yet.

    Between the two may be views, and other masks. Any operator may be what hides: others took in
    what a mask adds.
    """
    consumers = graph.consumers()
    found: set[str] = set()
    for node in graph.nodes:
        if not _hides(graph, node):
            continue
        behind = _behind(consumers, node)
        last = [n for n in behind.values() if not _passes(n)]
        if last and all(isinstance(n.op, Softmax) for n in last):
            found |= {node.name, *behind}
    return frozenset(found)


def _behind(consumers: Mapping[str, Sequence[Node]], node: Node) -> dict[str, Node]:
    """What reads a node's output, by name, and so on behind views and masks."""
    found: dict[str, Node] = {}
    waiting = [node]
    for maker in waiting:
        fresh = {n.name: n for n in consumers.get(maker.output, ()) if n.name not in found}
        found |= fresh
        waiting += filter(_passes, fresh.values())
    return found


def _passes(node: Node) -> bool:
    return node.op.is_view or isinstance(node.op, Add | Where)


def _hides(graph: Graph, node: Node) -> bool:
    held = (graph.tensor(name) for name in node.inputs)
    real = [t.data for t in held if t.data is not None and t.type.dtype.is_float]
    low = any(data.size and data.min() <= _HIDES for data in real)
    return low and graph.tensor(node.output).type.quant is None
