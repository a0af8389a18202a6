# SPDX-License-Identifier: Apache-2.0
"""The order in which nodes run: the least peak of live bytes among good candidates."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mcuplan.ir.graph import Graph, Node

__all__ = ["best_order", "peak_bytes"]


@dataclass(frozen=True, slots=True)
class _Tables:
    """Bytes and readers by storage: views count as the tensor they look at."""

    storage: dict[str, str]
    nbytes: dict[str, int]
    readers: dict[str, set[str]]
    kept: frozenset[str]

    def inputs(self, node: Node) -> set[str]:
        return {self.storage[name] for name in node.inputs if name in self.storage}

    def makes(self, node: Node) -> str | None:
        """The storage a node fills; None for a view."""
        return None if node.op.is_view else self.storage[node.output]


def best_order(graph: Graph) -> Graph:
    """The graph with its nodes in the order of the least peak found.

    Candidates: the model's own order, and a greedy one that runs the ready node which
    frees most. Never worse than the model's own order.
    """
    tables = _tables(graph)
    candidates = [graph.nodes, _greedy(graph, tables)]
    order = min(candidates, key=lambda nodes: _peak(nodes, graph, tables))
    return graph if order is graph.nodes else replace(graph, nodes=tuple(order))


def peak_bytes(graph: Graph) -> int:
    """Largest sum of live activation bytes over the steps, in the graph's order."""
    return _peak(graph.nodes, graph, _tables(graph))


def _tables(graph: Graph) -> _Tables:
    storage = {port.tensor: port.tensor for port in graph.inputs}
    readers: dict[str, set[str]] = {port.tensor: set() for port in graph.inputs}
    for node in graph.nodes:
        for name in node.inputs:
            if name in storage:
                readers[storage[name]].add(node.name)
        if node.op.is_view and node.inputs[0] in storage:
            storage[node.output] = storage[node.inputs[0]]
        else:
            storage[node.output] = node.output
            readers[node.output] = set()
    nbytes = {name: graph.tensor(name).type.nbytes for name in readers}
    kept = frozenset(storage[p.tensor] for p in graph.outputs if p.tensor in storage)
    return _Tables(storage, nbytes, readers, kept)


def _inplace(node: Node, tables: _Tables, dying: Iterable[str]) -> bool:
    """Whether the output may take the bytes of an input that dies here."""
    made = tables.makes(node)
    if made is None:
        return False
    dead = set(dying)
    for i in node.op.inplace_inputs:
        source = tables.storage.get(node.inputs[i]) if i < len(node.inputs) else None
        if source in dead and tables.nbytes[source] == tables.nbytes[made]:
            return True
    return False


def _peak(nodes: Sequence[Node], graph: Graph, tables: _Tables) -> int:
    left = {name: set(readers) for name, readers in tables.readers.items()}
    live = sum(tables.nbytes[port.tensor] for port in graph.inputs)
    peak = live
    for node in nodes:
        dying = []
        for name in tables.inputs(node):
            left[name].discard(node.name)
            if not left[name] and name not in tables.kept:
                dying.append(name)
        made = tables.makes(node)
        grown = 0 if made is None or _inplace(node, tables, dying) else tables.nbytes[made]
        peak = max(peak, live + grown)
        live += tables.nbytes[made] if made is not None else 0
        live -= sum(tables.nbytes[name] for name in dying)
        if made is not None and not tables.readers[made] and made not in tables.kept:
            live -= tables.nbytes[made]
    return peak


def _greedy(graph: Graph, tables: _Tables) -> tuple[Node, ...]:
    """Always the ready node with the least growth; ties go to the model's order."""
    left = {name: set(readers) for name, readers in tables.readers.items()}
    waiting: dict[str, int] = {}
    unlocks: dict[str, list[int]] = {}
    made_by = {name for node in graph.nodes for name in node.outputs}
    heap: list[tuple[int, int]] = []

    def growth(node: Node) -> int:
        dying = [n for n in tables.inputs(node) if left[n] == {node.name} and n not in tables.kept]
        made = tables.makes(node)
        return (tables.nbytes[made] if made else 0) - sum(tables.nbytes[n] for n in dying)

    for index, node in enumerate(graph.nodes):
        needs = {name for name in node.inputs if name in made_by}
        waiting[node.name] = len(needs)
        for name in needs:
            unlocks.setdefault(name, []).append(index)
        if not needs:
            heapq.heappush(heap, (growth(node), index))
    order: list[Node] = []
    while heap:
        promised, index = heapq.heappop(heap)
        node = graph.nodes[index]
        actual = growth(node)
        if actual < promised or (heap and (actual, index) > heap[0] and actual != promised):
            heapq.heappush(heap, (actual, index))
            continue
        order.append(node)
        for name in tables.inputs(node):
            left[name].discard(node.name)
        for name in node.outputs:
            for reader in unlocks.get(name, ()):
                waiting[graph.nodes[reader].name] -= 1
                if waiting[graph.nodes[reader].name] == 0:
                    heapq.heappush(heap, (growth(graph.nodes[reader]), reader))
    return tuple(order)
