# SPDX-License-Identifier: Apache-2.0
"""What outputs lose when one layer has fewer bits of weights, and gain by more of activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcuplan.calibrate.held_back import FEWEST, Judge, held_back
from mcuplan.ir.graph import Graph, Node, Stored
from mcuplan.ir.types import DType
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.narrow_weights import narrow_weights
from mcuplan.quant.observers import Range
from mcuplan.record import Planned

__all__ = ["Sensitivities", "TypeChange", "sensitivities"]

_SAMPLES = 16  # that each layer is tried on alone
_NEEDED = 0.25  # of all error: what makes a layer worth float32


@dataclass(frozen=True, slots=True)
class TypeChange:
    """One change of types, and what it is expected to be worth.

    Attributes:
        layers: that have another type, by the name the user knows.
        dtype: int4 of weights, int16 or float32 of activations.
        error: squares of the outputs' error that it adds; less than 0: takes away.
        cost: bytes of flash saved; multiply-accumulates that become wider.
    """

    layers: tuple[str, ...]
    dtype: DType
    error: float
    cost: int


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """What outputs lose now, and by changes of types.

    Attributes:
        error: squares of the outputs' error on the grids that there are.
        fewer: bits of weights, those first that lose least for each byte.
        more: bits of activations, those first that gain most.
    """

    error: float
    fewer: tuple[TypeChange, ...]
    more: tuple[TypeChange, ...]


def sensitivities(planned: Planned) -> Sensitivities:
    """What outputs lose by weights of 4 bits of one layer, and by the grid of one tensor, alone."""
    assert planned.calibration is not None
    grids, data = planned.grids.graph, planned.calibration.data
    graph = _without_grids(grids)
    trials = [*_narrow_trials(graph, planned.calibration.ranges), *_wide_trials(graph, grids)]
    some = held_back(graph, data.samples, 2 if data.samples >= FEWEST else 1)
    tried = {"": grids, **{f"{i}": trial.graph for i, trial in enumerate(trials)}}
    judge = Judge(graph, data, sorted(some)[:_SAMPLES])
    with planned.request.bar("trying types of layers", judge.runs) as tick:
        errors = judge.errors(tried, tick)
    now, *shares = (10 ** (-each / 10) for each in errors.values())
    changes = [
        TypeChange(trial.layers, trial.dtype, share, trial.cost)
        for trial, share in zip(trials, shares, strict=True)
    ]
    fewer = [each for each in changes if each.dtype is DType.INT4]
    more = [replace(e, error=-e.error) for e in changes if e.dtype is not DType.INT4]
    kept = [e for e in more if e.dtype is DType.INT16 or -e.error > _NEEDED * now]
    return Sensitivities(
        now,
        tuple(sorted(fewer, key=lambda each: each.error / each.cost)),
        tuple(sorted(kept, key=lambda each: each.error)),
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """A float graph in which one thing is rounded; the rest as of `TypeChange`."""

    layers: tuple[str, ...]
    dtype: DType
    cost: int
    graph: Graph


def _narrow_trials(graph: Graph, ranges: Mapping[str, Range]) -> Iterator[_Trial]:
    """Each layer with its weights in 4 bits; of a single weight that saves nothing."""
    narrow = _narrowed(graph, ranges)
    for node in graph.nodes:
        saved = narrow[node.name].values.size // 2 if node.name in narrow else 0
        if saved:
            rounded = _with_weights(graph, node, narrow[node.name])
            yield _Trial((graph.node_name(node),), DType.INT4, saved, rounded)


def _wide_trials(graph: Graph, grids: Graph) -> Iterator[_Trial]:
    """Each tensor on its grid that all layers around it can have in int16, else in float32."""
    consumers = graph.consumers()
    for node in graph.nodes:
        layers = [node, *consumers.get(node.output, ())]
        dtype = _more_bits(graph, layers)
        if dtype is not None and grids.tensor(node.output).type.quant is not None:
            macs = sum(graph.signature(each).cost.macs for each in layers)
            names = tuple(dict.fromkeys(map(graph.node_name, layers)))
            yield _Trial(names, dtype, macs, _with_grid(graph, grids, node.output))


def _more_bits(graph: Graph, layers: Sequence[Node]) -> DType | None:
    """The first type of more bits that all of some layers have."""
    if all(each.op.is_wide for each in layers):
        return DType.INT16
    real = all(graph.signature(each).admits(DType.FLOAT32) for each in layers)
    return DType.FLOAT32 if real else None


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
