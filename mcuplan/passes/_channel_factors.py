# SPDX-License-Identifier: Apache-2.0
"""Which channels of a float graph can be multiplied by a factor, and which only together.

A layer takes any factor of its inputs and of its outputs into its weights; what lies between two
layers passes a positive factor on, channel by channel, or holds it at 1. What it makes, but not
what it reads, a normalization multiplies by its gains, and a function in its table.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from mcuplan.ir.geometry import SAME
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Op, QuantRule
from mcuplan.ir.types import Array
from mcuplan.ops.batch_norm import ChannelAffine
from mcuplan.ops.channel_lookup import ChannelLookup
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Maximum, Minimum, Mul, Sub
from mcuplan.ops.movement import Reshape
from mcuplan.ops.normalize import Epsilon, Normalize
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.prelu import PRelu
from mcuplan.ops.resize import Resize
from mcuplan.ops.slicing import Slice
from mcuplan.ops.unary import Lookup, affine
from mcuplan.passes._disjoint_sets import DisjointSets

__all__ = [
    "LAYERS",
    "SUMS",
    "Channels",
    "scaled_constant",
    "scaled_source",
    "squared_gain",
    "takes_factors",
    "with_factors",
]

_CONVOLUTIONS = (Conv2D, Conv3D)
LAYERS = (*_CONVOLUTIONS, Dense, ChannelAffine)
"""That take factors of either side into their constants."""

_SOURCES = (Normalize, Lookup)
"""That hold what they read, and multiply what they make: by channel, a function as a whole."""

_BESIDE_EPSILON = 64.0
"""Width over the root of epsilon: its share of the variance is a percent, nearly, at most."""

SUMS = (Add, Sub, Maximum, Minimum)
_ALIKE = (AvgPool2D, PRelu)  # f(s * x) = s * f(x) for s > 0, each channel on its own
_HOMOGENEOUS = ("leaky_relu", "abs", "neg")


@dataclass(frozen=True, slots=True)
class Link:
    """Channels of an input that an operator passes on: ``source[i]`` becomes ``made[i]``."""

    tensor: str
    source: Array
    made: Array


class Channels:
    """A group for every channel of every activation: one factor for all that is in it."""

    def __init__(
        self,
        graph: Graph,
        *,
        limited: bool = False,
        ends: Collection[str] = (),
        tables: bool = False,
        gates: bool = False,
    ) -> None:
        """Find them.

        Args:
            graph: float, after the passes.
            limited: also behind limits from 0 on, which stay where they are.
            ends: inputs and outputs whose channels may have factors, too.
            tables: functions take factors of either side, by a table for each channel.
            gates: of a product the smaller operand, or the second one, has factors.
        """
        self._graph, self._limited = graph, limited
        self._tables, self._gates = tables, gates
        self._sets = DisjointSets()
        self._of: dict[str, Array] = {}
        self._held: list[Array] = []
        self.limits = _limits(graph) if limited else {}
        """What tensors are cut at where their channels have factors all the same."""
        self.sources: set[str] = set()
        """Nodes that multiply what they make."""
        self.tabled: set[str] = set()
        """Functions that take factors of either side."""
        self.divisors: dict[str, float] = {}
        """What is divided by its own deviation, and the width beside which epsilon vanishes."""
        self.links: dict[str, tuple[Link, ...]] = {}
        """What nodes pass on, by node; those of layers are not there, nor of others that hold."""
        for port in graph.inputs:
            self._end(port.tensor, ends)
        for node in graph.nodes:
            self._link(node)
        for port in graph.outputs:
            self._end(port.tensor, ends)
        roots = self._sets.roots()
        self._of = {name: roots[group] for name, group in self._of.items()}
        self.count = len(self._sets)
        self.held = np.zeros(self.count, bool)
        """Of each group: whether its factor is 1."""
        for group in self._held:
            self.held[roots[group]] = True

    def of(self, tensor: str) -> Array:
        """The group of each channel (the last axis) of an activation."""
        return self._of[tensor]

    @property
    def free(self) -> tuple[str, ...]:
        """Activations some channels of which may have a factor, in order."""
        return tuple(name for name, group in self._of.items() if not self.held[group].all())

    def _group(self, tensor: str) -> Array:
        """The groups of a tensor, new ones where it has none."""
        if tensor not in self._of:
            self._of[tensor] = self._sets.added(self._graph.tensor(tensor).type.channels)
        return self._of[tensor]

    def _links(self, node: Node) -> tuple[Link, ...]:
        if self._gates and isinstance(node.op, Mul) and _by_channel(self._graph, node):
            return _links_of_product(self._graph, node, gate=True)
        return _links(self._graph, node, self._limited)

    def _divided(self, node: Node) -> None:
        """One factor for all that is divided by one deviation; what is made has its own."""
        op, group = node.op, self._of[node.inputs[0]]
        assert isinstance(op, Normalize)
        each = group.reshape(op.groups, -1)
        self._sets.join(each[:, 1:].reshape(-1), each[:, :-1].reshape(-1))
        least = _BESIDE_EPSILON * math.sqrt(op.epsilon)
        self.divisors[node.inputs[0]] = max(least, self.divisors.get(node.inputs[0], 0.0))

    def _end(self, tensor: str, free: Collection[str]) -> None:
        if tensor in free:
            self._group(tensor)
        else:
            self._hold(tensor)

    def _hold(self, tensor: str) -> None:
        self._held.append(self._group(tensor))

    def _link(self, node: Node) -> None:
        ours = _on_our_grid(self._graph, node)
        for name in (*self._graph.activations(node), *node.outputs):
            self._group(name)
        if ours and takes_factors(self._graph, node):
            if not _passes(node.op.act, self._limited):
                self._hold(node.output)
            return
        if ours and self._tables and _is_function(node.op, self._limited):
            self.tabled.add(node.name)
            return
        links = self._links(node) if ours and len(node.outputs) == 1 else ()
        passed = {link.tensor for link in links}
        for name in self._graph.activations(node):
            if ours and _divides(node.op):
                self._divided(node)
            elif name not in passed:
                self._hold(name)
        made = self._of[node.output]
        if not links and ours and isinstance(node.op, _SOURCES) and node.op.clamp is None:
            self.sources.add(node.name)
            if isinstance(node.op, Lookup):
                self._sets.join(made[1:], made[:-1])
            return
        if not links:
            for name in node.outputs:
                self._hold(name)
            return
        self.links[node.name] = links
        for link in links:
            self._sets.join(made[link.made], self._of[link.tensor][link.source])
        rest = np.setdiff1d(np.arange(len(made)), np.concatenate([k.made for k in links]))
        self._held.append(made[rest])  # of constants that are joined


def _is_function(op: Op, limited: bool) -> bool:
    """Whether factors go through an operator by other tables alone."""
    return isinstance(op, Lookup | ChannelLookup) and not _is_homogeneous(op, limited)


def _divides(op: Op) -> bool:
    """Whether channels of a block are divided by their deviation, so that factors vanish."""
    if not isinstance(op, Normalize) or op.rule is not Epsilon.INSIDE:
        return False
    return op.whole and op.centered and op.power == 2


def _limits(graph: Graph) -> dict[str, float]:
    ends = {node.output: (node.op.clamp or node.op.act)[1] for node in graph.nodes}
    return {name: end for name, end in ends.items() if end > 0.0 and not math.isinf(end)}


def _on_our_grid(graph: Graph, node: Node) -> bool:
    """Whether all values are real, and we choose the grids."""
    kinds = [graph.tensor(name) for name in (*graph.activations(node), *node.outputs)]
    return all(k.type.dtype.is_float and k.type.quant is None and not k.real for k in kinds)


def takes_factors(graph: Graph, node: Node) -> bool:
    """Whether a node is a layer with real constants to take factors."""
    if not isinstance(node.op, LAYERS) or graph.tensor(node.inputs[0]).is_constant:
        return False
    constants = [graph.tensor(name) for name in node.inputs[1:]]
    return all(c.is_constant and c.stored is None for c in constants)


def _links(graph: Graph, node: Node, limited: bool) -> tuple[Link, ...]:
    """What of its inputs a node passes on, so that positive factors stay; none: nothing."""
    if isinstance(node.op, Reshape):
        return _links_of_view(graph, node)
    taken = node.op.ranges[-1] if isinstance(node.op, Slice) else None
    if taken is not None:
        first, step, count = taken
        source = first + step * np.arange(count)
        return (Link(node.inputs[0], source, np.arange(count)),)
    if not _by_channel(graph, node) or not _passes(node.op.act, limited):
        last = len(graph.tensor(node.output).type.shape) - 1
        joins = isinstance(node.op, Concat) and node.op.axis == last
        return _links_of_concat(graph, node) if joins else ()
    if isinstance(node.op, Mul):
        return _links_of_product(graph, node)
    return _links_of_sum(graph, node) if _is_homogeneous(node.op, limited) else ()


def _links_of_view(graph: Graph, node: Node) -> tuple[Link, ...]:
    """A view that keeps pixels whole, alone or several in a row."""
    shapes = [graph.tensor(name).type.shape for name in (node.inputs[0], node.output)]
    if min(map(len, shapes)) < 2:
        return ()
    source, made = (shape[-1] for shape in shapes)
    most = max(source, made)
    if not source or not made or most % source or most % made:
        return ()
    each = np.arange(most)
    return (Link(node.inputs[0], each % source, each % made),)


def _links_of_concat(graph: Graph, node: Node) -> tuple[Link, ...]:
    sizes = [graph.tensor(name).type.channels for name in node.inputs]
    starts = accumulate(sizes, initial=0)
    parts = zip(node.inputs, sizes, starts, strict=False)
    links = (Link(name, np.arange(size), np.arange(size) + at) for name, size, at in parts)
    return tuple(link for link in links if not graph.tensor(link.tensor).is_constant)


def _links_of_product(graph: Graph, node: Node, *, gate: bool = False) -> tuple[Link, ...]:
    """The larger operand, or the first one; the other one, a gate, has no factor.

    With ``gate`` the other way round.
    """
    channels = graph.tensor(node.output).type.channels
    kinds = {name: graph.tensor(name).type for name in graph.activations(node)}
    wide = [name for name, kind in kinds.items() if kind.channels == channels]
    if not wide or len(set(node.inputs)) == 1:
        return ()
    order = sorted(wide, key=lambda name: -kinds[name].elements)
    return (_each(order[-1 if gate else 0], channels),)


def _links_of_sum(graph: Graph, node: Node) -> tuple[Link, ...]:
    """All operands; constants of sums can take a factor where they have one of each channel."""
    channels = graph.tensor(node.output).type.channels
    sources = graph.activations(node)
    constants = [graph.tensor(name) for name in node.inputs if name not in sources]
    if constants and not isinstance(node.op, SUMS):
        return ()
    if any(graph.tensor(name).type.channels != channels for name in sources):
        return ()
    if any(c.type.shape[-1:] != (channels,) or c.stored is not None for c in constants):
        return ()
    return tuple(_each(name, channels) for name in dict.fromkeys(sources))


def _each(tensor: str, channels: int) -> Link:
    return Link(tensor, np.arange(channels), np.arange(channels))


def _by_channel(graph: Graph, node: Node) -> bool:
    """Whether each channel of the output is made from that of the operands alone."""
    sig, last = graph.signature(node), len(graph.tensor(node.output).type.shape) - 1
    own = [m for m, value in zip(sig.maps, sig.constants, strict=True) if value is None]
    return bool(own) and all(len(m) == last + 1 and m[last:] == (SAME,) for m in own)


def _passes(act: tuple[float, float], limited: bool) -> bool:
    """Whether limits are the same for every positive factor, or begin at 0."""
    return all(end == 0.0 or math.isinf(end) for end in act) or (limited and act[0] == 0.0)


def _is_homogeneous(op: Op, limited: bool) -> bool:
    """Whether a positive factor of all operands is one of the result."""
    if isinstance(op, Lookup):
        return all(
            fn.name in _HOMOGENEOUS
            or (fn.name == "clip" and _passes((fn.parameters[0], fn.parameters[1]), limited))
            for fn in op.chain
        )
    if isinstance(op, Resize):
        return op.outside == 0.0
    moves = op.quant_rule is QuantRule.PASS_THROUGH and not any(op.mixes)
    return moves or isinstance(op, (*SUMS, *_ALIKE))


def scaled_constant(op: Op, index: int, data: Array, read: Array, made: Array) -> Array:
    """A constant input of a layer or sum for factors of the channels that it reads and makes.

    Args:
        op: of the node.
        index: of the input.
        data: its value.
        read: factor of each channel of input 0.
        made: factor of each channel of the output.

    Returns:
        In double.
    """
    wide = data.astype(np.float64)
    if isinstance(op, _CONVOLUTIONS) and index == 1:
        per_filter = _of_filters(read, op.groups, len(made))
        taps = (1,) * (wide.ndim - 2)
        return wide * made.reshape(-1, *taps, 1) / per_filter.reshape(len(made), *taps, -1)
    if isinstance(op, Dense) and index == 1:
        return wide * made[:, None] / read[None, :]
    if isinstance(op, ChannelAffine) and index == 1:
        return wide * made / read
    return wide * made


def scaled_source(op: Op, made: Array) -> Op:
    """A normalization or function for factors of the channels that it makes."""
    if isinstance(op, Normalize):
        gains, offsets = (np.array(v) * made for v in (op.gains, op.offsets))
        return replace(op, gains=tuple(gains.tolist()), offsets=tuple(offsets.tolist()))
    assert isinstance(op, Lookup)
    return replace(op, chain=(*op.chain, affine(float(made[0]), 0.0)))


def with_factors(op: Op, read: Array, made: Array) -> ChannelLookup:
    """A function for factors of the channels that it reads and makes."""
    assert isinstance(op, Lookup | ChannelLookup)
    before, after = 1.0 / read, made
    if isinstance(op, ChannelLookup):
        before, after = before * np.array(op.read), after * np.array(op.made)
    return ChannelLookup(op.chain, tuple(before.tolist()), tuple(after.tolist()))


def _of_filters(read: Array, groups: int, filters: int) -> Array:
    """The factors of what each filter reads: [filters, channels of a group]."""
    return np.repeat(read.reshape(groups, -1), filters // groups, axis=0)


def squared_gain(op: Op, weights: Array, later: Array) -> Array:
    """What noise of each input channel is multiplied by on its way to where it counts.

    Args:
        op: a layer.
        weights: its input 1.
        later: the same for each output channel.
    """
    squares = np.square(weights.astype(np.float64))
    if isinstance(op, _CONVOLUTIONS):
        taps = squares.sum(axis=tuple(range(1, squares.ndim - 1))) * later[:, None]
        gains: Array = taps.reshape(op.groups, -1, taps.shape[1]).sum(axis=1).reshape(-1)
        return gains
    return later @ squares if isinstance(op, Dense) else squares * later
