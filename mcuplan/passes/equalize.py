# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalization: channels of like range share a scale without loss.

Source: Nagel et al. 2019, section 4.1; of the ranges of activations, as weights have a scale for
each channel anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.types import Array
from mcuplan.passes._channel_factors import (
    LAYERS,
    SUMS,
    Channels,
    scaled_constant,
    scaled_source,
    squared_gain,
    takes_factors,
    with_factors,
)
from mcuplan.passes._joint_factors import Wide, joint_factors
from mcuplan.passes._scaled_ends import scalable_ends, scaled_ends

__all__ = ["Reach", "equalize"]

_FULL = 2.5  # with less room, a channel is one of those that set the range of its tensor
_MOST = 2.0**24  # that a channel is multiplied by


@dataclass(frozen=True, slots=True)
class Reach:
    """How far channels are multiplied.

    Attributes:
        margin: times what was seen of a channel stays in range: values to come may go beyond.
        shows: share of the noise of the widest channels that is left of others.
        limited: multiply behind limits like those of ReLU6, too. They stay where they are: of a
            channel multiplied by s values beyond limit / s are cut, ``margin`` times those seen
            or more. Up to there the outputs are the model's.
        joint: not tensor by tensor, but those factors with which noise of all tensors together is
            least: a channel may be narrow in one tensor and among the widest of another.
        tables: multiply channels in front of and behind functions, too, by powers of two: each
            has the table of its channel.
        gates: of a product the gate is multiplied, not what it is multiplied with.
        inputs, outputs: multiply their channels, too. They are float32 then: a product of each
            with powers of two stands between it and its grid.
    """

    margin: float = 2.0
    shows: float = 1.0
    limited: bool = False
    joint: bool = False
    tables: bool = False
    gates: bool = False
    inputs: bool = False
    outputs: bool = False


def equalize(graph: Graph, most: Mapping[str, Array], how: Reach) -> Graph:
    """Multiply channels until their noise does not show, as far as layers allow.

    Pattern: a layer, what passes positive factors on channel by channel, a layer.
    Becomes: the same with other weights.
    Only if: noise of the channel counts more at the outputs than that of those which set the
        range of its tensor, and there is room for it in every tensor on the way.
    Exact because: f(s * x) = s * f(x) on the way, and s * w or w / s in the layers; up to the
        rounding of float32.

    Args:
        graph: float, after the passes.
        most: how far from 0 each channel of a tensor went; those of others stay.
        how: far channels are multiplied.
    """
    ends = scalable_ends(graph, most, inputs=how.inputs, outputs=how.outputs)
    channels = Channels(graph, limited=how.limited, ends=ends, tables=how.tables, gates=how.gates)
    factors = (_joint if how.joint else _factors)(graph, channels, most, how)
    for name in (*ends, *_around_tables(graph, channels)):
        factors[channels.of(name)] = 2.0 ** np.floor(np.log2(factors[channels.of(name)]))
    if (factors == 1.0).all():
        return graph
    edit = Editor(graph)
    for node in edit.nodes():
        if isinstance(node.op, LAYERS + SUMS):
            _rescale(edit, node, channels, factors)
        made = factors[channels.of(node.output)]
        read = factors[channels.of(node.inputs[0])] if node.name in channels.tabled else made
        if node.name in channels.tabled and ((made != 1.0) | (read != 1.0)).any():
            edit.replace(node, replace(node, op=with_factors(node.op, read, made)))
        if node.name in channels.sources and (made != 1.0).any():
            edit.replace(node, replace(node, op=scaled_source(node.op, made)))
    for name in channels.free:
        own = factors[channels.of(name)]
        if (own != 1.0).any():
            edit.set_tensor(_multiplied(edit.tensor(name), own))
    return scaled_ends(edit.done(), {name: factors[channels.of(name)] for name in ends})


def _multiplied(tensor: Tensor, factors: Array) -> Tensor:
    origin = tensor.origin
    if origin is None:
        return tensor
    return replace(tensor, origin=origin.multiplied(tuple(factors.tolist())))


def _factors(graph: Graph, channels: Channels, most: Mapping[str, Array], how: Reach) -> Array:
    """Of each group: as much as its noise asks for and all of its tensors have room for.

    A channel whose noise does not show is left alone: what few samples reach may matter for
    others, and they may go farther.
    """
    room, wish = np.full(channels.count, np.inf), np.ones(channels.count)
    counts = _noise(graph, channels, most, apart=how.outputs)
    for name in channels.free:
        if name not in most:
            room[channels.of(name)] = 1.0
            continue
        group, own, noise = channels.of(name), most[name], counts[name]
        widest = float(own.max(initial=0.0))
        if widest == 0.0 or not np.isfinite(widest):
            continue
        space = widest / np.maximum(own, widest / _MOST)
        np.minimum.at(room, group, space / how.margin)
        room[group[own < channels.divisors.get(name, 0.0)]] = 1.0
        least = float(noise.max(initial=0.0)) / _MOST**2
        shown = max(float(noise[space < _FULL].max(initial=0.0)), least)
        if shown > 0.0:
            np.maximum.at(wish, group, np.sqrt(noise / (shown * how.shows)))
    room[~np.isfinite(room) | channels.held] = 1.0
    found: Array = np.maximum(np.minimum(room, wish), 1.0)
    return found


def _joint(graph: Graph, channels: Channels, most: Mapping[str, Array], how: Reach) -> Array:
    """Of each group, as all tensors together ask for it."""
    low, high = np.full(channels.count, -np.inf), np.full(channels.count, np.inf)
    counts, tensors = _noise(graph, channels, most, apart=how.outputs), []
    for name in channels.free:
        group, known = channels.of(name), name in most and bool(np.isfinite(most[name]).all())
        if not known:
            low[group] = high[group] = 0.0
            continue
        tensors.append(Wide(group, most[name], counts[name]))
        least = channels.divisors.get(name, 0.0)
        if least > 0.0:
            space = np.log2(least / np.maximum(most[name], least))
            np.maximum.at(low, group, space)
            high[group[most[name] < least]] = 0.0
        limit = channels.limits.get(name, np.inf)
        if np.isfinite(limit):
            low[group] = np.maximum(low[group], 0.0)
            seen = np.maximum(how.margin * most[name], limit / _MOST)
            np.minimum.at(high, group, np.maximum(np.log2(limit / seen), 0.0))
    low[channels.held] = high[channels.held] = 0.0
    return joint_factors(tensors, low, high)


def _noise(
    graph: Graph, channels: Channels, most: Mapping[str, Array], *, apart: bool
) -> Mapping[str, Array]:
    """How much a squared error of each channel of the scalable tensors counts at the outputs.

    From the outputs backwards: squared weights of the layers on the way. Comparable within a
    tensor; operators that are not understood count all channels alike. With ``apart`` it counts
    against how wide each channel of an output is, as it does where a normalization divides.
    """
    made = {
        name: np.zeros(graph.tensor(name).type.channels)
        for name, tensor in graph.tensors.items()
        if not tensor.is_constant
    }
    for port in graph.outputs:
        own = most.get(port.tensor) if apart else None
        made[port.tensor] = made[port.tensor] + (1.0 if own is None else _of_its_width(own))
    for node in reversed(graph.nodes):
        later = made[node.output]
        if takes_factors(graph, node):
            weights = graph.tensor(node.inputs[1]).data
            assert weights is not None
            made[node.inputs[0]] = made[node.inputs[0]] + squared_gain(node.op, weights, later)
            continue
        links = channels.links.get(node.name, ())
        for link in links:
            np.add.at(made[link.tensor], link.source, later[link.made])
        passed = {link.tensor for link in links}
        if node.name in channels.tabled:  # as if slopes were alike
            made[node.inputs[0]] = made[node.inputs[0]] + later
            continue
        for name in graph.activations(node):
            if name in channels.divisors and name in most and len(later) == len(most[name]):
                made[name] = made[name] + later * _of_its_width(most[name])
            elif name not in passed:
                made[name] = made[name] + (later.mean() if later.size else 0.0)
    return {name: made[name] for name in channels.free}


def _around_tables(graph: Graph, channels: Channels) -> list[str]:
    """What functions read and make that take factors of either side."""
    nodes = [node for node in graph.nodes if node.name in channels.tabled]
    return [name for node in nodes for name in (node.inputs[0], node.output)]


def _of_its_width(most: Array) -> Array:
    """The square of 1 over what each channel reaches, and that of the widest 1."""
    widest = float(most.max(initial=0.0))
    if not 0.0 < widest < np.inf:
        return np.ones(len(most))
    return np.square(widest / np.maximum(most, widest / _MOST))


def _rescale(edit: Editor, node: Node, channels: Channels, factors: Array) -> None:
    """Give a layer or sum constants for the factors of what it reads and makes."""
    constants = [i for i, name in enumerate(node.inputs) if edit.tensor(name).is_constant]
    sources = [name for name in node.inputs if not edit.tensor(name).is_constant]
    if not constants or not sources:
        return
    read, made = (factors[channels.of(name)] for name in (sources[0], node.output))
    if (read == 1.0).all() and (made == 1.0).all():
        return
    names = list(node.inputs)
    for i in constants:
        tensor = edit.tensor(names[i])
        assert tensor.data is not None
        data = scaled_constant(node.op, i, tensor.data, read, made).astype(np.float32)
        shared = len(edit.consumers(names[i])) > 1 or names.count(names[i]) > 1
        name = edit.fresh(tensor.name) if shared else tensor.name
        names[i] = edit.set_tensor(replace(tensor, name=name, data=data, stored=None))
    edit.replace(node, replace(node, inputs=tuple(names)))
