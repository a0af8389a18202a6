# SPDX-License-Identifier: Apache-2.0
"""Writes a graph as ONNX nodes, keeping each value in the orders of axes that readers want.

The counterpart of the builder: operators say how they are written (``WRITERS`` of their
module) in terms of this class, and no ONNX package is needed to do so. A tensor can be
held in several orders of its axes; a convolution asks for channels first, and a
Transpose appears only where no held order will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcuplan.ir.block_factors import block_factors, factors_of_all
from mcuplan.ir.builder import Attribute, OnnxNode
from mcuplan.ir.graph import Graph, Layout, Node, Port, Stored
from mcuplan.ir.types import Array, DType, Quant

__all__ = ["CHANNELS_FIRST", "OPSET", "Axes", "OpWriter", "Writer"]

OPSET = 17

_REDUCING = frozenset(
    f"Reduce{kind}"
    for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
)
"""Operators whose axes are an input behind our opset."""

_MOVING = frozenset({"Flatten", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})

Axes = tuple[int, ...]
"""Axis j of an ONNX value is axis ``axes[j]`` of our tensor."""

CHANNELS_FIRST: Axes = (0, 3, 1, 2)
"""How ONNX wants the rows of pixels of a convolution."""


@dataclass(slots=True)
class Writer:
    """Collects ONNX nodes and constants while a graph is written.

    ``grids``: write QuantizeLinear and DequantizeLinear wherever a tensor lies on a grid,
    and constants as the integers they are stored as. ``opset``: of what is written.
    ``apart``: states of cells stay the values that ONNX has of them, on no grid of their own.
    """

    graph: Graph
    grids: bool
    opset: int = OPSET
    apart: bool = False
    parts: dict[str, Sequence[str]] = field(default_factory=dict)  # values of a state in turn
    nodes: list[OnnxNode] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    narrow: set[str] = field(default_factory=set)  # constants of 4 bits
    _held: dict[str, dict[Axes, str]] = field(default_factory=dict)
    _hints: dict[str, str] = field(default_factory=dict)
    _grid_of: dict[str, Quant] = field(default_factory=dict)  # behind a DequantizeLinear
    _origin: str = ""
    _mark: str = "%"  # begins values of our own, and no name of an input

    def __post_init__(self) -> None:
        while any(port.name.startswith(self._mark) for port in self.graph.inputs):
            self._mark += "%"

    # -- what operators ask -----------------------------------------------------------

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of our tensor."""
        return self.graph.tensor(tensor).type.shape

    def orders(self, tensor: str) -> tuple[Axes, ...]:
        """Orders of axes in which a tensor is held, the first made first; plain if constant."""
        held = self._held.get(tensor)
        return tuple(held) if held else (self.plain(tensor),)

    def plain(self, tensor: str) -> Axes:
        """The order of our own axes."""
        return tuple(range(len(self.shape(tensor))))

    def read(self, tensor: str, axes: Axes | None = None) -> str:
        """The ONNX value of a tensor with its axes in an order, by default our own."""
        axes = self.plain(tensor) if axes is None else axes
        held = self._held.setdefault(tensor, {})
        if axes not in held:
            constant = self.graph.tensor(tensor).data
            made = self._moved(tensor, axes) if constant is None else self._stored(tensor, axes)
            held[axes] = made
        return held[axes]

    def read_flat(self, tensor: str) -> str:
        """A value whose elements come in our own order, whatever its shape."""
        for axes, value in self._held.get(tensor, {}).items():
            if self._moves_nothing(tensor, axes, self.plain(tensor)):
                return value
        return self.read(tensor)

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: int = 1, **attributes: Attribute
    ) -> str:
        """Add an ONNX node, ``domain::Name`` outside the standard domain.

        Returns:
            Its first output (the others: :meth:`outputs_of`). What moves values of a grid is
            rounded again from opset 21 on: ONNX Runtime (1.32) does so itself where nothing does,
            and states a type there that its own change of int8 to uint8 contradicts: it refuses
            the model.
        """
        number = len(self.nodes)
        made = tuple(f"{self._mark}{number}.{k}" for k in range(outputs))
        name = f"{self._origin or op_type}.{number}"
        domain, _, kind = op_type.rpartition("::")
        values = tuple(inputs)
        if kind in _REDUCING and self.opset > OPSET and "axes" in attributes:
            axes = np.array(attributes.pop("axes"), np.int64)
            values = (*values, self.constant("axes", axes))
        plain = OnnxNode(kind, domain, self.opset, name, values, made, attributes)
        self.nodes.append(plain)
        if kind in _MOVING and self.opset > OPSET and values[0] in self._grid_of:
            return self._on_its_grid(made[0], self._grid_of[values[0]])
        return made[0]

    def outputs_of(self, value: str) -> tuple[str, ...]:
        """All outputs of the node that makes a value."""
        number = int(value.removeprefix(self._mark).split(".")[0])
        return self.nodes[number].outputs

    def constant(self, stem: str, data: Array) -> str:
        """A constant of the ONNX model (an integer tensor, a limit); returns its value."""
        value = f"{self._mark}c{len(self.constants)}"
        self.constants[value] = np.array(data, order="C")
        self._hints[value] = stem
        return value

    def write(self, tensor: str, value: str, axes: Axes | None = None) -> None:
        """Say that a value is one of our tensors, its axes in an order; rounds to its grid."""
        axes = self.plain(tensor) if axes is None else axes
        kind = self.graph.tensor(tensor).type
        quant = kind.quant if kind.dtype is DType.FLOAT32 else None
        if self.grids and quant is not None:
            self._hints.setdefault(value, f"{tensor}_real")
            axis = None if quant.axis is None else axes.index(quant.axis)
            value = self.rounded(value, replace(quant, axis=axis), tensor)
        self._hints.setdefault(value, tensor)
        self._held[tensor] = {axes: value}

    def alias(self, tensor: str, source: str, orders: Callable[[Axes], Axes]) -> None:
        """Say that a tensor is another one with renamed axes, in every order it is held."""
        for axes in self.orders(source):
            self.read(source, axes)
        self._held[tensor] = {orders(axes): value for axes, value in self._held[source].items()}

    def beside(self, tensor: str, rank: int) -> str:
        """The value of a vector that is added to values of a rank along their last axis.

        With all axes from opset 21 on: as a vector ONNX Runtime makes it the bias of a Gemm, with
        values moved in front of it, which is the same matter as in :meth:`node`.
        """
        value = self.read(tensor)
        shape = (*(1,) * (rank - 1), *self.shape(tensor))
        return value if self.opset == OPSET or not self.grids else self._reshaped(value, shape)

    def clamped(self, value: str, act: tuple[float, float]) -> str:
        """The value within the real limits of a fused activation."""
        if act == (float("-inf"), float("inf")):
            return value
        if act == (0.0, float("inf")):
            return self.node("Relu", [value])
        limits = [
            self.constant("limit", np.array(end, np.float32)) if np.isfinite(end) else ""
            for end in act
        ]
        return self.node("Clip", [value, *limits])

    def rounded(self, value: str, quant: Quant, stem: str) -> str:
        """The value rounded to a grid, whose axis is one of the value; itself if it lies on it."""
        if self._grid_of.get(value) == quant:
            return value
        parameters = self._parameters(quant, quant.dtype, stem)
        extra = {} if quant.axis is None else {"axis": quant.axis}
        integers = self.node(self._of("QuantizeLinear", quant.dtype), [value, *parameters], **extra)
        self._hints[integers] = f"{stem}_quantized"
        made = self.node(
            self._of("DequantizeLinear", quant.dtype), [integers, *parameters], **extra
        )
        if quant.axis is None:
            self._grid_of[made] = quant
        return made

    # -- what the exporter does -------------------------------------------------------

    def add_input(self, port: Port) -> None:
        """A model input as the model declares it."""
        tensor, value = self.graph.tensor(port.tensor), port.name
        self._hints[value] = port.name
        if port.on_grid:
            parameters = self._parameters(tensor.type.q, port.dtype, port.name)
            value = self.node(self._of("DequantizeLinear", port.dtype), [value, *parameters])
        elif port.dtype is not tensor.type.dtype:
            value = self.node("Cast", [value], to=tensor.type.dtype.onnx)
        if not port.on_grid and self.grids and tensor.type.quant is not None:
            value = self.rounded(value, tensor.type.quant, port.name)
        layout = self._layout(port)
        squeezed = [axis for axis in layout if axis is not None]
        if squeezed != sorted(squeezed) and len(squeezed) < len(layout):
            value = self.node("Transpose", [value], perm=tuple(squeezed))
            squeezed = sorted(squeezed)
        shape = tensor.type.shape
        if len(squeezed) < len(layout) or self._in_model(port) != port.shape:
            value = self._reshaped(value, shape)
            squeezed = list(range(len(shape)))
        self._held[port.tensor] = {tuple(squeezed.index(j) for j in range(len(squeezed))): value}

    def add_output(self, port: Port) -> str:
        """The value of a model output, in shape, order and element type as declared."""
        tensor = self.graph.tensor(port.tensor)
        layout = self._layout(port)
        added = tuple(i for i, axis in enumerate(layout) if axis is None)
        kept = sorted(
            (i for i, axis in enumerate(layout) if axis is not None), key=self._by(layout)
        )
        value = self.read(port.tensor, (*kept, *added))
        if len(added) or self._in_model(port) != port.shape:
            value = self._reshaped(value, port.shape)
        if port.on_grid:
            parameters = self._parameters(tensor.type.q, port.dtype, port.name)
            value = self.node(self._of("QuantizeLinear", port.dtype), [value, *parameters])
        elif port.dtype is not tensor.type.dtype:
            value = self.node("Cast", [value], to=port.dtype.onnx)
        return value

    def add(self, node: Node, write: OpWriter) -> None:
        """Write one node of the graph."""
        self._origin = node.origin or node.name
        write(node, self)

    def names(self, taken: Sequence[str]) -> Mapping[str, str]:
        """A name for each value, unique, as close to our tensors' names as can be."""
        used = set(taken)
        names: dict[str, str] = {}
        values = [*self.constants, *(v for node in self.nodes for v in node.outputs)]
        for value in values:
            stem = self._hints.get(value) or f"value{value.removeprefix(self._mark)}"
            name, k = stem, 0
            while name in used:
                k += 1
                name = f"{stem}_{k}"
            used.add(name)
            names[value] = name
        return names

    # -- helpers ----------------------------------------------------------------------

    def _layout(self, port: Port) -> Layout:
        """How the axes of a port's tensor lie in the model."""
        if port.layout is not None:
            return port.layout
        return tuple(range(len(self.graph.tensor(port.tensor).type.shape)))

    @staticmethod
    def _by(layout: Layout) -> Callable[[int], int]:
        def place(i: int) -> int:
            axis = layout[i]
            assert axis is not None
            return axis

        return place

    def _in_model(self, port: Port) -> tuple[int, ...]:
        """Shape of a port's tensor with its axes in the model's order, added ones left out."""
        layout = self._layout(port)
        kept = sorted((i for i, a in enumerate(layout) if a is not None), key=self._by(layout))
        return tuple(self.shape(port.tensor)[i] for i in kept)

    def _moved(self, tensor: str, axes: Axes) -> str:
        """Another order of a tensor that is held in some order."""
        have, value = next(iter(self._held[tensor].items()))
        if self._moves_nothing(tensor, have, axes):
            shape = self.shape(tensor)
            moved = self._reshaped(value, tuple(shape[a] for a in axes))
        else:
            moved = self.node("Transpose", [value], perm=tuple(have.index(a) for a in axes))
            self._hints[moved] = f"{tensor}_t"
        return moved

    def _on_its_grid(self, moved: str, quant: Quant) -> str:
        """A moved value of a grid, rounded to it."""
        self._hints.setdefault(moved, "moved")
        return self.rounded(moved, quant, self._hints[moved])

    def _moves_nothing(self, tensor: str, have: Axes, want: Axes) -> bool:
        shape = self.shape(tensor)
        return [a for a in have if shape[a] > 1] == [a for a in want if shape[a] > 1]

    def _reshaped(self, value: str, shape: tuple[int, ...]) -> str:
        return self.node("Reshape", [value, self.constant("shape", np.array(shape, np.int64))])

    def _stored(self, name: str, axes: Axes) -> str:
        """A constant: its stored integers behind a DequantizeLinear, or its values."""
        tensor = self.graph.tensor(name)
        assert tensor.data is not None
        if not self.grids or tensor.stored is None:
            return self.constant(name, tensor.data.transpose(axes))
        stored: Stored = tensor.stored
        if stored.quant.factored is not None and self.opset > OPSET:
            return self._blocks(name, stored, axes)
        wide = stored.values.dtype == np.int16 and self.opset == OPSET  # no runtime has them
        values = stored.values.astype(np.int32) if wide else stored.values
        integers = self.constant(f"{name}_quantized", values.transpose(axes))
        narrow = stored.quant.dtype is DType.INT4 and self.opset > OPSET
        dtype = DType.INT4 if narrow else DType.of(values)
        parameters = self._parameters(replace(stored.quant, dtype=dtype), dtype, name)
        self.narrow |= {integers, parameters[1]} if narrow else set()
        axis = stored.quant.axis
        extra = {} if axis is None else {"axis": axes.index(axis)}
        value = self.node("DequantizeLinear", [integers, *parameters], **extra)
        self._hints[value] = name
        return value

    def _blocks(self, name: str, stored: Stored, axes: Axes) -> str:
        """Integers of 4 bits behind a DequantizeLinear by blocks."""
        quant, block = stored.quant, stored.quant.factored or 1
        factors = block_factors(stored.values, block)
        every = factors_of_all(stored.values, block)
        assert factors is not None, "what int4_blocks are"
        assert every is not None, "what int4_blocks are"
        scale = np.array(quant.scale).reshape(-1, *[1] * (factors.ndim - 1)) * factors
        integers, *parameters = (
            self.constant(f"{name}_{stem}", values.transpose(axes))
            for stem, values in (
                ("quantized", stored.values // every.astype(np.int8)),
                ("scale", scale.astype(np.float32)),
                ("zero_point", np.zeros(factors.shape, np.int8)),
            )
        )
        self.narrow |= {integers, parameters[1]}
        extra = {"axis": axes.index(len(axes) - 1), "block_size": block}
        value = self.node("DequantizeLinear", [integers, *parameters], **extra)
        self._hints[value] = name
        return value

    def _of(self, op_type: str, dtype: DType) -> str:
        """The operator between reals and integers of a type; ONNX has 16 bits from opset 21 on."""
        beyond = dtype is DType.INT16 and self.opset == OPSET
        return f"com.microsoft::{op_type}" if beyond else op_type

    def _parameters(self, quant: Quant, dtype: DType, stem: str) -> list[str]:
        """Scale and zero point of a grid as a model of a type states them."""
        scale = np.array(quant.scale, np.float32)
        zero_point = np.array(quant.stored_as(dtype).zero_point, dtype.numpy)
        if quant.axis is None:
            scale, zero_point = scale.reshape(()), zero_point.reshape(())
        return [
            self.constant(f"{stem}_scale", scale),
            self.constant(f"{stem}_zero_point", zero_point),
        ]


OpWriter = Callable[[Node, Writer], None]
