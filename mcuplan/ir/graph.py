# SPDX-License-Identifier: Apache-2.0
"""The layer graph: immutable tensors, nodes and graphs, and an editor for passes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mcuplan.facts import Note, Rewritten, summed
from mcuplan.ir.op import Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType

__all__ = ["Editor", "Graph", "Layout", "Node", "Origin", "Port", "Stored", "Tensor"]

Layout = tuple[int | None, ...]
"""Axis i of a tensor is axis ``layout[i]`` of the ONNX tensor; None is an added axis of 1."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The ONNX tensor whose values a tensor holds, and how the axes were permuted.

    Of a tensor that lost dead channels it is the one that the whole tensor held.
    """

    name: str
    layout: Layout

    def from_model(self, array: Array) -> Array:
        """An array as the model has it (axis 0 may hold samples) in this tensor's layout."""
        permuted = array.transpose([axis for axis in self.layout if axis is not None])
        index = tuple(None if axis is None else slice(None) for axis in self.layout)
        return permuted[index]


@dataclass(frozen=True, slots=True)
class Stored:
    """Integers and quantization of a constant as the model file stores it.

    ``values`` are of the grid's type (uint8 is moved to int8); ``data`` of the tensor is
    what they dequantize to. Passes that change ``data`` drop this.
    """

    values: Array
    quant: Quant


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph; ``data`` is set for constants."""

    name: str
    type: TensorType
    data: Array | None = None
    origin: Origin | None = None
    stored: Stored | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the value is known when generating."""
        return self.data is not None


@dataclass(frozen=True, slots=True)
class Node:
    """One operator applied; ``origin`` is the name of the node in the model file."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    origin: str = ""

    @property
    def output(self) -> str:
        """The first output; most operators have one."""
        return self.outputs[0]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the model file declares it.

    ``dtype`` is the element type in the model. ``boundary`` is that at the C boundary:
    int8, or uint8 where the model itself quantizes to it or takes bytes.
    ``layout`` says how the tensor's axes lie in the model's input or output; none: in the
    model's own order. (The origin of an output's tensor may be what a Transpose read.)
    ``planes``: rows of pixels that arrive one by one come as that many planes of one row each.
    """

    tensor: str
    name: str
    shape: tuple[int, ...]
    dtype: DType
    boundary: DType = DType.INT8
    layout: Layout | None = None
    planes: int = 0

    def from_model(self, samples: Array) -> Array:
        """Samples [n, ...] as the model has them in the layout of the port's tensor."""
        shaped = samples.reshape(len(samples), *self.shape)
        if self.layout is None:
            return shaped
        moved = shaped.transpose(0, *(1 + axis for axis in self.layout if axis is not None))
        return moved[(slice(None), *(None if a is None else slice(None) for a in self.layout))]

    def to_model(self, samples: Array) -> Array:
        """Samples [n, ...] of the port's tensor as the model has them: [n, *shape]."""
        if self.layout is None:
            return samples.reshape(-1, *self.shape)
        sizes = [1 if axis is None else self.shape[axis] for axis in self.layout]
        places = [1 + self.layout.index(axis) for axis in range(len(self.shape))]
        added = [1 + i for i, axis in enumerate(self.layout) if axis is None]
        moved = samples.reshape(-1, *sizes).transpose(0, *places, *added)
        return moved.reshape(-1, *self.shape)

    @property
    def is_choice(self) -> bool:
        """Whether values are indices or truth values: right or wrong, but never nearly right."""
        return self.boundary is DType.INT32 or self.dtype is DType.BOOL

    @property
    def on_grid(self) -> bool:
        """Whether the model itself has integers of the tensor's grid here, not real values."""
        return self.dtype in (DType.INT8, DType.UINT8)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in topological order over named tensors."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    notes: tuple[Note, ...] = ()

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self.tensors[name]

    def signature(self, node: Node) -> Signature:
        """What an operator or kernel sees of its node: types and constants."""
        return _signature(node, self.tensors)

    def tensor_name(self, name: str) -> str:
        """A tensor by its name in the model file, where it has one."""
        origin = self.tensors[name].origin
        return origin.name if origin is not None else name

    def node_name(self, node: Node) -> str:
        """A node by the name the user knows: its own, else that of the tensor it makes."""
        return node.origin or self.tensor_name(node.output)

    def activations(self, node: Node) -> tuple[str, ...]:
        """Names of the inputs of a node that are not constants."""
        return tuple(n for n in node.inputs if not self.tensors[n].is_constant)

    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """Nodes that read each tensor, in order, each once."""
        found: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def producers(self) -> Mapping[str, Node]:
        """The node that computes each tensor."""
        return {name: node for node in self.nodes for name in node.outputs}

    def check(self) -> None:
        """Assert the invariants: order, unique names, types as the operators infer them."""
        known = {port.tensor for port in self.inputs}
        known |= {name for name, tensor in self.tensors.items() if tensor.is_constant}
        names = set()
        for node in self.nodes:
            assert node.name not in names, f"two nodes named {node.name}"
            names.add(node.name)
            missing = [name for name in node.inputs if name not in known]
            assert not missing, f"{node.name} reads {missing} before it is made"
            inferred = node.op.infer([self.tensors[name].type for name in node.inputs])
            for name, kind in zip(node.outputs, inferred, strict=True):
                found = self.tensors[name].type.shape
                assert found == kind.shape, f"{node.name}: {found} but {kind.shape} inferred"
                assert name not in known, f"{name} is made twice"
                known.add(name)
        for port in self.outputs:
            assert port.tensor in known, f"output {port.tensor} is never made"


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
        return _signature(node, self._tensors)

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


def _signature(node: Node, tensors: Mapping[str, Tensor]) -> Signature:
    inputs = [tensors[name] for name in node.inputs]
    return Signature(
        op=node.op,
        inputs=tuple(t.type for t in inputs),
        outputs=tuple(tensors[name].type for name in node.outputs),
        constants=tuple(t.data for t in inputs),
    )


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
