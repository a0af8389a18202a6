# SPDX-License-Identifier: Apache-2.0
"""Channels of an int8 graph that readers hardly see: their mean can take their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import Array, Quant
from mcuplan.ops.conv2d import Conv2D
from mcuplan.passes._channel_bounds import border_taps, channel_bounds
from mcuplan.passes._channel_groups import is_depthwise, kept_channels, mixes, needed

__all__ = [
    "HALF_A_STEP",
    "Seen",
    "Silent",
    "idle_weights",
    "near_dead",
    "silenced",
    "silenced_on_grids",
    "sums_channels",
]

HALF_A_STEP = 0.5
"""Of an output of a reader: what a channel adds to it, less its mean, is rounded away alone."""

Silent = Mapping[str, Array]
"""By activation the means, in integers of its grid, of channels to do without; NaN for others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What samples showed of each channel of an activation, in real units."""

    low: Array
    high: Array
    mean: Array


def near_dead(graph: Graph, seen: Mapping[str, Seen], limit: float = HALF_A_STEP) -> Silent:
    """Channels whose part of every output that reads them stays within a limit of their mean.

    Each alone: of several the parts add up. Channels that no output depends on are not among them.

    Args:
        graph: int8, with all its channels.
        seen: by activation; channels of others stay.
        limit: in steps of the reader's output.
    """
    bounds = channel_bounds(graph)
    exact = {n.name: needed(graph, n, bounds) for n in graph.nodes if mixes(n)}
    near = {
        n.name: exact[n.name] & ~(_parts(graph, n, seen[n.inputs[0]]) <= limit)
        if n.inputs[0] in seen
        else exact[n.name]
        for n in graph.nodes
        if mixes(n)
    }
    every = kept_channels(graph, lambda node: exact[node.name], lambda sig: 1)
    fewer = kept_channels(graph, lambda node: near[node.name], lambda sig: 1)
    found = {}
    for name, each in seen.items():
        gone = every.get(name, np.zeros(0, bool)) & ~fewer.get(name, np.zeros(0, bool))
        if gone.any():
            mean = _mean(graph.tensor(name).type.q, each)
            found[name] = np.where(gone, mean, np.nan)
    return MappingProxyType(found)


def sums_channels(graph: Graph, node: Node) -> bool:
    """Whether outputs are sums of constant weights times channels that lie on a grid."""
    kinds = [graph.tensor(name).type for name in (*node.inputs[:2], node.output)]
    sums = mixes(node) or is_depthwise(graph, node)
    return sums and all(kind.quant is not None for kind in kinds)


def idle_weights(
    graph: Graph, node: Node, seen: Seen, limit: float = HALF_A_STEP
) -> tuple[int, int]:
    """Weights of a layer that are 0, and others that may be, all at once.

    Without these no output goes farther than the limit from where it is with means of what they
    are multiplied with, as far as samples show.

    Args:
        graph: int8, with all its channels.
        node: a layer that sums over channels, or of one channel each.
        seen: of what it reads.
        limit: in steps of its output.
    """
    parts = _each(graph, node, seen)
    flat = np.sort(parts.reshape(len(parts), -1), axis=1)
    zero = int((graph.signature(node).constant(1) == 0).sum())
    return zero, max(0, int((np.cumsum(flat, axis=1) <= limit).sum()) - zero)


def _parts(graph: Graph, node: Node, seen: Seen) -> Array:
    """The largest part of each output that each input may have: [outputs, inputs], in steps."""
    parts: Array = _each(graph, node, seen).sum(axis=1)
    return parts


def _each(graph: Graph, node: Node, seen: Seen) -> Array:
    """The largest part of each output that each weight may have: [outputs, taps, inputs], in steps.

    As far as samples, rounded, went from the mean: never too small for values of the float model.
    """
    sig = graph.signature(node)
    source, weights, output = sig.inputs[0].q, sig.inputs[1].q, sig.output.q
    low, high = (
        source.quantize(end).astype(np.float64) - source.z for end in (seen.low, seen.high)
    )
    mean = _mean(source, seen) - source.z
    taps = np.abs(sig.constant(1).astype(np.float64))
    if isinstance(sig.op, Conv2D) and border_taps(sig).any():  # padding holds real 0
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    off = np.maximum(high - mean, mean - low)
    if is_depthwise(graph, node):
        taps = taps.reshape(len(taps), -1, 1)
        off = np.repeat(off, len(taps) // len(off))[:, None, None]
    else:
        taps = taps.reshape(len(taps), -1, len(off))
    scales = np.broadcast_to(np.array(weights.scale, np.float64), len(taps))
    parts: Array = taps * off * (source.s * scales / output.s)[:, None, None]
    return parts


def _mean(quant: Quant, seen: Seen) -> Array:
    """The mean of each channel in integers: the one that it has where that is all."""
    ends = (quant.quantize(end).astype(np.float64) for end in (seen.low, seen.high))
    return np.clip(seen.mean / quant.s + quant.z, *ends)


def silenced(graph: Graph, silent: Silent) -> Graph:
    """The graph in which no output depends on some channels any more.

    Pattern: a layer that sums over channels some of which are silent.
    Becomes: the same with weights of 0 there, and their means in the biases.
    Only if: it is asked for: outputs change, by what is judged elsewhere.
    """
    edit = Editor(graph)
    for node in graph.nodes:
        if mixes(node) and node.inputs[0] in silent:
            _silence(graph, edit, node, silent[node.inputs[0]])
    return edit.done()


def silenced_on_grids(grids: Graph, lowered: Graph, silent: Silent) -> Graph:
    """The float graph that some channels are silent in whose integers are those of a lowered one.

    Args:
        grids: every activation on a grid.
        lowered: the same in the types of C, in which the channels are silent.
        silent: these channels; none: the graph as it is.
    """
    made, edit = {node.name: node for node in lowered.nodes}, Editor(grids)
    for node in grids.nodes:
        if not (mixes(node) and node.inputs[0] in silent):
            continue
        sig, names = lowered.signature(made[node.name]), list(node.inputs)
        source, weights = sig.inputs[0].q, sig.inputs[1].q
        tensor, stored = grids.tensor(names[1]), grids.tensor(names[1]).stored
        assert stored is not None
        values = sig.constant(1).reshape(stored.values.shape)
        data = weights.dequantize(sig.constant(1)).astype(np.float32).reshape(tensor.type.shape)
        own = replace(tensor, name=edit.own_name(tensor.name), data=data)
        names[1] = edit.set_tensor(replace(own, stored=replace(stored, values=values)))
        bias = grids.tensor(names[2])
        real = sig.constant(2).astype(np.float64) * source.s * np.array(weights.scale, np.float64)
        own = replace(bias, name=edit.own_name(bias.name), data=real.astype(np.float32))
        names[2] = edit.set_tensor(replace(own, stored=None))
        edit.replace(node, replace(node, inputs=tuple(names)))
    return edit.done()


def _silence(graph: Graph, edit: Editor, node: Node, means: Array) -> None:
    gone, sig = ~np.isnan(means), graph.signature(node)
    weights = sig.constant(1).copy()
    off = means[gone] - sig.inputs[0].q.z
    shares = (weights[..., gone] * off).reshape(len(weights), -1).sum(axis=1)
    bias = sig.constant(2).astype(np.int64) + np.rint(shares).astype(np.int64)
    assert np.abs(bias).max(initial=0) < 1 << 31
    weights[..., gone] = 0
    names = list(node.inputs)
    for index, data in ((1, weights), (2, bias.astype(np.int32))):
        tensor = graph.tensor(names[index])
        own = replace(tensor, name=edit.own_name(tensor.name), data=data, stored=None)
        names[index] = edit.set_tensor(own)
    edit.replace(node, replace(node, inputs=tuple(names)))
