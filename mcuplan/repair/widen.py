# SPDX-License-Identifier: Apache-2.0
"""Layers whose activations need 16 bits: those around the tensors whose grids cost most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from mcuplan.calibrate.held_back import Judge
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import DType
from mcuplan.passes.keep_wide import able_for_wide

__all__ = ["is_of_int8", "layers_to_widen"]

_LEFT = (0.25, 0.06, 0.015, 0.004, 0.001)
"""Shares of the error by grids that layers may leave to others, each with more layers."""


def is_of_int8(graph: Graph) -> bool:
    """Whether no activation is to be of another type, and no weights of fewer bits.

    What these cost is no matter of grids of activations, and more bits would take their kernels.
    """
    others = (DType.INT16, DType.INT4, DType.INT4_BLOCKS)
    return not any(t.real or t.wanted in others for t in graph.tensors.values())


def layers_to_widen(graph: Graph, grids: Graph, judge: Judge) -> Iterator[tuple[str, ...]]:
    """Sets of nodes, more and more of them, that leave less and less of the error.

    Args:
        graph: float.
        grids: the same with a grid for each activation.
        judge: says what outputs lose by the grid of one tensor alone.
    """
    around = dict(_around(graph, grids))
    tried = {name: _with_grid(graph, grids, name) for name in around}
    shares = {name: 10 ** (-each / 10) for name, each in judge.errors(tried).items()}
    order = sorted(shares, key=lambda name: -shares[name])
    left = [sum(shares.values()) - s for s in accumulate(shares[name] for name in order)]
    seen: tuple[str, ...] = ()
    for most in _LEFT:
        wanted = most * sum(shares.values())
        count = next((k for k, rest in enumerate(left, 1) if rest <= wanted), len(order))
        nodes = {node for name in order[:count] for node in around[name]}
        found = tuple(node.name for node in graph.nodes if node.name in nodes)
        if found and found != seen:
            seen = found
            yield found


def _around(graph: Graph, grids: Graph) -> Iterator[tuple[str, Sequence[str]]]:
    """Tensors on a grid that all nodes around can have in int16, with these nodes."""
    able, producers, consumers = able_for_wide(graph), graph.producers(), graph.consumers()
    for name, tensor in graph.tensors.items():
        if tensor.is_constant or grids.tensor(name).type.quant is None:
            continue
        near: list[Node] = [*consumers.get(name, ())]
        near += [producers[name]] if name in producers else []
        names = [node.name for node in near]
        if names and able.issuperset(names):
            yield name, names


def _with_grid(graph: Graph, grids: Graph, name: str) -> Graph:
    """The float graph with one tensor rounded to its grid."""
    tensor, quant = graph.tensor(name), grids.tensor(name).type.quant
    rounded = replace(tensor, type=replace(tensor.type, quant=quant))
    return replace(graph, tensors={**graph.tensors, name: rounded})
