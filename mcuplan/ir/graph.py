# SPDX-License-Identifier: Apache-2.0
"""The layer graph: immutable tensors, nodes and graphs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mcuplan.facts import Note
from mcuplan.ir.op import Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType

__all__ = [
    "Graph",
    "Layout",
    "Node",
    "Origin",
    "Port",
    "State",
    "Stored",
    "Tensor",
    "signature_of",
]

Layout = tuple[int | None, ...]
"""Axis i of a tensor is axis ``layout[i]`` of the ONNX tensor; None is an added axis of 1."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The ONNX tensor whose values a tensor holds, and how the axes were permuted.

    Of a tensor that lost dead channels it is the one that the whole tensor held. ``factors``: by
    what values at each index of the ONNX tensor's ``axis`` are multiplied; none: they are its own.
    """

    name: str
    layout: Layout
    factors: tuple[float, ...] = ()
    axis: int | None = None

    def multiplied(self, factors: tuple[float, ...]) -> Origin:
        """That of the same tensor with each index of its last axis multiplied."""
        return replace(self, factors=factors, axis=self.layout[-1] if self.layout else None)

    def from_model(self, array: Array) -> Array:
        """An array as the model has it (axis 0 may hold samples) in this tensor's layout."""
        if self.factors:
            array = array * self._along(array.ndim)
        permuted = array.transpose([axis for axis in self.layout if axis is not None])
        index = tuple(None if axis is None else slice(None) for axis in self.layout)
        return permuted[index]

    def _along(self, rank: int) -> Array:
        """The factors in the shape in which they multiply an array as the model has it."""
        shape = [1] * rank
        if self.axis is not None:
            shape[self.axis] = len(self.factors)
        return np.array(self.factors, np.float32).reshape(shape)


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
    """A value of the graph; ``data`` is set for constants.

    ``real``: it stays float32, on no grid, whatever the others become. ``wanted``: the type of the
    integers that it becomes; None: int8, or what the model file has. ``block``: of int4_blocks.
    """

    name: str
    type: TensorType
    data: Array | None = None
    origin: Origin | None = None
    stored: Stored | None = None
    real: bool = False
    wanted: DType | None = None
    block: int | None = None

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

    ``dtype`` is the element type in the model. ``whole``: the tensor holds integers or truth
    values on no grid, of that type (indices may be narrower). Others have a grid of int8 at the
    C boundary, or of uint8 (``boundary``) where the model itself quantizes to it or takes bytes.
    ``layout`` says how the tensor's axes lie in the model's input or output; none: in the
    model's own order. (The origin of an output's tensor may be what a Transpose read.)
    ``planes``: rows of pixels that arrive one by one come as that many planes of one row each.
    ``state``: the name of the state that is read or written here; such an end is none of the
    application's.
    """

    tensor: str
    name: str
    shape: tuple[int, ...]
    dtype: DType
    boundary: DType = DType.INT8
    layout: Layout | None = None
    planes: int = 0
    state: str = ""
    whole: bool = False

    def from_model(self, samples: Array) -> Array:
        """Samples [n, ...] as the model has them in the layout of the port's tensor."""
        shaped = samples.reshape(len(samples), *self.shape)
        if self.layout is None:
            return shaped
        moved = shaped.transpose(0, *(1 + axis for axis in self.layout if axis is not None))
        return moved[(slice(None), *(None if a is None else slice(None) for a in self.layout))]

    def to_model(self, samples: Array) -> Array:
        """Samples [n, ...] of the port's tensor as the model has them: [n, *shape]."""
        count = -1 if math.prod(self.shape) else len(samples)
        if self.layout is None:
            return samples.reshape(count, *self.shape)
        sizes = [1 if axis is None else self.shape[axis] for axis in self.layout]
        places = [1 + self.layout.index(axis) for axis in range(len(self.shape))]
        added = [1 + i for i, axis in enumerate(self.layout) if axis is None]
        moved = samples.reshape(count, *sizes).transpose(0, *places, *added)
        return moved.reshape(count, *self.shape)

    @property
    def is_choice(self) -> bool:
        """Whether values are indices or truth values: right or wrong, but never nearly right."""
        return self.whole or self.dtype is DType.BOOL

    @property
    def on_grid(self) -> bool:
        """Whether the model itself has integers of the tensor's grid here, not real values."""
        return self.dtype in (DType.INT8, DType.UINT8) and not self.whole


@dataclass(frozen=True, slots=True)
class State:
    """What a call leaves for the next one: an output that is an input of the next call.

    Before the first call it is real 0 everywhere. Both ends have one shape and one grid.
    """

    read: Port
    written: Port

    @property
    def name(self) -> str:
        """By its input, as the user knows it."""
        return self.read.name


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in topological order over named tensors.

    ``inputs`` and ``outputs`` are all that enters and leaves a call, states among them.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    notes: tuple[Note, ...] = ()
    _signatures: dict[str, tuple[Node, Signature]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def app_inputs(self) -> tuple[Port, ...]:
        """What the application gives: the inputs that are no state."""
        return tuple(port for port in self.inputs if not port.state)

    @property
    def app_outputs(self) -> tuple[Port, ...]:
        """What the application gets: the outputs that are no state."""
        return tuple(port for port in self.outputs if not port.state)

    @property
    def states(self) -> tuple[State, ...]:
        """What is kept between calls, in the order of the inputs."""
        written = {port.state: port for port in self.outputs if port.state}
        return tuple(State(port, written[port.state]) for port in self.inputs if port.state)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self.tensors[name]

    def signature(self, node: Node) -> Signature:
        """What an operator or kernel sees of its node: types and constants; made once."""
        known = self._signatures.get(node.name)
        if known is None or known[0] is not node:
            known = self._signatures[node.name] = node, signature_of(node, self.tensors)
        return known[1]

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
        changing = [node for node in self.nodes if node.op.changes]
        readers = self.consumers() if changing else {}
        for node in changing:
            for name in (node.inputs[i] for i in node.op.changes):
                assert len(readers[name]) == 1, f"{node.name} changes {name}, which others read"
        for state in self.states:
            kinds = [self.tensors[port.tensor].type for port in (state.read, state.written)]
            same = kinds[0].elements == kinds[1].elements and kinds[0].dtype == kinds[1].dtype
            assert same, f"the ends of state {state.name} differ"


def signature_of(node: Node, tensors: Mapping[str, Tensor]) -> Signature:
    """What a node is chosen and computed by, given tensors by name."""
    inputs = [tensors[name] for name in node.inputs]
    return Signature(
        op=node.op,
        inputs=tuple(t.type for t in inputs),
        outputs=tuple(tensors[name].type for name in node.outputs),
        constants=tuple(t.data for t in inputs),
    )
