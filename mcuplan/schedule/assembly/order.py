# SPDX-License-Identifier: Apache-2.0
"""The order in which nodes run: the least peak of live bytes, proved where possible."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mcuplan.ir.graph import Graph, Node
from mcuplan.schedule.assembly.aliases import Aliases, always_views, resolve
from mcuplan.schedule.assembly.states import later_states
from mcuplan.schedule.program import OrderResult
from mcuplan.solvers.effort import Effort
from mcuplan.solvers.steps.problem import Sequencing, sequencing
from mcuplan.solvers.steps.segments import best_sequence
from mcuplan.units import align_up

__all__ = ["OrderResult", "find_order", "peak_bytes"]

_ALIGN = 4  # as buffers are placed


def find_order(
    graph: Graph,
    *,
    views: Collection[str] | None = None,
    scratch: Mapping[str, int] | None = None,
    shared: Mapping[tuple[str, str], int] | None = None,
    replaceable: Mapping[str, tuple[int, ...]] | None = None,
    effort: Effort | None = None,
    reorder: bool = True,
) -> OrderResult:
    """The order of the nodes with the least peak of live bytes.

    Args:
        graph: nodes in an order that may be run.
        views: names of the nodes that are no steps; by default those that always are.
        scratch: bytes that a node needs while it runs.
        shared: (node, tensor) -> bytes that the output of the node may share with the
            tensor it reads, where that dies there (overlap).
        replaceable: inputs whose bytes the output of a node may take over where they die
            there; by default as the operators allow it.
        effort: how much work to spend.
        reorder: False rates the graph's own order and looks for no other.

    Returns:
        The same graph object where no order is better than its own.
    """
    chosen = always_views(graph) if views is None else frozenset(views)
    nodes, problem = _problem(graph, chosen, scratch or {}, shared or {}, replaceable)
    if not reorder:
        own = problem.peak(range(problem.count))
        return OrderResult(graph, own, 0, False, False, 0, chosen)
    found = best_sequence(problem, effort or Effort())
    if found.order == tuple(range(problem.count)):
        ordered = graph
    else:
        ordered = replace(graph, nodes=_with_views(graph, [nodes[i] for i in found.order]))
    spared = _perhaps_spared(graph, chosen)
    optimal = found.peak == found.lower_bound and not spared
    return OrderResult(
        graph=ordered,
        peak_bytes=found.peak,
        lower_bound_bytes=max(0, found.lower_bound - spared),
        optimal=optimal,
        searched=True,
        states=found.states,
        views=chosen,
    )


def _perhaps_spared(graph: Graph, views: Collection[str]) -> int:
    """Bytes of states that are over others in some orders, which the search does not see."""
    if not graph.states:
        return 0
    aliases = resolve(graph, views)
    _, perhaps = later_states(graph, aliases)
    return sum(align_up(aliases.nbytes[name], _ALIGN) for name in perhaps)


def peak_bytes(graph: Graph, scratch: Mapping[str, int] | None = None) -> int:
    """Most bytes that exist during a step, in the graph's own order."""
    _, problem = _problem(graph, always_views(graph), scratch or {}, {})
    return problem.peak(range(problem.count))


def _problem(
    graph: Graph,
    views: Collection[str],
    scratch: Mapping[str, int],
    shared: Mapping[tuple[str, str], int],
    replaceable: Mapping[str, tuple[int, ...]] | None = None,
) -> tuple[list[Node], Sequencing]:
    """Nodes that are steps, and the ordering problem of them."""
    aliases = resolve(graph, views)
    nodes = [node for node in graph.nodes if node.name not in aliases.views]
    number = {node.name: i for i, node in enumerate(nodes)}
    sources = _sources(graph, number)
    makers: dict[str, list[int]] = {name: [] for name in aliases.nbytes}
    readers: dict[str, list[int]] = {name: [] for name in aliases.nbytes}
    for i, node in enumerate(nodes):
        for name in node.outputs:
            makers[aliases.slots[name].buffer].append(i)
        for name in graph.activations(node):
            readers[aliases.slots[name].buffer].append(i)
    lasting = (*graph.outputs, *(state.read for state in graph.states))
    kept = {aliases.slots[p.tensor].buffer for p in lasting if p.tensor in aliases.slots}
    over, _ = later_states(graph, aliases)
    index = {name: k for k, name in enumerate(aliases.nbytes)}
    takes = {node.name: node.op.inplace_inputs for node in nodes}
    if replaceable is not None:
        takes = {node.name: replaceable.get(node.name, ()) for node in nodes}
    problem = sequencing(
        [sorted({s for name in graph.activations(node) for s in sources[name]}) for node in nodes],
        [
            (_aligned(nbytes, name, over), makers[name], readers[name], name in kept)
            for name, nbytes in aliases.nbytes.items()
        ],
        [align_up(scratch.get(node.name, 0), _ALIGN) for node in nodes],
        [
            []
            if any(aliases.slots[name].buffer in over for name in node.outputs)
            else _savings(graph, node, aliases, index, shared, takes[node.name])
            for node in nodes
        ],
    )
    return nodes, problem


def _aligned(nbytes: int, name: str, over: Collection[str]) -> int:
    """Bytes that a storage takes; none where it always lies over a state."""
    return 0 if name in over else align_up(nbytes, _ALIGN)


def _sources(graph: Graph, number: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """For each activation the steps that must have run before it has its value."""
    sources: dict[str, tuple[int, ...]] = {port.tensor: () for port in graph.inputs}
    for node in graph.nodes:
        if node.name in number:
            made: tuple[int, ...] = (number[node.name],)
        else:
            names = graph.activations(node)
            made = tuple(sorted({s for name in names for s in sources[name]}))
        sources.update(dict.fromkeys(node.outputs, made))
    return sources


def _savings(
    graph: Graph,
    node: Node,
    aliases: Aliases,
    index: Mapping[str, int],
    shared: Mapping[tuple[str, str], int],
    takes: tuple[int, ...],
) -> list[tuple[int, int]]:
    """(storage, bytes) that running the node may save where the storage dies there."""
    alone = aliases.fills(graph, node.output) and len(node.outputs) == 1
    found: dict[str, int] = {}
    for i, name in enumerate(node.inputs):
        if name not in aliases.slots:
            continue
        buffer = aliases.slots[name].buffer
        whole = alone and aliases.fills(graph, name)
        saved = shared.get((node.name, name), 0) if whole else 0
        if i in takes and aliases.replaces(graph, node, i):
            saved = align_up(aliases.nbytes[buffer], _ALIGN)
        found[buffer] = min(saved, found.get(buffer, saved))
    return [(index[buffer], saved) for buffer, saved in found.items() if saved > 0]


def _with_views(graph: Graph, steps: Sequence[Node]) -> tuple[Node, ...]:
    """All nodes: each view directly behind the last node it needs."""
    steps_of = {node.name for node in steps}
    waiting: dict[str, int] = {}
    unlocks: dict[str, list[Node]] = {}
    made = {name for node in graph.nodes for name in node.outputs}
    for node in graph.nodes:
        if node.name not in steps_of:
            needs = {name for name in node.inputs if name in made}
            waiting[node.name] = len(needs)
            for name in needs:
                unlocks.setdefault(name, []).append(node)
    order = [node for node in graph.nodes if waiting.get(node.name) == 0]
    order = _unlocked(order, waiting, unlocks)
    for step in steps:
        order += _unlocked([step], waiting, unlocks)
    return tuple(order)


def _unlocked(
    start: Sequence[Node], waiting: dict[str, int], unlocks: Mapping[str, Sequence[Node]]
) -> list[Node]:
    """Nodes, and the views that can follow them."""
    order = list(start)
    for node in order:  # grows while it is walked
        for name in node.outputs:
            for view in unlocks.get(name, ()):
                waiting[view.name] -= 1
                if waiting[view.name] == 0:
                    order.append(view)
    return order
