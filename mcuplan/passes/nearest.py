# SPDX-License-Identifier: Apache-2.0
"""Distances of which the least are looked for: 256 steps do not tell neighbours apart."""

from __future__ import annotations

from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import QuantRule
from mcuplan.ops.arg_extreme import ArgExtreme
from mcuplan.ops.eltwise import Sub
from mcuplan.ops.top_k import TopK

__all__ = ["nearest"]


def nearest(graph: Graph) -> frozenset[str]:
    """Nodes from the difference to known points down to the choice of the nearest.

    A choice of the least elements that are made of one tensor alone, by a sum or norm of the
    difference between a tensor and a constant.
    """
    producers = graph.producers()
    found: set[str] = set()
    for node in graph.nodes:
        if not (isinstance(node.op, TopK | ArgExtreme) and node.op.smallest):
            continue
        way, reduced = [node], False
        while not _is_difference(graph, way[-1]):
            made = {producers.get(name) for name in graph.activations(way[-1])}
            maker = made.pop()
            if made or maker is None or maker.op.quant_rule is QuantRule.WEIGHTED:
                break
            sig = graph.signature(maker)
            reduced = reduced or sig.output.elements < max(k.elements for k in sig.inputs)
            way.append(maker)
        else:
            found |= {each.name for each in way} if reduced else set()
    return frozenset(found)


def _is_difference(graph: Graph, node: Node) -> bool:
    return isinstance(node.op, Sub) and len(graph.activations(node)) == 1
