# SPDX-License-Identifier: Apache-2.0
"""Layers with more or fewer channels, those that are tied to one another alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mcuplan.errors import UsageError
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Tensor
from mcuplan.ir.op import Op
from mcuplan.ir.types import Array
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.movement import Reshape
from mcuplan.passes._channel_groups import Groups, by_channel, is_depthwise, mixes, repeats
from mcuplan.passes._taken import repeated, taken

__all__ = ["widened"]

_ROUND = 4  # channels: what kernels take at once


def widened(graph: Graph, factor: float) -> Graph:
    """The graph with a factor of the channels of every layer that may have others.

    Numbers of channels that 4 divides stay so. A layer whose channels reach an output, or what is
    not understood channel by channel, keeps them.

    Raises:
        UsageError: no layer may have others; or operands of a join would differ.
    """
    made = _Widened(graph, Editor(graph), factor, Groups(graph))
    for node in graph.nodes:
        made.rebuild(node)
    if not made.indices:
        what = "no layer gets other channels: all are tied to inputs or outputs, or 4 divide none"
        raise UsageError(what, f"--reshape width={factor:g}", "a smaller factor, or none")
    for name, indices in made.indices.items():
        tensor = graph.tensor(name)
        shape = (*tensor.type.shape[:-1], len(indices))
        made.edit.set_tensor(replace(tensor, type=replace(tensor.type, shape=shape)))
    return made.edit.done()


def _count(channels: int, factor: float) -> int:
    """So many channels, a multiple of 4 where there are such."""
    multiple = _ROUND if channels % _ROUND == 0 else 1
    return max(multiple, round(channels * factor / multiple) * multiple)


@dataclass(frozen=True, slots=True)
class _Widened:
    """Puts channels of the model, by index, in the place of those of each activation."""

    graph: Graph
    edit: Editor
    factor: float
    groups: Groups
    indices: dict[str, Array] = field(default_factory=dict)

    def rebuild(self, node: Node) -> None:
        """The node over what its activations have now."""
        if mixes(node):
            self._mixed(node)
        elif not any(name in self.indices for name in node.inputs):
            return
        elif is_depthwise(self.graph, node):
            self._depthwise(node)
        elif isinstance(node.op, Concat):
            self._joined(node)
        elif isinstance(node.op, Reshape) and repeats(self.graph, node):
            self._flattened(node)
        elif by_channel(self.graph, node):
            self._each(node)
        else:
            raise self._stays(node)

    def _mixed(self, node: Node) -> None:
        """A layer that sums over channels: those of the input, and its own."""
        own, pinned = self.groups.of(node.output), self.groups.kept()
        filters = None
        if not pinned[own].any() and isinstance(node.op, Conv2D | Dense):
            count = _count(len(own), self.factor)
            filters = repeated(len(own), count) if count != len(own) else None
        read = self.indices.get(node.inputs[0])
        if filters is None and read is None:
            return
        if filters is not None:
            self.indices[node.output] = filters
        self._put(node, node.op, filters, read)

    def _depthwise(self, node: Node) -> None:
        read = self.indices[node.inputs[0]]
        before = self.graph.tensor(node.inputs[0]).type.channels
        each = self.graph.tensor(node.output).type.channels // before
        filters = (read[:, None] * each + np.arange(each)).reshape(-1)
        self.indices[node.output] = filters
        assert isinstance(node.op, Conv2D)
        if len(read) == 1:  # of one channel a convolution has one group
            self._put(node, replace(node.op, groups=1), filters, None)
        else:
            self._put(node, replace(node.op, groups=len(read)), filters, None)

    def _joined(self, node: Node) -> None:
        assert isinstance(node.op, Concat)
        if node.op.axis != len(self.graph.tensor(node.output).type.shape) - 1:
            self._each(node)
            return
        parts, first = [], 0
        for name in node.inputs:
            channels = self.graph.tensor(name).type.channels
            parts.append(first + self.indices.get(name, np.arange(channels)))
            first += channels
        self.indices[node.output] = np.concatenate(parts)

    def _flattened(self, node: Node) -> None:
        assert isinstance(node.op, Reshape)
        source, made = (self.graph.tensor(n).type for n in (node.inputs[0], node.output))
        pixels = np.arange(made.channels // source.channels)[:, None] * source.channels
        found = (pixels + self.indices[node.inputs[0]]).reshape(-1)
        self.indices[node.output] = found
        op = replace(node.op, shape=(*node.op.shape[:-1], len(found)))
        self.edit.replace(node, replace(node, op=op))

    def _each(self, node: Node) -> None:
        """Channel by channel; constants have an entry for each channel, or one for all."""
        channels = self.graph.tensor(node.output).type.channels
        read = [
            self.indices.get(name)
            for name in self.graph.activations(node)
            if self.graph.tensor(name).type.channels == channels
        ]
        first = read[0] if read else None
        if first is None or any(each is None or not np.array_equal(each, first) for each in read):
            raise self._stays(node)
        inputs = list(node.inputs)
        for i, name in enumerate(node.inputs):
            tensor = self.graph.tensor(name)
            if tensor.data is not None and tensor.data.ndim and tensor.type.channels == channels:
                inputs[i] = self._own(name, taken(tensor, first, -1))
        for name in node.outputs:
            self.indices[name] = first
        self.edit.replace(node, replace(node, inputs=tuple(inputs)))

    def _put(self, node: Node, op: Op, filters: Array | None, read: Array | None) -> None:
        """A node with weights [filters, .., channels] and biases."""
        inputs = list(node.inputs)
        for i in node.op.weight_inputs:
            tensor = self.graph.tensor(node.inputs[i])
            tensor = taken(tensor, filters, 0) if filters is not None else tensor
            if i == node.op.weight_inputs[0] and read is not None:
                tensor = taken(tensor, read, -1)
            inputs[i] = self._own(node.inputs[i], tensor)
        self.edit.replace(node, replace(node, op=op, inputs=tuple(inputs)))

    def _own(self, name: str, tensor: Tensor) -> str:
        return self.edit.set_tensor(replace(tensor, name=self.edit.own_name(name)))

    def _stays(self, node: Node) -> UsageError:
        what = "what it reads would no longer have channels that go together"
        return UsageError(what, self.graph.node_name(node), "no --reshape width=")
