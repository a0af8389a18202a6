# SPDX-License-Identifier: Apache-2.0
"""What outputs lose when one layer has fewer bits of weights, and gain by more of activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from mcuplan.calibrate.held_back import FEWEST, Judge, held_back
from mcuplan.errors import McuplanError, Problems
from mcuplan.ir.graph import Graph, Node, Stored
from mcuplan.ir.types import DType
from mcuplan.passes.assign_grids import Grids, assign_grids
from mcuplan.passes.narrow_weights import narrow_weights
from mcuplan.quant.observers import Range
from mcuplan.record import Planned
from mcuplan.schedule.kernels.select import candidates_of, traded_apart
from mcuplan.schedule.planning.relower import lower_asked

__all__ = ["BLOCK", "Sensitivities", "TypeChange", "sensitivities"]

BLOCK = 32
"""Weights of 4 bits that share a scale, where these are in blocks."""

_SAMPLES = 16  # that each layer is tried on alone
_NEEDED = 0.25  # of all error: what makes a layer worth float32
_FEW_BITS = (DType.INT4, DType.INT4_BLOCKS)


@dataclass(frozen=True, slots=True)
class TypeChange:
    """One change of types, and what it is expected to be worth.

    Attributes:
        layers: that have another type, by the name the user knows.
        dtype: int4 of weights, int16 or float32 of activations.
        error: squares of the outputs' error that it adds; less than 0: takes away.
        cost: bytes of flash saved; multiply-accumulates that become wider.
        in_blocks: the error with weights on scales of blocks; None: there are none.
        cycles: more of them, that the fastest kernel takes for weights of 4 bits.
    """

    layers: tuple[str, ...]
    dtype: DType
    error: float
    cost: int
    in_blocks: float | None = None
    cycles: float = 0.0


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """What outputs lose now, and by changes of types.

    Attributes:
        error: squares of the outputs' error on the grids that there are.
        fewer: bits of weights, those first that lose least for each byte.
        more: bits of activations, those first that gain most.
        cycles: of the fastest kernels of all layers.
    """

    error: float
    fewer: tuple[TypeChange, ...]
    more: tuple[TypeChange, ...]
    cycles: float = 0.0


def sensitivities(planned: Planned) -> Sensitivities:
    """What outputs lose by weights of 4 bits of one layer, and by the grid of one tensor, alone."""
    assert planned.calibration is not None
    grids, ranges = planned.grids.graph, planned.calibration.ranges
    graph = _without_grids(grids)
    narrow = _on_few_bits(graph, ranges)
    trials = [*_narrow_trials(graph, narrow), *_wide_trials(graph, grids)]
    blocks = list(_narrow_trials(graph, _on_few_bits(graph, ranges, BLOCK), DType.INT4_BLOCKS))
    now, *shares = _errors(planned, graph, [grids, *(each.graph for each in (*trials, *blocks))])
    before, after = _cycles(planned, planned.grids), _cycles(planned, narrow)
    own, others = shares[: len(trials)], shares[len(trials) :]
    in_blocks = {each.layers: share for each, share in zip(blocks, others, strict=True)}
    changes = [
        TypeChange(
            trial.layers,
            trial.dtype,
            share,
            trial.cost,
            in_blocks.get(trial.layers),
            after.get(trial.layers[0], 0.0) - before.get(trial.layers[0], 0.0),
        )
        for trial, share in zip(trials, own, strict=True)
    ]
    fewer = [each for each in changes if each.dtype is DType.INT4]
    more = [replace(e, error=-e.error) for e in changes if e.dtype is not DType.INT4]
    kept = [e for e in more if e.dtype is DType.INT16 or -e.error > _NEEDED * now]
    return Sensitivities(
        now,
        tuple(sorted(fewer, key=lambda each: each.error / each.cost)),
        tuple(sorted(kept, key=lambda each: each.error)),
        sum(before.values()),
    )


def _errors(planned: Planned, graph: Graph, tried: Sequence[Graph]) -> list[float]:
    """Squares of the outputs' error of graphs on samples held back, as a share of their own."""
    assert planned.calibration is not None
    data = planned.calibration.data
    some = held_back(graph, data.samples, 2 if data.samples >= FEWEST else 1)
    judge = Judge(graph, data, sorted(some)[:_SAMPLES])
    with planned.request.bar("trying types of layers", judge.runs) as tick:
        errors = judge.errors({f"{i}": each for i, each in enumerate(tried)}, tick)
    return [10 ** (-each / 10) for each in errors.values()]


def _cycles(planned: Planned, grids: Grids) -> Mapping[str, float]:
    """Of the fastest kernel of each layer as a whole, by the name the user knows."""
    found = dict[str, float]()
    with suppress(McuplanError, Problems):
        lowered = lower_asked(planned.request, grids, real_ranges=True).graph
        ways, _ = traded_apart(candidates_of(lowered, planned.request.target))
        for node in lowered.nodes:
            if node.name in ways:
                name = lowered.node_name(node)
                found[name] = found.get(name, 0.0) + ways[node.name][0].cycles
    return found


@dataclass(frozen=True, slots=True)
class _Trial:
    """A float graph in which one thing is rounded; the rest as of `TypeChange`."""

    layers: tuple[str, ...]
    dtype: DType
    cost: int
    graph: Graph


def _narrow_trials(graph: Graph, narrow: Grids, dtype: DType = DType.INT4) -> Iterator[_Trial]:
    """Each layer with its weights in 4 bits; of a single weight that saves nothing."""
    found = _narrowed(graph, narrow, dtype)
    for node in graph.nodes:
        saved = found[node.name].values.size // 2 if node.name in found else 0
        if saved:
            rounded = _with_weights(graph, node, found[node.name])
            yield _Trial((graph.node_name(node),), dtype, saved, rounded)


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


def _on_few_bits(graph: Graph, ranges: Mapping[str, Range], block: int | None = None) -> Grids:
    """The graph on grids, with weights of 4 bits wherever there may be some."""
    marked = narrow_weights(graph, {"": DType.INT4}, block=block)
    return assign_grids(marked, ranges, placeholder=True)


def _narrowed(graph: Graph, narrow: Grids, dtype: DType) -> Mapping[str, Stored]:
    """Weights of 4 bits of every layer that may have them and has not, by node."""
    before = {n.name for n in graph.nodes if _wanted(graph, n) not in _FEW_BITS}
    found = {}
    for node in narrow.graph.nodes:
        if node.op.weight_inputs and node.name in before:
            stored = narrow.graph.tensor(node.inputs[node.op.weight_inputs[0]]).stored
            if stored is not None and stored.quant.dtype is dtype:
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
