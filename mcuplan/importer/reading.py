# SPDX-License-Identifier: Apache-2.0
"""Reads node after node: folds constants, keeps track of integers, asks the operators."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import (
    DamagedModel,
    InputTooLarge,
    McuplanError,
    NonFiniteWeights,
    UnsupportedOp,
    UnsupportedType,
)
from mcuplan.facts import Note, NotFinite, ReadAsInt8
from mcuplan.importer.checks import check_types, check_windows
from mcuplan.importer.folding import can_fold, fold, fold_shape, widened
from mcuplan.importer.hints import way_out
from mcuplan.importer.inputs import Declared, is_of_integers, is_raw, keeps_grid, meaning_of
from mcuplan.importer.integers import PLAIN, narrowed, plain_steps
from mcuplan.importer.protofile import ACTIVATION_LIMIT, TENSOR_LIMIT, Allowance, type_name
from mcuplan.importer.refusals import Refusals
from mcuplan.importer.shapes import Shapes
from mcuplan.importer.structure import BEYOND_ONNX, FileNode
from mcuplan.importer.subgraphs import Subgraphs, has_subgraph
from mcuplan.ir.builder import Builder, Constant, OnnxNode, Reader
from mcuplan.ir.types import DType
from mcuplan.ops import all_readers
from mcuplan.safe_text import shown

__all__ = ["MISFIT", "Reading"]

MISFIT = (ArithmeticError, AssertionError, LookupError, MemoryError, TypeError, ValueError)
"""What a reader or a folding raises where the inputs do not fit the operator."""

_WEIGHTED = ("Conv", "ConvTranspose")
_WINDOWED = (*_WEIGHTED, "MaxPool", "AveragePool", "LpPool")
_MAY_BE_INFINITE = ("Clip", "Min", "Max", "Pad")
_REAL = (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64)
_FLOAT = "float32"
_NAMES: Mapping[int, str] = {
    **{1: _FLOAT, 10: _FLOAT, 11: _FLOAT, 16: _FLOAT},
    **{2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool"},
}
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_WHOLE = {6: DType.INT32, 7: DType.INT64, 9: DType.BOOL}
_QUANTIZED_TYPES: Mapping[int, DType] = {
    0: DType.UINT8,
    **{dtype.onnx: dtype for dtype in (DType.UINT8, DType.INT8, DType.UINT16, DType.INT16)},
}


class Reading:
    """The state of one pass over the nodes; refused nodes are collected in ``refusals``.

    ``shapes`` stand in behind a refused node, so that the nodes after it are judged in the
    same run; ``total`` is how many nodes will be read.
    """

    def __init__(
        self,
        build: Builder,
        allowance: Allowance,
        needed: set[str],
        refusals: Refusals,
        shapes: Shapes,
        total: int,
        subgraphs: Subgraphs,
    ) -> None:
        self.refusals = refusals
        self.notes: list[Note] = []
        self._shapes, self._total, self._position = shapes, total, 0
        self._subgraphs = subgraphs
        self._guessed: dict[str, str] = {}  # numpy's name of the type of a stand-in
        self._sound: set[str] = set()
        self._inputs: set[str] = set()
        self.is_quantized = False
        self._build, self._allowance, self._needed = build, allowance, needed
        self._integers: dict[str, DType] = {}  # element type of tensors of integers
        self._came_from: dict[str, DType] = {}  # what a DequantizeLinear read
        self._reported: set[str] = set()
        self._finite: dict[str, bool] = {}

    def add_input(
        self,
        declared: Declared,
        readers: Mapping[str, Collection[OnnxNode]],
        outputs: Collection[str],
    ) -> bool:
        """Declare a model input; whether it holds integers or truth values on no grid.

        Raises:
            UnsupportedType: the grid it lies on is impossible.
        """
        self._inputs.add(declared.name)
        if declared.dtype in _REAL:
            self._build.add_input(declared.name, declared.shape)
            return False
        meant = meaning_of(declared, readers, self._build.constants, outputs)
        self.is_quantized |= meant.quantized
        if meant.real:
            self._integers[declared.name] = declared.dtype
            if meant.quant is None:
                self.notes.append(ReadAsInt8(declared.name, declared.dtype.value))
        dtype = DType.FLOAT32 if meant.real else declared.dtype
        self._build.add_input(declared.name, declared.shape, meant.quant, dtype)
        return not meant.real

    def output_types(self, name: str) -> tuple[DType, DType]:
        """Element type of a graph output in the model, and of its grid at the C boundary."""
        dtype = self._integers.get(name, self._build.dtype(name))
        origin = self._came_from.get(name, dtype)
        return dtype, DType.UINT8 if origin is DType.UINT8 else DType.INT8

    def fold_if_constant(self, file_node: FileNode) -> bool:
        """Read a node if all its inputs are constants already; whether they are."""
        if not all(name in self._build.constants for name in file_node.reads):
            return False
        self._try(file_node)
        return True

    def read(self, file_node: FileNode) -> None:
        """Read one node; what is wrong with it is collected, and shapes stand in behind it."""
        self._position += 1
        if not self._try(file_node):
            self._offer_end(file_node)
            self._stand_in(file_node)

    def _try(self, file_node: FileNode) -> bool:
        """Read one node, or judge it; whether its outputs are there."""
        names = [name for name in file_node.node.inputs if name]
        try:
            if not file_node.refused and all(self._is_plain(name) for name in names):
                if has_subgraph(file_node.node):
                    return self._read_subgraph(file_node)
                self._read(file_node.node)
                self._note_sound(file_node.node)
                return True
            if not file_node.refused:
                self._judge(file_node.node)
        except McuplanError as error:
            self.refusals.add(error, file_node)
        except MISFIT as error:
            shapes = ", ".join(str(list(self._build.shape(n))) for n in names)
            reason = f": {shown(str(error))}" if str(error) else ""
            message = f"inputs of shape {shapes or 'none'} do not fit the operator{reason}"
            self.refusals.add(DamagedModel(message), file_node)
        return False

    def _read_subgraph(self, file_node: FileNode) -> bool:
        """Read what takes a node's place; whether its outputs are there."""
        before = len(self.refusals)
        for inner in self._subgraphs.nodes(file_node):
            self._needed.update(inner.reads)
            if not self._try(inner):
                break
        return len(self.refusals) == before

    def _offer_end(self, file_node: FileNode) -> None:
        """Name the tensor in front of a node, where most of the model lies in front of it."""
        in_front = [name for name in file_node.node.inputs if name in self._sound]
        if in_front and 2 * self._position > self._total:
            self.refusals.offer(file_node, in_front[0], late=4 * self._position > 3 * self._total)

    def _is_plain(self, name: str) -> bool:
        """Whether a tensor is known, and what stands in for it has real values."""
        return self._build.known(name) and self._guessed.get(name, _FLOAT) == _FLOAT

    def _judge(self, node: OnnxNode) -> None:
        """Behind a refused node, where an input is not known, only the operator can be judged."""
        activation = any(
            n and self._build.known(n) and n not in self._build.constants for n in node.inputs
        )
        if has_subgraph(node) or node.kind in PLAIN:
            return
        if node.op_type not in ("Shape", "Size") and (activation or not can_fold(node.op_type)):
            self._reader(node)

    def _note_sound(self, node: OnnxNode) -> None:
        """Remember activations that depend on no refused node: the model may end there."""
        inputs = [n for n in node.inputs if n and n not in self._build.constants]
        if inputs and all(n in self._sound or n in self._inputs for n in inputs):
            self._sound.update(filter(None, node.outputs))

    def _stand_in(self, file_node: FileNode) -> None:
        """Let outputs of a node that was not read have type and shape, where ONNX knows them."""
        for name in filter(None, file_node.node.outputs):
            known = self._shapes.of(name)
            if known is None and file_node.node.outputs != file_node.source.outputs:
                known = self._shapes.of(file_node.source.outputs[0])  # of what was expanded
            if known is None or self._build.known(name):
                continue
            if math.prod(known.shape) <= ACTIVATION_LIMIT:
                self._build.add_input(name, known.shape)
                self._guessed[name] = _NAMES.get(known.elem_type, "")

    def _read(self, node: OnnxNode) -> None:
        values = [self._build.constant(n) if n else None for n in node.inputs]
        if all(v is not None for v, n in zip(values, node.inputs, strict=True) if n):
            self._keep(node, fold(node, values, self._allowance))
            return
        if node.op_type in ("Shape", "Size") and not node.domain:
            self._keep(node, (fold_shape(node, self._build.shape(node.input(0))),))
            return
        steps = plain_steps(node, self._build, self._allowance) or narrowed(
            node, self._build, self._integers.get(node.input(0))
        )
        if steps is not None:
            for step in steps:
                self._read(step)
            return
        reader = self._reader(node)
        self._check_form(node)
        node = self._with_integers(node)
        self._check_finite(node)
        before = self._build.count
        reader(node, self._build)
        self._check_defined(before)
        self._check_outputs(node)
        self._note_integers(node)

    def _keep(self, node: OnnxNode, values: Sequence[Constant]) -> None:
        for name, value in zip(node.outputs, values, strict=False):
            if not name:
                continue
            self._build.constants[name] = value = widened(value)
            if value.data.dtype.kind == "f" and not np.isfinite(value.data).all():
                self._note_overflow(node, name)
        self._check_outputs(node)

    def _note_overflow(self, node: OnnxNode, name: str) -> None:
        """Say that a computed constant is no number, unless an input is none already."""
        inputs = [self._build.constants[n].data for n in node.inputs if n]
        if inputs and all(np.isfinite(d).all() for d in inputs if d.dtype.kind == "f"):
            self.notes.append(NotFinite(name, node.op_type))

    def _reader(self, node: OnnxNode) -> Reader:
        reader = all_readers().get(node.kind)
        if reader is None:
            way = way_out(node.kind)
            message = f"{shown(node.kind)} is not supported"
            raise UnsupportedOp(message, hint=way.action, ends=way.ends)
        return reader

    def _check_outputs(self, node: OnnxNode) -> None:
        """Every output that something reads must be there, of a sane size."""
        for index, name in enumerate(node.outputs):
            if not name or (not self._build.known(name) and name not in self._needed):
                continue
            if not self._build.known(name):
                raise UnsupportedOp(
                    f"output {index} ({shown(name)}) is used",
                    hint="export the model for inference; only the first output is supported",
                )
            elements = math.prod(self._build.shape(name))
            constant = name in self._build.constants
            if elements > (TENSOR_LIMIT if constant else ACTIVATION_LIMIT):
                hint = "check the shapes; no microcontroller holds such a tensor"
                raise InputTooLarge(f"an output of {elements:,} elements", hint=hint)
            if elements == 0 and name not in self._build.constants:
                raise DamagedModel("an output without elements", hint="check the shapes")

    def _check_defined(self, before: int) -> None:
        """Operators that a reader added are there for integers, or for real values."""
        for sig in self._build.signatures(before):
            if not (sig.admits(DType.INT8) or sig.admits(DType.FLOAT32)):
                kinds = dict.fromkeys(k.dtype.value for k in (*sig.inputs, *sig.outputs))
                hint = "mcuplan ops lists the types of each operator"
                raise UnsupportedOp(f"{sig.op.label} of {' and '.join(kinds)}", hint=hint)

    def _check_finite(self, node: OnnxNode) -> None:
        """Constants that an operator reads may not hold NaN or infinity (limits may)."""
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            return  # their scales have an error of their own
        for index, name in enumerate(node.inputs):
            value = self._build.constant(name) if name else None
            if value is None or name in self._reported or value.data.dtype.kind != "f":
                continue
            if name not in self._finite:
                with np.errstate(over="ignore"):  # float64 beyond float32 is infinity here
                    self._finite[name] = bool(
                        np.isfinite(value.data.astype(np.float32, copy=False)).all()
                    )
            is_limit = node.op_type in _MAY_BE_INFINITE and value.data.size == 1
            if self._finite[name] or (index and is_limit and not np.isnan(value.data).any()):
                continue
            many = node.op_type == "Where" or (node.op_type == "Add" and value.data.size > 1)
            if many and (value.data < np.inf).all():
                continue  # hides keys of an attention; `refuse_infinite` sees what else it is
            self._reported.add(name)
            raise NonFiniteWeights(
                f"constant {shown(name)!r} holds NaN or infinity", hint="train or export again"
            )

    def _check_form(self, node: OnnxNode) -> None:
        """Element types, and windows, of a standard node."""
        if node.domain or node.op_type in BEYOND_ONNX:
            return
        check_types(node, tuple(self._type(name) for name in node.inputs))
        if node.op_type in _WINDOWED:
            weighted = node.op_type in _WEIGHTED
            weights = self._build.shape(node.input(1)) if weighted else None
            check_windows(node, self._build.shape(node.input(0)), weights)

    def _type(self, name: str) -> str:
        """The numpy name of a tensor's element type, "" for an absent input."""
        if not name:
            return ""
        value = self._build.constant(name)
        if value is not None:
            return str(value.data.dtype)
        return self._integers.get(name, self._build.dtype(name)).value

    # -- integers ---------------------------------------------------------------------------

    def _with_integers(self, node: OnnxNode) -> OnnxNode:
        """The node as its reader expects it: zero points written out, pads as real values."""
        if node.op_type == "QuantizeLinear":
            return self._with_zero_point(node, node.get_int("output_dtype", 0))
        read = self._integers.get(node.input(0))
        if node.op_type == "DequantizeLinear":
            if node.get_int("output_dtype", 1) not in (0, 1):
                raise UnsupportedType(f"output_dtype={node.get_int('output_dtype', 1)}")
            if read is None:
                raise DamagedModel("DequantizeLinear of a tensor that is not quantized")
            return self._with_zero_point(node, read.onnx)
        integers = [n for n in node.inputs if n in self._integers]
        if not integers:
            return node
        if read is DType.BOOL and node.op_type in ("Cast", "Not", "Where"):
            return node
        if node.op_type == "Cast" and read and is_raw(read, self._build.quant(node.input(0))):
            return node
        mixed = node.op_type == "Concat" and len(integers) < len(node.inputs)
        if mixed or not is_of_integers(node):
            raise UnsupportedOp(
                f"arithmetic on {self._integers[integers[0]]} tensors",
                hint="put the operator between DequantizeLinear and QuantizeLinear",
            )
        return self._with_real_pad(node) if node.op_type == "Pad" else node

    def _with_zero_point(self, node: OnnxNode, data_type: int) -> OnnxNode:
        if node.get_int("block_size", 0):
            raise UnsupportedOp("blocked quantization", hint="quantize activations per tensor")
        if node.input(2):
            return node
        if data_type not in _QUANTIZED_TYPES:
            raise UnsupportedType(
                f"quantization to {type_name(data_type)}", hint="quantize activations to int8"
            )
        scale = self._build.constant(node.input(1))
        shape = scale.data.shape if scale is not None else ()
        name = f"{node.outputs[0]}\0zero_point"
        zero = np.zeros(shape, _QUANTIZED_TYPES[data_type].numpy)
        self._build.constants[name] = Constant(zero)
        return replace(node, inputs=(node.inputs[0], node.inputs[1], name))

    def _with_real_pad(self, node: OnnxNode) -> OnnxNode:
        """Pad of integers: the reader pads real values, so the fill is made real."""
        quant = self._build.quant(node.input(0))
        if quant is None or node.get_str("mode", "constant") != "constant":
            return node
        fill = self._build.constant(node.input(2)) if node.input(2) else None
        q = 0 if fill is None else int(fill.data.reshape(-1)[0])
        read = quant.stored_as(self._integers[node.input(0)])
        name = f"{node.outputs[0]}\0fill"
        real = np.float32(q - read.z) * np.float32(quant.s)
        self._build.constants[name] = Constant(np.array(real, np.float32))
        return replace(node, inputs=(*node.inputs[:2], name, *node.inputs[3:]))

    def _note_integers(self, node: OnnxNode) -> None:
        """Element types, in the model, of what a node made of real values."""
        known = [name for name in node.outputs if name and self._build.known(name)]
        made = [name for name in known if self._build.dtype(name).is_float]
        if not made or made[0] != node.outputs[0]:
            return
        if node.op_type == "QuantizeLinear":
            zero = self._build.constants[node.input(2)].data
            self._integers[node.outputs[0]] = DType.of(zero)
            self.is_quantized = True
        elif node.op_type == "DequantizeLinear":
            self._came_from[node.outputs[0]] = self._integers[node.input(0)]
        elif node.op_type in _COMPARISONS or node.op_type == "Not":
            self._integers[node.outputs[0]] = DType.BOOL
        elif node.op_type == "Cast" and node.get_int("to", 1) in _WHOLE:
            self._integers[node.outputs[0]] = _WHOLE[node.get_int("to", 1)]
        elif node.op_type in ("Cast", "Where"):
            return
        elif node.input(0) in self._came_from and keeps_grid(node):
            for name in made:
                self._came_from[name] = self._came_from[node.input(0)]
        elif node.input(0) in self._integers:
            for name in made:
                self._integers[name] = self._integers[node.input(0)]
