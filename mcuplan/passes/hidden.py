# SPDX-License-Identifier: Apache-2.0
"""Masks of numbers so low that a grid which holds them holds nothing else."""

from __future__ import annotations

from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.softmax import Softmax

__all__ = ["hidden"]

_HIDES = -1e4  # and below: a Softmax makes 0 of it


def hidden(graph: Graph) -> frozenset[str]:
    """Nodes that hide parts of a tensor, and the Softmax behind, of values on no grid yet.

    Between the two may be views. Any operator may be what hides: others took in what a mask adds.
    """
    consumers = graph.consumers()
    found: set[str] = set()
    for node in graph.nodes:
        if not _hides(graph, node):
            continue
        names, behind = [node.name], list(consumers.get(node.output, ()))
        for reader in behind:
            names.append(reader.name)
            if reader.op.is_view:
                behind += consumers.get(reader.output, ())
        if behind and all(n.op.is_view or isinstance(n.op, Softmax) for n in behind):
            found.update(names)
    return frozenset(found)


def _hides(graph: Graph, node: Node) -> bool:
    held = (graph.tensor(name) for name in node.inputs)
    real = [t.data for t in held if t.data is not None and t.type.dtype.is_float]
    low = any(data.size and data.min() <= _HIDES for data in real)
    return low and graph.tensor(node.output).type.quant is None
