# SPDX-License-Identifier: Apache-2.0
"""Which tensors share bytes by construction: views, parts of a tensor, joined tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mcuplan.ir.geometry import SAME
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.types import TensorType
from mcuplan.schedule.program import Slot

__all__ = ["Aliases", "always_views", "possible_views", "resolve"]

_ALIGN = 4  # bytes; a tensor inside another starts at a multiple of it


@dataclass(frozen=True, slots=True)
class Aliases:
    """Where each activation lies in its storage, and how large storages are.

    A storage has the name of the tensor that fills it. ``views`` are the names of the
    nodes that need no step: their output is there when their inputs are.
    """

    views: frozenset[str]
    slots: Mapping[str, Slot]
    nbytes: Mapping[str, int]

    def fills(self, graph: Graph, tensor: str) -> bool:
        """Whether a tensor is all of its storage."""
        return self.nbytes[self.slots[tensor].buffer] == graph.tensor(tensor).type.nbytes

    def replaces(self, graph: Graph, node: Node, index: int) -> bool:
        """Whether the output of an element-wise step may take over the bytes of an input.

        Both fill their storages, and nobody else writes into that of the output. What else
        the step reads of the input's storage fills it, too, and is read where it is replaced:
        anything else would be read once more for later elements, when earlier ones are gone.
        """
        output, source = node.output, node.inputs[index]
        mine, other = self.slots[output].buffer, self.slots[source].buffer
        read = (name for name in graph.activations(node) if self.slots[name].buffer == other)
        return (
            len(node.outputs) == 1
            and mine == output
            and mine != other
            and self.nbytes[mine] == self.nbytes[other]
            and self.fills(graph, output)
            and all(self.fills(graph, name) for name in read)
            and self._reads_in_place(graph, node, index)
        )

    def _reads_in_place(self, graph: Graph, node: Node, index: int) -> bool:
        """Whether all that a step reads of an input's storage may be replaced as it goes."""
        storage = self.slots[node.inputs[index]].buffer
        others = [
            i
            for i, name in enumerate(node.inputs)
            if i != index and name in self.slots and self.slots[name].buffer == storage
        ]
        rest = [i for i in others if i not in node.op.inplace_inputs]
        maps = graph.signature(node).maps if rest else ()
        return all(axis == SAME for i in rest for axis in maps[i])


def always_views(graph: Graph) -> frozenset[str]:
    """Names of the nodes whose operators only look at their input."""
    return frozenset(node.name for node in graph.nodes if node.op.is_view)


def possible_views(graph: Graph) -> tuple[str, ...]:
    """Nodes that can do without a step beyond those that always do, in order.

    These are slices of consecutive bytes, and joins whose inputs can be written where
    they belong in the output.
    """
    certain = always_views(graph)
    parents = _Parents(graph, certain)
    found = []
    for node in graph.nodes:
        if node.name not in certain and parents.add(node):
            found.append(node.name)
    return tuple(found)


def resolve(graph: Graph, views: Collection[str]) -> Aliases:
    """Storages and slots when the nodes named run as views.

    Raises:
        ValueError: a node cannot be a view.
    """
    parents = _Parents(graph, frozenset())
    for node in graph.nodes:
        if node.name in views and not parents.add(node):
            raise ValueError(f"{node.name} cannot be a view")
    names = [port.tensor for port in graph.inputs]
    names += [name for node in graph.nodes for name in node.outputs]
    slots = {name: parents.slot(name) for name in names}
    nbytes = {name: graph.tensor(name).type.nbytes for name in names if slots[name].buffer == name}
    return Aliases(frozenset(views), MappingProxyType(slots), MappingProxyType(nbytes))


class _Parents:
    """Tensor -> (tensor it lies in, offset), grown node by node in the graph's order."""

    def __init__(self, graph: Graph, views: Collection[str]) -> None:
        self._graph = graph
        self._parent: dict[str, tuple[str, int]] = {}
        self._fixed = {port.tensor for port in graph.inputs}
        self._fixed |= {port.tensor for port in graph.outputs}
        self._states = {state.read.tensor for state in graph.states}
        self._left = _seen_in({port.tensor for port in graph.outputs}, graph)
        for node in graph.nodes:
            if node.name in views:
                self.add(node)

    def slot(self, name: str) -> Slot:
        """Storage and offset of a tensor."""
        offset = 0
        while name in self._parent:
            name, inner = self._parent[name]
            offset += inner
        return Slot(name, offset)

    def add(self, node: Node) -> bool:
        """Let a node be a view; False if it cannot."""
        if not self._graph.activations(node) or len(node.outputs) != 1:
            return False
        if node.output in self._parent:
            return True
        inputs = [self._graph.tensor(name).type for name in node.inputs]
        output = self._graph.tensor(node.output).type
        offset = node.op.view_offset(inputs, output)
        if offset is not None and node.inputs[0] in self._graph.activations(node):
            return self._look(node, offset)
        offsets = node.op.join_offsets(inputs, output)
        return offsets is not None and self._join(node, offsets, inputs, output)

    def _look(self, node: Node, offset: int) -> bool:
        root = self.slot(node.inputs[0])
        # an output that is part of a state now is copied while that one still is what it was
        changes = root.buffer in self._states and node.output in self._left
        if ((root.offset + offset) % _ALIGN or changes) and not node.op.is_view:
            return False
        self._parent[node.output] = (node.inputs[0], offset)
        return True

    def _join(
        self, node: Node, offsets: tuple[int, ...], inputs: list[TensorType], output: TensorType
    ) -> bool:
        """Put the storages of all inputs into the output."""
        roots = [self.slot(name) for name in node.inputs]
        names = [root.buffer for root in roots]
        for name, root, offset, kind in zip(node.inputs, roots, offsets, inputs, strict=True):
            whole = not root.offset and self._graph.tensor(root.buffer).type.nbytes == kind.nbytes
            if (
                name not in self._graph.activations(node)
                or not whole
                or names.count(root.buffer) > 1
                or root.buffer in self._fixed
                or offset % _ALIGN
                or kind.quant != output.quant
            ):
                return False
        for name, offset in zip(names, offsets, strict=True):
            self._parent[name] = (node.output, offset)
        return True


def _seen_in(tensors: set[str], graph: Graph) -> set[str]:
    """Some tensors, and those that they are views of whatever the plan."""
    found = set(tensors)
    for node in reversed(graph.nodes):
        if node.op.is_view and node.output in found:
            found |= {node.inputs[0]}
    return found
