# SPDX-License-Identifier: Apache-2.0
"""Channels of an int8 graph that no output depends on go, and not one output byte changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mcuplan.ir.block_factors import block_factors
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import Op, Signature
from mcuplan.ir.types import Array
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.movement import Reshape
from mcuplan.passes._channel_bounds import Bounds, channel_bounds
from mcuplan.passes._channel_groups import is_depthwise, kept_channels, mixes, needed

__all__ = ["Removal", "keep_dead_channels", "remove_dead_channels"]


@dataclass(frozen=True, slots=True)
class Removal:
    """A graph without its dead channels, beside the whole one that it stands for.

    ``kept`` has, for each activation that lost channels, the indices of those that it
    still has, in order. ``real_ranges``: the grids are not made up.
    """

    whole: Graph
    graph: Graph
    kept: Mapping[str, Array]
    real_ranges: bool = True

    def surviving(self, tensor: str, values: Array) -> Array:
        """Of an array of the whole graph's tensor [..., channels] what the graph still has."""
        kept = self.kept.get(tensor)
        return values if kept is None else np.take(values, kept, axis=-1)


def keep_dead_channels(graph: Graph) -> Removal:
    """The graph as it is."""
    return Removal(graph, graph, MappingProxyType({}))


def remove_dead_channels(
    graph: Graph,
    multiple: Callable[[Signature], int] = lambda sig: 1,
    *,
    real_ranges: bool = True,
) -> Removal:
    """Remove every channel that no output depends on.

    Pattern: a channel with one value for every input (by bounds of all values, from the
    inputs on), or one that its readers multiply by zero.
    Becomes: less filters, and what a constant added to its readers' sums in their biases.
    Only if: all that is tied to the channel (operands of a join, a depthwise filter, the
    pixels of a flattened map) goes with it; no input or output of the graph is; and where a
    reader pads, the constant is the padding's value, or no tap in the padding reads it.
        Weights on scales of blocks lose channels only where blocks of those left have a factor.
    Exact because: the same integers are added in int32. A bias stays in range: its bound is
    part of the bound that was proved of the accumulator.

    Args:
        graph: int8.
        multiple: a node that loses channels keeps so many of the dead ones that their
            number is a multiple of this.
        real_ranges: the grids come from data or from the model. Made-up ones remove only
            what would go with any: constants because of zero weights.
    """
    bounds = channel_bounds(graph, real_ranges=real_ranges)
    masks = _masks(graph, bounds, multiple)
    kept = {name: np.flatnonzero(mask) for name, mask in masks.items() if not mask.all()}
    if not kept:
        return keep_dead_channels(graph)
    edit = Editor(graph)
    for name in kept:
        tensor = graph.tensor(name)
        shape = (*tensor.type.shape[:-1], len(kept[name]))
        edit.set_tensor(replace(tensor, type=replace(tensor.type, shape=shape)))
    cut = _Cut(graph, edit, bounds, masks)
    for node in graph.nodes:
        if any(name in kept for name in (*node.inputs, *node.outputs)):
            cut.rebuild(node)
    made = edit.done()
    made.check()
    return Removal(graph, made, MappingProxyType(kept), real_ranges)


def _masks(
    graph: Graph, bounds: Mapping[str, Bounds], multiple: Callable[[Signature], int]
) -> Mapping[str, Array]:
    """Which channels of each activation stay."""
    whole: set[str] = set()

    def needs(node: Node) -> Array:
        found = needed(graph, node, bounds)
        return np.ones_like(found) if node.name in whole else found

    while True:
        masks = kept_channels(graph, needs, multiple)
        broken = {node.name for node in graph.nodes if _breaks_blocks(graph, node, masks)}
        if not broken:
            return masks
        whole |= broken


def _breaks_blocks(graph: Graph, node: Node, masks: Mapping[str, Array]) -> bool:
    """Whether blocks of the weights that stay would be of several factors."""
    if not mixes(node):
        return False
    weights = graph.tensor(node.inputs[1])
    block = weights.type.quant.factored if weights.type.quant is not None else None
    if block is None:
        return False
    source, made = masks[node.inputs[0]], masks[node.output]
    return block_factors(_data(weights)[made][..., source], block) is None


@dataclass(frozen=True, slots=True)
class _Cut:
    """Takes channels from the nodes of a graph."""

    graph: Graph
    edit: Editor
    bounds: Mapping[str, Bounds]
    masks: Mapping[str, Array]

    def rebuild(self, node: Node) -> None:
        """The node over what its activations still have."""
        cut = self._weighted if node.op.weight_inputs else self._operands
        constants = cut(node)
        inputs = list(node.inputs)
        for index, tensor in constants.items():
            inputs[index] = self._put(node.inputs[index], tensor)
        self.edit.replace(node, replace(node, op=self._op(node), inputs=tuple(inputs)))

    def _op(self, node: Node) -> Op:
        op, (source, made) = node.op, (self.masks[n] for n in (node.inputs[0], node.output))
        if isinstance(op, Conv2D) and is_depthwise(self.graph, node):
            return replace(op, groups=int(source.sum()))
        if isinstance(op, Reshape):
            return replace(op, shape=(*op.shape[:-1], int(made.sum())))
        return op

    def _weighted(self, node: Node) -> dict[int, Tensor]:
        """Weights and bias of the filters and channels that stay."""
        source, made = self.masks[node.inputs[0]], self.masks[node.output]
        weights, bias = (self.graph.tensor(node.inputs[i]) for i in node.op.weight_inputs)
        values, sums = _data(weights), _data(bias).astype(np.int64)
        if mixes(node):
            sums = sums + self._folded(node, values)
            values = values[..., source]
        assert np.abs(sums).max(initial=0) < 1 << 31
        return {
            1: _part(weights, values[made], made),
            2: _part(bias, sums[made].astype(np.int32), made),
        }

    def _folded(self, node: Node, weights: Array) -> Array:
        """What the channels that go add to each sum."""
        name = node.inputs[0]
        gone = ~self.masks[name] & self.bounds[name].constant
        steps = self.bounds[name].low[gone] - self.graph.tensor(name).type.q.z
        shares = weights[..., gone].astype(np.int64) * steps
        total: Array = shares.reshape(len(weights), -1).sum(axis=1)
        return total

    def _operands(self, node: Node) -> dict[int, Tensor]:
        """Constants that have an entry for each channel of the output."""
        made, found = self.masks[node.output], {}
        for index, name in enumerate(node.inputs):
            tensor = self.graph.tensor(name)
            if tensor.data is not None and tensor.type.channels == len(made) and not made.all():
                found[index] = _part(tensor, tensor.data[..., made], None)
        return found

    def _put(self, old: str, tensor: Tensor) -> str:
        """In the place of a constant, or beside it where others read that one too."""
        return self.edit.set_tensor(replace(tensor, name=self.edit.own_name(old)))


def _data(tensor: Tensor) -> Array:
    assert tensor.data is not None
    return tensor.data


def _part(tensor: Tensor, values: Array, filters: Array | None) -> Tensor:
    """A constant cut down to values; scales per filter are cut along."""
    quant = tensor.type.q
    if filters is not None and quant.axis is not None and len(quant.scale) == len(filters):
        stay = np.flatnonzero(filters).tolist()
        scales = tuple(quant.scale[i] for i in stay)
        quant = replace(quant, scale=scales, zero_point=tuple(quant.zero_point[i] for i in stay))
    kind = replace(tensor.type, shape=values.shape, quant=quant)
    return replace(tensor, type=kind, data=np.ascontiguousarray(values), stored=None)
