# SPDX-License-Identifier: Apache-2.0
"""Tensors of very different ranges that one grid must hold."""

from __future__ import annotations

from dataclasses import dataclass

from mcuplan.ir.graph import Graph, Node
from mcuplan.ops.concat import Concat

__all__ = ["MixedRanges", "mixed_ranges"]

_APART = 8.0  # three of eight bits


@dataclass(frozen=True, slots=True)
class MixedRanges:
    """A Concat whose inputs need grids more than 8 times apart.

    ``output`` is the model's output that it ends in, if any. ``least`` and ``most`` are the
    narrowest and the widest range of an input, in real units. ``parts`` are its inputs by
    their names in the model, where they have one.
    """

    node: str
    output: str | None
    least: float
    most: float
    parts: tuple[str, ...]


def mixed_ranges(graph: Graph) -> tuple[MixedRanges, ...]:
    """Every such Concat of a graph in which all activations have their grids, in order."""
    found = []
    for node in graph.nodes:
        if not isinstance(node.op, Concat):
            continue
        grids = [graph.tensor(name).type.quant for name in node.inputs]
        widths = [q.dtype.steps * max(q.scale) for q in grids if q is not None]
        if widths and max(widths) > _APART * min(widths):
            origins = [graph.tensor(name).origin for name in graph.activations(node)]
            parts = tuple(dict.fromkeys(origin.name for origin in origins if origin is not None))
            ends, name = _output_of(graph, node), graph.node_name(node)
            found.append(MixedRanges(name, ends, min(widths), max(widths), parts))
    return tuple(found)


def _output_of(graph: Graph, node: Node) -> str | None:
    """The output that a node's values reach without being computed with."""
    consumers, waiting = graph.consumers(), [node.output]
    while waiting:
        name = waiting.pop(0)
        port = next((port for port in graph.outputs if port.tensor == name), None)
        if port is not None:
            return port.name
        for reader in consumers.get(name, ()):
            if reader.op.passes_grid or isinstance(reader.op, Concat):
                waiting += reader.outputs
    return None
