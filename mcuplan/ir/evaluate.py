# SPDX-License-Identifier: Apache-2.0
"""Runs a graph on samples: nodes of float32 in its order, those of grids by their integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mcuplan.ir.geometry import SAME
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import Array, DType, TensorType

__all__ = [
    "batchable",
    "evaluate",
    "first_states",
    "left_states",
    "on_grid",
    "repeated",
    "run_node",
]


def evaluate(
    graph: Graph,
    feeds: Mapping[str, Array],
    keep: Iterable[str] | None = None,
    states: Mapping[str, Array] | None = None,
) -> Mapping[str, Array]:
    """Values of tensors for samples on axis 0 of the feeds.

    A float tensor that lies on a grid is rounded to it. Samples of a graph with states are
    calls one after the other, where the feeds have no states.

    Args:
        graph: float or lowered.
        feeds: arrays by tensor name of the graph's inputs, [samples, ...shape[1:]]; one
            sample of a graph without any.
        keep: tensors to return; by default the outputs. Others are freed once read.
        states: what the first call finds, by tensor; by default zeros.

    Returns:
        Arrays [samples, ...] by tensor name.
    """
    wanted = set(keep) if keep is not None else {port.tensor for port in graph.outputs}
    samples = len(next(iter(feeds.values()), (None,)))
    if any(state.read.tensor not in feeds for state in graph.states):
        return _in_turn(graph, feeds, wanted, states or first_states(graph))
    if samples != 1 and not batchable(graph):
        parts = [
            evaluate(graph, {n: a[i : i + 1] for n, a in feeds.items()}, wanted)
            for i in range(samples)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    readers = {name: len(nodes) for name, nodes in graph.consumers().items()}
    values = {name: on_grid(graph.tensor(name).type, array) for name, array in feeds.items()}
    kept = {name: array for name, array in values.items() if name in wanted}
    for node in graph.nodes:
        for name, array in zip(node.outputs, run_node(graph, node, values), strict=True):
            array = array if graph.activations(node) else repeated(array, samples)
            values[name] = array
            if name in wanted:
                kept[name] = array
        for name in dict.fromkeys(node.inputs):
            readers[name] -= 1
            if not readers[name]:
                values.pop(name, None)
    for name in wanted - kept.keys():
        data = graph.tensor(name).data
        if data is not None:
            kept[name] = repeated(data, samples)
    return {name: np.atleast_1d(array) for name, array in kept.items()}  # samples of scalars


def _in_turn(
    graph: Graph, feeds: Mapping[str, Array], wanted: set[str], states: Mapping[str, Array]
) -> Mapping[str, Array]:
    """Calls one after the other, each with the states that the one before it left."""
    written = {state.written.tensor for state in graph.states}
    parts = []
    for i in range(len(next(iter(feeds.values()), (None,)))):
        feed = {name: array[i : i + 1] for name, array in feeds.items()}
        parts.append(evaluate(graph, {**feed, **states}, wanted | written))
        states = left_states(graph, parts[-1])
    return {name: np.concatenate([part[name] for part in parts]) for name in sorted(wanted)}


def first_states(graph: Graph) -> Mapping[str, Array]:
    """What a call finds in the states when there was none before it: real 0."""
    found = {}
    for state in graph.states:
        kind = graph.tensor(state.read.tensor).type
        zero = kind.q.z if kind.quant is not None and kind.dtype is not DType.FLOAT32 else 0
        found[state.read.tensor] = np.full(kind.shape, zero, kind.dtype.numpy)
    return found


def left_states(graph: Graph, values: Mapping[str, Array]) -> Mapping[str, Array]:
    """What a call finds in the states when the last one before it computed these values."""
    found = {}
    for state in graph.states:
        shape = graph.tensor(state.read.tensor).type.shape
        found[state.read.tensor] = values[state.written.tensor].reshape(-1, *shape)[-1]
    return found


def repeated(data: Array, samples: int) -> Array:
    """What depends on no input, for every sample."""
    return np.concatenate([data] * samples)


def batchable(graph: Graph) -> bool:
    """Whether every node takes several samples on axis 0 at once."""
    return all(
        node.op.batchable(
            [graph.tensor(n).type for n in node.inputs],
            [graph.tensor(n).type for n in node.outputs],
        )
        and not _mixes_samples(graph, node)
        for node in graph.nodes
    )


def _mixes_samples(graph: Graph, node: Node) -> bool:
    """Whether a node reads along the only axis of an input, where samples would lie."""
    sig = graph.signature(node)
    pairs = zip(sig.maps, sig.constants, strict=True)
    return any(value is None and len(own) == 1 and own[0] != SAME for own, value in pairs)


def run_node(graph: Graph, node: Node, values: Mapping[str, Array]) -> tuple[Array, ...]:
    """Outputs of a node from the values of its activations, by tensor."""
    arrays = []
    for name in node.inputs:
        data = graph.tensor(name).data
        arrays.append(values[name] if data is None else data)
    read = (graph.tensor(name).type for name in node.inputs)
    from_grid = any(kind.quant is not None and not kind.dtype.is_float for kind in read)
    if graph.tensor(node.output).type.dtype is DType.FLOAT32 and not from_grid:
        made = node.op.float32(*arrays)
        kinds = [graph.tensor(name).type for name in node.outputs]
        return tuple(on_grid(kind, array) for kind, array in zip(kinds, made, strict=True))
    return node.op.integer(graph.signature(node), *arrays)


def on_grid(kind: TensorType, array: Array) -> Array:
    """Float values as a QuantizeLinear and DequantizeLinear in float32 leave them."""
    if kind.dtype is not DType.FLOAT32 or kind.quant is None:
        return array
    if kind.quant.axis is not None:
        return kind.quant.dequantize(kind.quant.quantize(array)).astype(np.float32)
    steps = kind.quant.quantize(array).astype(np.float32) - np.float32(kind.quant.z)
    real: Array = steps * np.float32(kind.quant.s)
    return real
