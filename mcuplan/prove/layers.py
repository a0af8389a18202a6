# SPDX-License-Identifier: Apache-2.0
"""Single layers as graphs in the types of C, with weights and inputs that are made up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mcuplan.ir.graph import Graph, Node, Origin, Port, Stored, Tensor
from mcuplan.ir.op import NO_CLAMP, Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types

__all__ = ["Shape", "made_up_inputs", "signature_of", "typed_graph"]

_UNEVEN = Quant.per_tensor(1 / 64, 100)
_BLOCK = 16  # weights on a scale of a block
_BEYOND = Quant.per_tensor(1 / 64, -20)


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer: activations come first in ``inputs``, the rest are constants.

    ``types``: of activations that are not all real values. ``grids``: of activations that have
    one of their own.
    """

    op: Op
    inputs: tuple[tuple[int, ...], ...]
    constants: tuple[tuple[int, ...], ...] = ()
    wide: bool = False  # the weights less their zero point need 9 bits
    types: tuple[DType, ...] = ()
    grids: tuple[Quant | None, ...] = ()
    weights: DType | None = None  # that they want to be; None: what the activations ask for
    made: DType | None = None  # type of the outputs, where the inputs leave a choice

    @property
    def activations(self) -> tuple[TensorType, ...]:
        """Types of the activations before grids are assigned."""
        types = self.types or (DType.FLOAT32,) * len(self.inputs)
        grids = self.grids or (None,) * len(self.inputs)
        return tuple(map(TensorType, self.inputs, types, grids))

    def form(self, *, real: bool) -> Types | None:
        """Types that the operator is defined for: on grids, or others in float32 beside those."""
        stored = self._stored(real=real)
        if real and stored == self._stored(real=False):
            return None
        if not real and self.op.on_grids is False:
            return None
        count = len(self.op.infer([*self.activations, *map(TensorType, self.constants)]))
        for form in self.op.types:
            taken = (form.inputs + form.inputs[-1:] * len(stored))[: len(stored)]
            fits = self.made in (None, *form.outputs)
            if taken == stored and len(form.outputs) == count and fits:
                return form
        return None

    @property
    def read(self) -> tuple[DType, ...]:
        """Types of activations in the first form: float32 lies on no grid whatever others do."""
        first, count = self.op.types[0].inputs, len(self.inputs)
        return (first + first[-1:] * count)[:count]

    @property
    def constant_types(self) -> tuple[DType, ...]:
        """Types of constants that lie on no grid, where the operator names one for each."""
        first, count = self.op.types[0].inputs, len(self.inputs)
        named = len(first) == count + len(self.constants)
        stored = self.op.weight_inputs or self.op.matrices
        return first[count:] if named and not stored else ()

    def _stored(self, *, real: bool) -> tuple[DType, ...]:
        return tuple(
            kind.dtype
            if real or not kind.dtype.is_float or read.is_float
            else kind.quant.dtype
            if kind.quant
            else DType.INT8
            for kind, read in zip(self.activations, self.read, strict=True)
        )

    @property
    def name(self) -> str:
        """Shape of the input and what comes out of it: ``25x5x64->64``."""
        size = "x".join(str(n) for n in self.inputs[0][1:])
        wide = " wide" if self.wide else ""
        wide += " int16" if any(q and q.dtype is DType.INT16 for q in self.grids) else ""
        wide += f" by {self.weights}" if self.weights else ""
        return f"{size}->{self.constants[0][0]}{wide}" if self.constants else size


def signature_of(shape: Shape, *, real: bool = False) -> Signature:
    """What a kernel sees of a shape, in int8 or of real values."""
    graph = typed_graph((shape,), real=real)
    return graph.signature(graph.nodes[0])


def typed_graph(shapes: Sequence[Shape], *, real: bool = False) -> Graph:
    """A graph of the shapes in int8, or of real values."""
    if real:
        plain = [replace(shape, wide=False, grids=()) for shape in shapes]
        return assign_types(_graph(plain, real=True))
    gridded = assign_grids(_graph(shapes), {}, placeholder=True).graph
    return assign_types(replace(gridded, tensors=MappingProxyType(_cut(gridded))))


def _cut(graph: Graph) -> dict[str, Tensor]:
    """The tensors, outputs of layers with limits on a grid that reaches beyond them."""
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        held = tensors[node.output]
        if node.op.act != NO_CLAMP and held.type.quant and held.wanted is None:
            tensors[node.output] = replace(held, type=replace(held.type, quant=_BEYOND))
    return tensors


def _graph(shapes: Sequence[Shape], *, real: bool = False) -> Graph:
    """One node per shape, each with inputs and an output of its own."""
    tensors: dict[str, Tensor] = {}
    nodes, inputs, outputs = [], [], []
    for i, shape in enumerate(shapes):
        names = [f"x{i}_{k}" for k in range(len(shape.inputs))]
        for name, kind, read in zip(names, shape.activations, shape.read, strict=True):
            tensors[name] = _activation(name, kind, read)
            inputs.append(_port(name, kind))
            if inputs[-1].state:  # and an output too, for what is kept is written
                outputs.append(inputs[-1])
        for k in range(len(shape.constants)):
            tensors[f"c{i}_{k}"] = _constant(f"c{i}_{k}", shape, k)
            names.append(f"c{i}_{k}")
        made = shape.op.infer([tensors[name].type for name in names])
        form = shape.form(real=real) or shape.form(real=not real) or Types.all(DType.FLOAT32)
        results = tuple(f"y{i}_{k}" for k in range(len(made)))
        for name, kind, write in zip(results, made, form.outputs, strict=True):
            kept = _is_state(shape.op.fixed_quant) and write is DType.INT16
            kind = replace(kind, quant=shape.op.fixed_quant) if kept else kind
            tensors[name] = _activation(name, kind, write)
            if write is DType.INT16 and not kept:
                tensors[name] = replace(tensors[name], wanted=write)
            outputs.append(_port(name, kind))
            if kept:
                tensors[f"{name}_0"] = _activation(f"{name}_0", kind, write)
                inputs.append(replace(outputs[-1], tensor=f"{name}_0"))
        nodes.append(Node(f"n{i}", shape.op, tuple(names), results))
    everything = MappingProxyType(tensors)
    return Graph("bench", tuple(inputs), tuple(outputs), tuple(nodes), everything)


def _constant(name: str, shape: Shape, k: int) -> Tensor:
    """The constant of a layer with a number: of its own type, or real and to be stored."""
    size, integers = shape.constants[k], _spread(shape.constants[k], k)
    if shape.constant_types:
        own = shape.constant_types[k]
        values = (integers / 64 if own.is_float else integers).astype(own.numpy)
        return Tensor(name, TensorType(size, own), values, real=own.is_float)
    stored = Stored(integers, _UNEVEN) if shape.wide and k == 0 else None
    data = integers.astype(np.float32) / (_spread_over(shape) if k == 0 else 64)
    stays = all(read.is_float for read in shape.read)
    held = Tensor(name, TensorType(size), data=data, stored=stored, real=stays)
    block = _BLOCK if shape.weights is DType.INT4_BLOCKS and not k else None
    return replace(held, wanted=None if k else shape.weights, block=block)


def _spread_over(shape: Shape) -> int:
    """What integers are divided by: few of 4 bits have factors of a quarter and more."""
    narrow = shape.weights in (DType.INT4, DType.INT4_BLOCKS)
    weights = shape.constants[0]
    return 256 if narrow and (len(weights) > 2 or weights[0] % 3) else 64


def _activation(name: str, kind: TensorType, form: DType) -> Tensor:
    """``form``: a type that says whether real values stay on no grid."""
    origin = Origin(name, tuple(range(len(kind.shape))))
    return Tensor(name, kind, origin=origin, real=form.is_float and kind.dtype.is_float)


def _port(name: str, kind: TensorType) -> Port:
    """An end of the model; of a state where a tensor has a grid for each of its parts."""
    state = name if _is_state(kind.quant) else ""
    return Port(name, name, kind.shape, kind.dtype, state=state, whole=not kind.dtype.is_float)


def _is_state(quant: Quant | None) -> bool:
    return quant is not None and quant.axis is not None


def made_up_inputs(graph: Graph) -> Mapping[str, Array]:
    """Integers of int8, real values within +-8, indices and numbers from 0 to 7, truth values."""
    feeds = {}
    for port in graph.inputs:
        kind, values = graph.tensor(port.tensor).type, _spread(port.shape, 7)
        if kind.dtype.is_float:
            values = values.astype(np.float32) / 16
        elif kind.quant is None:
            values = values & (1 if kind.dtype is DType.BOOL else 7)
        feeds[port.tensor] = values.astype(kind.dtype.numpy)
    return feeds


def _spread(size: Sequence[int], start: int) -> Array:
    """int8 values all over the range without order: top bytes of a multiplicative hash."""
    index = np.arange(start, start + math.prod(size), dtype=np.uint32)
    values: Array = (index * np.uint32(2654435761) >> np.uint32(24)).astype(np.uint8)
    return values.view(np.int8).reshape(size)
