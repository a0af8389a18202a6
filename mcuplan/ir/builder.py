# SPDX-License-Identifier: Apache-2.0
"""Builds a graph from ONNX nodes, keeping each tensor in the layouts that readers want.

Operators say how an ONNX node is read (``READERS`` of their module) in terms of this
class; no ONNX package is needed to do so. An ONNX tensor can be held in several
layouts: a convolution asks for rows (NHWC), a reshape for the model's own order, and a
Transpose appears only where no held layout will do. So NCHW exists nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

import numpy as np

from mcuplan.errors import McuplanError
from mcuplan.ir.constant import Constant
from mcuplan.ir.graph import Graph, Layout, Node, Origin, Port, Tensor, signature_of
from mcuplan.ir.op import Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType

__all__ = [
    "Attribute",
    "Builder",
    "Constant",
    "OnnxNode",
    "Reader",
    "input_layout",
    "plain",
    "rows_layout",
]

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """A node of the model file in plain values. An absent optional input is ""."""

    op_type: str
    domain: str
    opset: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    @property
    def kind(self) -> str:
        """Operator type, with the domain where that is not the standard one."""
        return f"{self.domain}::{self.op_type}" if self.domain else self.op_type

    def get_ints(self, key: str, default: Sequence[int]) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        value = self.attributes.get(key, tuple(default))
        return tuple(int(v) for v in value)  # type: ignore[union-attr]

    def get_int(self, key: str, default: int) -> int:
        """An attribute that is one integer."""
        return int(self.attributes.get(key, default))  # type: ignore[arg-type]

    def get_float(self, key: str, default: float) -> float:
        """An attribute that is one float."""
        return float(self.attributes.get(key, default))  # type: ignore[arg-type]

    def get_str(self, key: str, default: str) -> str:
        """An attribute that is a string."""
        return str(self.attributes.get(key, default))

    def input(self, index: int) -> str:
        """Name of an input, "" where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""


def plain(rank: int) -> Layout:
    """The model's own order of axes."""
    return tuple(range(rank))


def input_layout(shape: Sequence[int]) -> Layout:
    """The model's own order of axes, behind a batch of 1 where the first axis is none."""
    return plain(len(shape)) if tuple(shape[:1]) == (1,) else (None, *plain(len(shape)))


def rows_layout(rank: int) -> Layout:
    """Rows of pixels of channels (NHWC) of a channels-first tensor of rank 2 to 5."""
    flat: dict[int, Layout] = {2: (0, None, None, 1), 3: (0, 2, None, 1)}
    return flat.get(rank, (0, *range(2, rank), 1))


@dataclass(slots=True)
class _Held:
    """An ONNX activation: its shape, its grid, and our tensor in each layout we have."""

    shape: tuple[int, ...]
    layouts: dict[Layout, str]
    quant: Quant | None


@dataclass(slots=True)
class Builder:
    """Collects nodes and tensors while a model is read.

    ``transpose`` and ``reshape`` make the data-movement operators (given by the caller,
    since operators live above the graph).
    """

    transpose: Callable[[tuple[int, ...]], Op]
    reshape: Callable[[tuple[int, ...]], Op]
    constants: dict[str, Constant] = field(default_factory=dict)
    _held: dict[str, _Held] = field(default_factory=dict)
    _tensors: dict[str, Tensor] = field(default_factory=dict)
    _nodes: dict[str, Node] = field(default_factory=dict)  # by what they make, in order
    _names: set[str] = field(default_factory=set)
    errors: list[McuplanError] = field(default_factory=list)

    # -- what readers ask -------------------------------------------------------------

    def constant(self, name: str) -> Constant | None:
        """The value of an ONNX tensor, or None where it is an activation."""
        return self.constants.get(name)

    def known(self, name: str) -> bool:
        """Whether a tensor could be read (False behind a node that was refused)."""
        return name in self._held or name in self.constants

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an ONNX tensor as in the model, constants too."""
        if name in self.constants:
            return tuple(self.constants[name].data.shape)
        return self._held[name].shape

    def quant(self, name: str) -> Quant | None:
        """Grid that the values of an activation lie on, if any."""
        return self._held[name].quant

    def dtype(self, name: str) -> DType:
        """Element type of an ONNX tensor: float32 of all real values, on a grid or not."""
        if name in self.constants:
            found = DType.of(self.constants[name].data)
            return DType.FLOAT32 if found.is_float else found
        return self._tensors[next(iter(self._held[name].layouts.values()))].type.dtype

    def made_by(self, tensor: str) -> Node | None:
        """The node that makes one of our tensors whose values no grid rounds, else None."""
        kind = self._tensors[tensor].type
        if kind.quant is not None and kind.quant != Quant.per_tensor(1.0, 0):
            return None
        return self._nodes.get(tensor)

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    def signatures(self, before: int) -> Iterator[Signature]:
        """Of the nodes that were added since there were so many, the last one first."""
        for node in islice(reversed(self._nodes.values()), self.count - before):
            yield signature_of(node, self._tensors)

    def layouts(self, name: str) -> tuple[Layout, ...]:
        """Layouts in which an activation is held, the first made first."""
        return tuple(self._held[name].layouts)

    def preferred_layout(self, names: Sequence[str]) -> Layout:
        """The layout of the largest activation among names (all of one rank)."""
        held = [n for n in names if n in self._held]
        largest = max(held, key=lambda n: (len(self.shape(n)), np.prod(self.shape(n))))
        return self.layouts(largest)[0]

    def rows(self, name: str) -> str:
        """Our tensor that holds an activation as NHWC rows."""
        return self.in_layout(name, rows_layout(len(self.shape(name))))

    def in_layout(self, name: str, layout: Layout) -> str:
        """Our tensor that holds an ONNX activation in a layout; moves data only if it must."""
        held = self._held[name]
        if layout in held.layouts:
            return held.layouts[layout]
        source_layout, source = next(iter(held.layouts.items()))
        shape = _shape_in(held.shape, layout)
        stem = f"{self._tensors[source].name}_t"
        if _moves_nothing(held.shape, source_layout, layout):
            made = self._node(self.reshape(shape), (source,), stem, name, layout, held)
        else:
            made = self._permuted(source, source_layout, layout, stem, name, held)
        held.layouts[layout] = made
        return made

    def constant_in_layout(self, value: Constant, layout: Layout, rank: int, stem: str) -> str:
        """Our constant for an operand that broadcasts against a tensor of ``rank`` axes."""
        value = value.reshape((1,) * (rank - value.data.ndim) + value.data.shape)
        value = value.transpose([axis for axis in layout if axis is not None])
        shape = iter(value.data.shape)
        value = value.reshape([1 if axis is None else next(shape) for axis in layout])
        return self.add_constant(value, stem)

    def add_constant(self, value: Constant, stem: str) -> str:
        """A constant of the graph, real values as float32; returns its name."""
        kind = np.dtype(np.float32) if value.data.dtype.kind == "f" else value.data.dtype
        data = np.array(value.data, kind, order="C", copy=None)  # keeps rank 0
        name = self._fresh(stem)
        held = TensorType(data.shape, DType.of(data))
        self._tensors[name] = Tensor(name, held, data=data, stored=value.stored)
        return name

    def add(
        self,
        op: Op,
        inputs: Sequence[str],
        node: OnnxNode,
        layout: Layout | None = None,
        *,
        output: int = 0,
        quant: Quant | None = None,
    ) -> None:
        """Add the operator that computes an output of an ONNX node, held in ``layout``.

        The ONNX shape follows from the operator's own inference through the layout.
        """
        kind = op.infer([self._tensors[name].type for name in inputs])[0]
        layout = layout if layout is not None else plain(len(kind.shape))
        name = node.outputs[output]
        held = _Held(_onnx_shape(kind.shape, layout), {}, quant)
        made = self._node(op, tuple(inputs), node.outputs[output], name, layout, held, node)
        held.layouts[layout] = made
        self._held[name] = held

    def add_outputs(
        self,
        op: Op,
        inputs: Sequence[str],
        node: OnnxNode,
        layout: Layout,
        quants: Sequence[Quant | None],
    ) -> None:
        """Add the operator that computes all outputs of an ONNX node, held in ``layout``.

        An output without a name is made all the same.
        """
        kinds = op.infer([self._tensors[name].type for name in inputs])
        made = []
        for k, (kind, quant) in enumerate(zip(kinds, quants, strict=True)):
            name = node.outputs[k] if k < len(node.outputs) and node.outputs[k] else ""
            made.append(self._fresh(name or f"{node.name or op.label}_{k}"))
            tensor_type = TensorType(kind.shape, kind.dtype, quant)
            origin = Origin(name, layout) if name else None
            self._tensors[made[-1]] = Tensor(made[-1], tensor_type, origin=origin)
            if name:
                held = {layout: made[-1]}
                self._held[name] = _Held(_onnx_shape(kind.shape, layout), held, quant)
        origin_name = node.name or next(filter(None, node.outputs))
        key = f"n{len(self._nodes)}"
        self._nodes[made[0]] = Node(key, op, tuple(inputs), tuple(made), origin_name)

    def alias(self, name: str, source: str, layouts: Mapping[Layout, str]) -> None:
        """An ONNX tensor that is another one seen differently (Identity, Transpose)."""
        if dict(layouts) == self._held[source].layouts:
            self._held[name] = self._held[source]  # a layout made for one serves the other
            return
        shape = next(
            _onnx_shape(self._tensors[t].type.shape, layout) for layout, t in layouts.items()
        )
        self._held[name] = _Held(shape, dict(layouts), self._held[source].quant)

    def held_layouts(self, name: str) -> Mapping[Layout, str]:
        """Our tensor in each layout an activation is held in."""
        return MappingProxyType(self._held[name].layouts)

    # -- what the importer does -------------------------------------------------------

    def add_input(
        self,
        name: str,
        shape: tuple[int, ...],
        quant: Quant | None = None,
        dtype: DType = DType.FLOAT32,
    ) -> str:
        """A model input; returns our tensor, which has a batch of 1 where the model's has none."""
        layout = input_layout(shape)
        made = self._fresh(name)
        kind = TensorType(_shape_in(shape, layout), dtype, quant)
        self._tensors[made] = Tensor(made, kind, origin=Origin(name, layout))
        self._held[name] = _Held(shape, {layout: made}, quant)
        return made

    def graph(self, name: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> Graph:
        """The finished graph."""
        tensors = MappingProxyType(dict(self._tensors))
        return Graph(name, tuple(inputs), tuple(outputs), tuple(self._nodes.values()), tensors)

    # -- helpers ----------------------------------------------------------------------

    def _fresh(self, stem: str) -> str:
        name, k = stem, 0
        while name in self._names:
            k += 1
            name = f"{stem}_{k}"
        self._names.add(name)
        return name

    def _permuted(
        self, source: str, have: Layout, want: Layout, stem: str, name: str, held: _Held
    ) -> str:
        squeezed = tuple(a for a in have if a is not None)
        if squeezed != have:
            shape = _shape_in(held.shape, squeezed)
            source = self._node(self.reshape(shape), (source,), stem, name, squeezed, held)
        target = tuple(a for a in want if a is not None)
        axes = tuple(squeezed.index(a) for a in target)
        source = self._node(self.transpose(axes), (source,), stem, name, target, held)
        if target != want:
            shape = _shape_in(held.shape, want)
            source = self._node(self.reshape(shape), (source,), stem, name, want, held)
        return source

    def _node(
        self,
        op: Op,
        inputs: tuple[str, ...],
        stem: str,
        onnx_name: str,
        layout: Layout,
        held: _Held,
        node: OnnxNode | None = None,
    ) -> str:
        kind = op.infer([self._tensors[name].type for name in inputs])[0]
        made = self._fresh(stem)
        tensor_type = TensorType(kind.shape, kind.dtype, held.quant)
        self._tensors[made] = Tensor(made, tensor_type, origin=Origin(onnx_name, layout))
        origin = node.name or node.outputs[0] if node is not None else ""
        self._nodes[made] = Node(f"n{len(self._nodes)}", op, inputs, (made,), origin)
        return made


def _shape_in(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    return tuple(1 if axis is None else shape[axis] for axis in layout)


def _onnx_shape(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Shape in the model of a tensor whose shape in a layout is known."""
    found = {axis: n for axis, n in zip(layout, shape, strict=True) if axis is not None}
    return tuple(found[axis] for axis in sorted(found))


def _moves_nothing(shape: tuple[int, ...], have: Layout, want: Layout) -> bool:
    """Whether two layouts have the same bytes: their axes of more than 1 in one order."""

    def real(layout: Layout) -> list[int]:
        return [a for a in layout if a is not None and shape[a] > 1]

    return real(have) == real(want)


Reader = Callable[[OnnxNode, Builder], None]
