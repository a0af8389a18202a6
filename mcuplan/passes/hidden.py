# SPDX-License-Identifier: Apache-2.0
"""Masks of numbers so low that a grid which holds them holds nothing else."""

from __future__ import annotations

from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.choice import Where
from mcuplan.ops.eltwise import Add
from mcuplan.ops.softmax import Softmax

__all__ = ["hidden"]

_HIDES = -1e4  # and below: a Softmax makes 0 of it


def hidden(graph: Graph) -> frozenset[str]:
    """Nodes that hide parts of a tensor, and the Softmax behind, of values on no grid yet."""
    consumers = graph.consumers()
    found: set[str] = set()
    for node in graph.nodes:
        behind = consumers.get(node.output, ())
        alone = behind and all(isinstance(reader.op, Softmax) for reader in behind)
        if alone and isinstance(node.op, Add | Where) and _hides(graph, node):
            found |= {node.name, *(reader.name for reader in behind)}
    return frozenset(found)


def _hides(graph: Graph, node: Node) -> bool:
    held = (graph.tensor(name) for name in node.inputs)
    real = [t.data for t in held if t.data is not None and t.type.dtype.is_float]
    low = any(data.size and data.min() <= _HIDES for data in real)
    return low and graph.tensor(node.output).type.quant is None
