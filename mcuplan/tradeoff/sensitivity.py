# SPDX-License-Identifier: Apache-2.0
"""What outputs lose when one layer has fewer bits of weights, and gain by more of activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mcuplan.calibrate.held_back import FEWEST, Judge, held_back
from mcuplan.ir.graph import Graph, Node, Stored
from mcuplan.ir.types import DType
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.narrow_weights import narrow_weights
from mcuplan.quant.observers import Range
from mcuplan.record import Planned

__all__ = ["TypeChange", "sensitivities"]

_SAMPLES = 16  # that each layer is tried on alone


@dataclass(frozen=True, slots=True)
class TypeChange:
    """One change of types, and what it is expected to be worth.

    Attributes:
        layers: that have another type, by the name the user knows.
        dtype: int4 of weights, int16 of activations.
        error: squares of the outputs' error that it adds; less than 0: takes away.
        cost: bytes of flash saved; multiply-accumulates that become wider.
    """

    layers: tuple[str, ...]
    dtype: DType
    error: float
    cost: int


def sensitivities(planned: Planned) -> tuple[TypeChange, ...]:
    """What outputs lose by weights of 4 bits of one layer, and by the grid of one tensor, alone.

    Of weights those first that lose least for each byte; of activations those that lose most.
    """
    assert planned.calibration is not None
    grids, data = planned.grids.graph, planned.calibration.data
    graph = _without_grids(grids)
    narrow = list(_narrow_trials(graph, planned.calibration.ranges))
    wide = list(_wide_trials(graph, grids))
    some = held_back(graph, data.samples, 2 if data.samples >= FEWEST else 1)
    tried = {f"{i}": trial.graph for i, trial in enumerate((*narrow, *wide))}
    errors = list(Judge(graph, data, sorted(some)[:_SAMPLES]).errors(tried).values())
    shares = [10 ** (-each / 10) for each in errors]
    fewer = [
        TypeChange(trial.layers, DType.INT4, error, trial.cost)
        for trial, error in zip(narrow, shares[: len(narrow)], strict=True)
    ]
    more = [
        TypeChange(trial.layers, DType.INT16, -error, trial.cost)
        for trial, error in zip(wide, shares[len(narrow) :], strict=True)
    ]
    fewer.sort(key=lambda each: each.error / each.cost)
    more.sort(key=lambda each: each.error)
    return (*fewer, *more)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A float graph in which one thing is rounded; layers and cost as of `TypeChange`."""

    layers: tuple[str, ...]
    cost: int
    graph: Graph


def _narrow_trials(graph: Graph, ranges: Mapping[str, Range]) -> Iterator[_Trial]:
    """Each layer with its weights in 4 bits; of a single weight that saves nothing."""
    narrow = _narrowed(graph, ranges)
    for node in graph.nodes:
        saved = narrow[node.name].values.size // 2 if node.name in narrow else 0
        if saved:
            rounded = _with_weights(graph, node, narrow[node.name])
            yield _Trial((graph.node_name(node),), saved, rounded)


def _wide_trials(graph: Graph, grids: Graph) -> Iterator[_Trial]:
    """Each tensor on its grid that all layers around it can have in int16."""
    consumers = graph.consumers()
    for node in graph.nodes:
        layers = [node, *consumers.get(node.output, ())]
        on_grid = grids.tensor(node.output).type.quant is not None
        if on_grid and all(each.op.is_wide for each in layers):
            macs = sum(graph.signature(each).cost.macs for each in layers)
            names = tuple(dict.fromkeys(map(graph.node_name, layers)))
            yield _Trial(names, macs, _with_grid(graph, grids, node.output))


def _without_grids(grids: Graph) -> Graph:
    """The float graph of one on grids."""
    tensors = {
        name: replace(tensor, type=replace(tensor.type, quant=None), stored=None)
        if tensor.type.dtype.is_float
        else tensor
        for name, tensor in grids.tensors.items()
    }
    return replace(grids, tensors=tensors)


def _narrowed(graph: Graph, ranges: Mapping[str, Range]) -> Mapping[str, Stored]:
    """Weights of 4 bits of every layer that may have them and has not, by node."""
    before = {n.name for n in graph.nodes if _wanted(graph, n) is not DType.INT4}
    marked = narrow_weights(graph, {"": DType.INT4})
    made = assign_grids(marked, ranges, placeholder=True).graph
    found = {}
    for node in made.nodes:
        if node.op.weight_inputs and node.name in before:
            stored = made.tensor(node.inputs[node.op.weight_inputs[0]]).stored
            if stored is not None and stored.quant.dtype is DType.INT4:
                found[node.name] = stored
    return found


def _wanted(graph: Graph, node: Node) -> DType | None:
    """The type that the weights of a node are to have."""
    index = node.op.weight_inputs[:1]
    return graph.tensor(node.inputs[index[0]]).wanted if index else None


def _with_weights(graph: Graph, node: Node, stored: Stored) -> Graph:
    """The float graph with the weights of one node rounded."""
    name = node.inputs[node.op.weight_inputs[0]]
    tensor = graph.tensor(name)
    data = stored.quant.dequantize(stored.values).astype("float32").reshape(tensor.type.shape)
    tensors = {**graph.tensors, name: replace(tensor, data=data, stored=None)}
    return replace(graph, tensors=tensors)


def _with_grid(graph: Graph, grids: Graph, name: str) -> Graph:
    """The float graph with one tensor rounded to its grid."""
    tensor, quant = graph.tensor(name), grids.tensor(name).type.quant
    rounded = replace(tensor, type=replace(tensor.type, quant=quant))
    return replace(graph, tensors={**graph.tensors, name: rounded})
