# SPDX-License-Identifier: Apache-2.0
"""A graph being rewritten: what passes work with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mcuplan.facts import Rewritten, summed
from mcuplan.ir.graph import Graph, Node, Port, Stored, Tensor, signature_of
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Array, TensorType

__all__ = ["Editor"]


class Editor:
    """A graph being rewritten by one pass; ``done()`` gives the graph back.

    Look-ups of producers and consumers stay true while editing, each in constant time.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensors = dict(graph.tensors)
        self._slots: list[list[Node]] = [[node] for node in graph.nodes]
        self._slot_of = {node.name: i for i, node in enumerate(graph.nodes)}
        self._producer = {name: node for node in graph.nodes for name in node.outputs}
        self._readers: dict[str, dict[str, Node]] = defaultdict(dict)
        for node in graph.nodes:
            self._index(node)
        self._inputs, self._outputs = graph.inputs, graph.outputs
        self._changed = False

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs of the graph as they stand."""
        return self._outputs

    def nodes(self) -> Iterator[Node]:
        """Every node, in order, as it stands when it is reached."""
        for i in range(len(self._slots)):
            yield from tuple(self._slots[i])

    def __contains__(self, node: Node) -> bool:
        """Whether a node is still part of the graph, unchanged."""
        slot = self._slot_of.get(node.name)
        return slot is not None and any(n is node for n in self._slots[slot])

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self._tensors[name]

    def signature(self, node: Node) -> Signature:
        """What an operator sees of its node."""
        return signature_of(node, self._tensors)

    def producer(self, name: str) -> Node | None:
        """The node that computes a tensor; None for inputs and constants."""
        return self._producer.get(name)

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read a tensor."""
        return tuple(self._readers[name].values())

    def is_output(self, name: str) -> bool:
        """Whether the tensor leaves the graph."""
        return any(port.tensor == name for port in self._outputs)

    def is_read(self, name: str) -> bool:
        """Whether a node reads the tensor, or it leaves the graph."""
        return bool(self._readers[name]) or self.is_output(name)

    def only_consumer(self, name: str) -> Node | None:
        """The single node that reads a tensor which is not an output, else None."""
        readers = self._readers[name]
        if len(readers) != 1 or self.is_output(name):
            return None
        return next(iter(readers.values()))

    def fresh(self, stem: str) -> str:
        """A tensor or node name that is not taken."""
        name, k = stem, 0
        while name in self._tensors or name in self._slot_of:
            k += 1
            name = f"{stem}_{k}"
        return name

    def own_name(self, name: str) -> str:
        """A name for a constant that one reader changes: a fresh one where others read it, too."""
        return self.fresh(name) if len(self.consumers(name)) > 1 else name

    def set_tensor(self, tensor: Tensor) -> str:
        """Add a tensor, or change the one of that name."""
        self._tensors[tensor.name] = tensor
        self._changed = True
        return tensor.name

    def constant(self, stem: str, data: Array, stored: Stored | None = None) -> str:
        """Add a float32 constant; returns its name."""
        data = np.ascontiguousarray(data, dtype=np.float32)
        return self.set_tensor(
            Tensor(self.fresh(stem), TensorType(data.shape), data=data, stored=stored)
        )

    def replace(self, node: Node, *new: Node) -> None:
        """Put other nodes in the place of one; none removes it."""
        slot = self._slot_of.pop(node.name)
        position = next(i for i, n in enumerate(self._slots[slot]) if n.name == node.name)
        self._slots[slot][position : position + 1] = list(new)
        for name in dict.fromkeys(node.inputs):
            self._readers[name].pop(node.name, None)
        for name in node.outputs:
            self._producer.pop(name, None)
        for fresh in new:
            self._slot_of[fresh.name] = slot
            self._index(fresh)
            for name in fresh.outputs:
                self._producer[name] = fresh
        self._changed = True

    def rewire(self, old: str, new: str) -> None:
        """Let every reader of one tensor (outputs of the graph too) read another."""
        for node in self.consumers(old):
            inputs = tuple(new if name == old else name for name in node.inputs)
            self.replace(node, replace(node, inputs=inputs))
        self._outputs = tuple(
            replace(p, tensor=new) if p.tensor == old else p for p in self._outputs
        )
        self._changed = True

    def rename(self, old: str, new: Tensor) -> None:
        """Let the producer of ``old`` make the tensor ``new`` instead (same values)."""
        producer = self._producer[old]
        self.set_tensor(new)
        outputs = tuple(new.name if name == old else name for name in producer.outputs)
        self.replace(producer, replace(producer, outputs=outputs))

    def set_ports(self, inputs: Sequence[Port] | None, outputs: Sequence[Port] | None) -> None:
        """Change the inputs or outputs of the graph."""
        self._inputs = tuple(inputs) if inputs is not None else self._inputs
        self._outputs = tuple(outputs) if outputs is not None else self._outputs
        self._changed = True

    def done(self, *rewritten: Rewritten) -> Graph:
        """The rewritten graph in topological order; the same object if nothing changed."""
        if not self._changed:
            return self._graph
        nodes = _sorted([node for slot in self._slots for node in slot])
        used = {p.tensor for p in (*self._inputs, *self._outputs)}
        for node in nodes:
            used.update(node.inputs, node.outputs)
        tensors = {name: t for name, t in self._tensors.items() if name in used}
        return replace(
            self._graph,
            inputs=self._inputs,
            outputs=self._outputs,
            nodes=tuple(nodes),
            tensors=MappingProxyType(tensors),
            notes=summed((*self._graph.notes, *rewritten)),
        )

    def _index(self, node: Node) -> None:
        for name in dict.fromkeys(node.inputs):
            self._readers[name][node.name] = node


def _sorted(nodes: list[Node]) -> list[Node]:
    """Stable topological order: a node moves only behind what it reads."""
    producer = {name: node for node in nodes for name in node.outputs}
    state: dict[str, bool] = {}
    order: list[Node] = []
    for root in nodes:
        stack = [root]
        while stack:
            node = stack[-1]
            if node.name in state:
                stack.pop()
                if not state[node.name]:
                    state[node.name] = True
                    order.append(node)
                continue
            state[node.name] = False
            waiting = [producer[n] for n in reversed(node.inputs) if n in producer]
            stack.extend(n for n in waiting if n.name not in state)
    return order
