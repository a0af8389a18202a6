# SPDX-License-Identifier: Apache-2.0
"""Which channels of an int8 graph stand or fall together, and which of them are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.geometry import SAME
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Array
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape
from mcuplan.passes._channel_bounds import Bounds, border_taps
from mcuplan.passes._disjoint_sets import DisjointSets

__all__ = [
    "Groups",
    "by_channel",
    "is_depthwise",
    "kept_channels",
    "mixes",
    "needed",
    "repeats",
]


def is_depthwise(graph: Graph, node: Node) -> bool:
    """Whether each filter sees one channel, and there are several."""
    op = node.op
    channels = graph.tensor(node.inputs[0]).type.channels
    return isinstance(op, Conv2D) and op.groups == channels > 1


def mixes(node: Node) -> bool:
    """Whether each output channel is a sum over all input channels."""
    return isinstance(node.op, Dense) or (isinstance(node.op, Conv2D) and node.op.groups == 1)


def repeats(graph: Graph, node: Node) -> bool:
    """Whether a view merges whole pixels into its last axis, or leaves it."""
    source, made = (graph.tensor(n).type for n in (node.inputs[0], node.output))
    return len(made.shape) > 1 and len(source.shape) > 1 and made.channels % source.channels == 0


def by_channel(graph: Graph, node: Node) -> bool:
    """Whether each channel of the output is made from that of the operands."""
    sig, last = graph.signature(node), len(graph.tensor(node.output).type.shape) - 1
    own = [
        len(own) == last + 1 and own[last:] == (SAME,)  # a scalar has no channels
        for own, value in zip(sig.maps, sig.constants, strict=True)
        if value is None
    ]
    return bool(own) and all(own) and not node.op.channel_parameters


class Groups:
    """A group for every channel of every activation; a group is removed whole or not at all."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._sets = DisjointSets()
        self._of: dict[str, Array] = {}
        self._pinned: list[Array] = []
        for port in graph.inputs:
            self._pin(self._fresh(port.tensor))
        for node in graph.nodes:
            self._link(node)
        for port in graph.outputs:
            self._pin(self._of[port.tensor])
        roots = self._sets.roots()
        self._of = {name: roots[group] for name, group in self._of.items()}
        self._pinned = [roots[group] for group in self._pinned]

    def of(self, tensor: str) -> Array:
        """The group of each channel of an activation."""
        return self._of[tensor]

    def kept(self) -> Array:
        """Flag of every group: those that no removal may touch are set."""
        flags = np.zeros(len(self._sets), bool)
        for group in self._pinned:
            flags[group] = True
        return flags

    def wishes(self, multiple: Callable[[Signature], int]) -> Array:
        """For every group the largest multiple that a node with it wants."""
        wanted = np.ones(len(self._sets), np.int64)
        for node in self._graph.nodes:
            wish = multiple(self._graph.signature(node))
            for name in (*self._graph.activations(node), *node.outputs):
                wanted[self._of[name]] = np.maximum(wanted[self._of[name]], wish)
        return wanted

    def _fresh(self, tensor: str) -> Array:
        """A group of its own for each channel."""
        self._of[tensor] = self._sets.added(self._graph.tensor(tensor).type.channels)
        return self._of[tensor]

    def _pin(self, group: Array) -> None:
        self._pinned.append(group)

    def _link(self, node: Node) -> None:
        """Groups of what a node makes; whatever is not understood stays."""
        graph, made = self._graph, node.outputs[0]
        if mixes(node):
            self._fresh(made)
        elif is_depthwise(graph, node):
            source = self._of[node.inputs[0]]
            self._of[made] = np.repeat(source, graph.tensor(made).type.channels // len(source))
        elif isinstance(node.op, Concat) and node.op.axis == len(graph.tensor(made).type.shape) - 1:
            self._of[made] = np.concatenate([self._part(name) for name in node.inputs])
        elif isinstance(node.op, Reshape) and repeats(self._graph, node):
            source = self._of[node.inputs[0]]
            self._of[made] = np.tile(source, graph.tensor(made).type.channels // len(source))
        elif by_channel(self._graph, node):
            self._link_each(node)
        else:
            for name in graph.activations(node):
                self._pin(self._of[name])
            for name in node.outputs:
                self._pin(self._fresh(name))

    def _part(self, name: str) -> Array:
        """Groups of an input of a Concat; those of a constant stay."""
        if name in self._of:
            return self._of[name]
        group = self._sets.added(self._graph.tensor(name).type.channels)
        self._pin(group)
        return group

    def _link_each(self, node: Node) -> None:
        """Channel by channel; an operand of one channel serves them all and stays."""
        group = None
        channels = self._graph.tensor(node.output).type.channels
        for name in self._graph.activations(node):
            if self._graph.tensor(name).type.channels != channels:
                self._pin(self._of[name])
            elif group is None:
                group = self._of[name]
            else:
                self._sets.join(group, self._of[name])
        if group is None:
            self._pin(self._fresh(node.output))
        else:
            self._of[node.output] = group


@dataclass(frozen=True, slots=True)
class _Mixer:
    """A layer that sums over channels: which inputs each of its outputs needs."""

    source: Array  # groups of the input's channels
    made: Array  # groups of the output's channels
    needs: Array  # [outputs, inputs]
    multiple: int  # what the number of outputs is rounded up to where some are removed

    def spread(self, kept: Array) -> None:
        """Set the flags of all inputs that a kept output needs."""
        kept[self.source[self.needs[kept[self.made]].any(axis=0)]] = True

    def fill(self, kept: Array) -> bool:
        """Keep more outputs, the ones that need least, up to a multiple; whether any was."""
        have = int(kept[self.made].sum())
        if have == len(self.made):
            return False
        wanted = min(len(self.made), max(1, -(-have // self.multiple)) * self.multiple)
        for _ in range(wanted - have):
            costs = (self.needs & ~kept[self.source]).sum(axis=1)
            left = np.flatnonzero(~kept[self.made])
            if not len(left):
                break
            kept[self.made[left[np.argmin(costs[left])]]] = True
        return wanted > have


def kept_channels(
    graph: Graph, needs: Callable[[Node], Array], multiple: Callable[[Signature], int]
) -> Mapping[str, Array]:
    """Which channels of each activation stay: the least set that every reader is served by.

    Args:
        graph: int8.
        needs: of a node that `mixes`, which inputs each output cannot do without.
        multiple: what the number of channels of a node that loses some is rounded up to.
    """
    groups = Groups(graph)
    kept, wishes = groups.kept(), groups.wishes(multiple)
    mixers = []
    for node in filter(mixes, reversed(graph.nodes)):
        source, made = groups.of(node.inputs[0]), groups.of(node.output)
        wish = int(wishes[made].max(initial=1))
        mixers.append(_Mixer(source, made, needs(node), wish))
    _settle(mixers, kept)
    while any([mixer.fill(kept) for mixer in mixers]):
        _settle(mixers, kept)
    return {
        name: kept[groups.of(name)]
        for name in (n for n, tensor in graph.tensors.items() if tensor.data is None)
    }


def _settle(mixers: Sequence[_Mixer], kept: Array) -> None:
    """Set flags until each layer has what its kept outputs need."""
    before = -1
    while before != int(kept.sum()):
        before = int(kept.sum())
        for mixer in mixers:
            mixer.spread(kept)


def needed(graph: Graph, node: Node, bounds: Mapping[str, Bounds]) -> Array:
    """Which inputs each output of a layer cannot do without: [outputs, inputs].

    A weight of zero needs nothing. Nor does a constant channel: its share of the sum goes to
    the bias, unless it differs where taps lie in the padding, which holds the zero point.
    """
    sig, source = graph.signature(node), bounds[node.inputs[0]]
    weights = sig.constant(1)
    used = weights.reshape(len(weights), -1, source.low.size) != 0
    folds = np.broadcast_to(source.constant, (len(weights), source.low.size))
    if isinstance(sig.op, Conv2D):
        border = border_taps(sig).reshape(-1)
        folds = folds & ~(used[:, border].any(axis=1) & (source.low != sig.inputs[0].q.z))
    needs: Array = used.any(axis=1) & ~folds
    return needs
