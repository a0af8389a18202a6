# SPDX-License-Identifier: Apache-2.0
"""Model file to graph: the one place that reads ONNX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mcuplan.errors import DamagedModel, InputTooLarge, McuplanError, Problems, UnsupportedType
from mcuplan.facts import (
    DynamicAsReal,
    EndsAt,
    FreeBlocks,
    IntegerWeights,
    LeftOut,
    Note,
    StatesFound,
)
from mcuplan.importer.contributed import DYNAMIC
from mcuplan.importer.cut import end_at
from mcuplan.importer.fake_quantizers import with_pairs
from mcuplan.importer.folding import widened
from mcuplan.importer.inlining import inlined
from mcuplan.importer.inputs import (
    ELEMENT_TYPES,
    Declared,
    Dimensions,
    keeps_grid,
    readers_of,
    tensor_shape,
)
from mcuplan.importer.integers import statically
from mcuplan.importer.masks import FiniteMasks
from mcuplan.importer.normal_forms import with_normalizations
from mcuplan.importer.protofile import (
    ACTIVATIONS_LIMIT,
    NODES_LIMIT,
    Allowance,
    ModelFile,
    read_model,
    read_tensor,
    shared_bits,
    text,
)
from mcuplan.importer.qoperator import QOPERATORS, Names, expand
from mcuplan.importer.reading import MISFIT, Reading
from mcuplan.importer.refusals import Refusals
from mcuplan.importer.shapes import Shapes
from mcuplan.importer.standard import dialects, forbidden
from mcuplan.importer.states import state_pairs, with_states
from mcuplan.importer.structure import (
    FileNode,
    check_form,
    live_nodes,
    opset_of,
    read_attributes,
)
from mcuplan.importer.subgraphs import Subgraphs
from mcuplan.ir.builder import Builder, Constant, OnnxNode, input_layout, plain
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import WHOLE, DType
from mcuplan.ops.literal import add_literal
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.safe_text import shown

__all__ = ["PLACEHOLDER", "Form", "ImportedModel", "load_model"]

PLACEHOLDER = "mcuplan.placeholder_weights"
"""Key of a file's properties that says what was changed of a trained model's form."""


class Form(StrEnum):
    """How a model file states its numbers."""

    FLOAT32 = "float32"
    QDQ = "int8 (QDQ)"
    QOPERATOR = "int8 (QOperator)"


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """The graph of a model file, and what a report says about the file.

    ``nodes`` counts the nodes of the file, constants included. ``placeholder``: what of another
    model's form was changed to make this one; its weights say nothing.
    """

    path: Path
    graph: Graph
    opset: int
    sha256: str
    ir_version: int
    producer: str
    nodes: int
    form: Form
    placeholder: str = ""


def load_model(
    path: Path | str,
    dims: Mapping[str, int] = MappingProxyType({}),
    cuts: Sequence[str] = (),
    states: Sequence[tuple[str, str]] = (),
) -> ImportedModel:
    """Read an ONNX model.

    Args:
        path: the model file; external data lies in its folder.
        dims: sizes of dynamic dimensions, by name, or by "input:axis".
        cuts: tensors that become outputs; what lies behind them is dropped.
        states: inputs with the outputs whose values they have in the next call; none: those
            whose names say so. A pair of empty names: not even those.

    Raises:
        UsageError: no such file, or the model has no dimension or tensor that was named.
        McuplanError: the one problem of the model.
        Problems: all problems of the model, where there are several.
    """
    file = inlined(read_model(Path(path)))
    _check_size(len(file.proto.graph.node), NODES_LIMIT, "nodes")
    versions = opset_of(file)
    file_nodes, errors = check_form(file, versions)
    found = Refusals()
    found.extend(errors)
    Problems.raise_if_any(found.grouped())
    notes: list[Note] = []
    if cuts:
        notes.append(EndsAt(tuple(cuts), end_at(file.proto.graph, cuts)))
        file_nodes, _ = check_form(file, versions)
    loading = _Loading(file, versions, dims, file_nodes, states)
    loading.notes += (*notes, *dialects(file))
    with np.errstate(all="ignore"):  # what becomes of constants is looked at, not printed
        return loading.run()


def _check_size(count: int, most: int, what: str) -> None:
    """Refuse what nobody deploys before time and memory go into it."""
    if count > most:
        message = f"{count:,} {what}, of which a model may have {most:,}"
        raise InputTooLarge(message, hint="check the export; no microcontroller runs such a model")


class _Loading:
    """One run over one model; problems are collected until its end."""

    def __init__(
        self,
        file: ModelFile,
        versions: Mapping[str, int],
        dims: Mapping[str, int],
        file_nodes: Sequence[FileNode],
        states: Sequence[tuple[str, str]],
    ) -> None:
        self._states = states
        self._file, self._versions, self._steps = file, versions, file_nodes
        self._opset = int(versions[""])
        self._proto = file.proto.graph
        self._allowance = Allowance()
        self._dims = Dimensions(dims)
        self._build = Builder(Transpose, Reshape)
        self.notes: list[Note] = []
        self._whole: set[str] = set()  # inputs of integers on no grid
        self._refusals = Refusals()
        self._shapes = Shapes(file, [file_node.proto for file_node in file_nodes])

    def run(self) -> ImportedModel:
        """The finished model.

        Raises:
            McuplanError, Problems: see :func:`load_model`.
        """
        outputs = [value.name for value in self._proto.output]
        live, needed = live_nodes(self._steps, outputs)
        self._read_initializers(needed)
        names = self._names(live)
        expanded, taken = statically(self._expand(live, names), outputs)
        taken += sum(file_node.source.kind in DYNAMIC for file_node in live)
        self.notes += [DynamicAsReal(taken)] if taken else []
        subgraphs = Subgraphs(self._file, self._versions, self._allowance, names, self._build)
        reading = Reading(
            self._build,
            self._allowance,
            needed,
            self._refusals,
            self._shapes,
            len(expanded),
            subgraphs,
        )
        readers = readers_of([file_node.node for file_node in expanded])
        rest = [file_node for file_node in expanded if not reading.fold_if_constant(file_node)]
        declared = self._read_inputs(reading, readers)
        rest = with_pairs(rest, self._build.constants, outputs)
        rest = with_normalizations(rest, self._build.constants, outputs, self._shape_of)
        masks = FiniteMasks(rest, self._build.constants, outputs)
        for file_node in rest:
            reading.read(masks.of(file_node))
        ports = self._outputs(reading)
        if not self._refusals:
            self._refusals.extend(forbidden(self._shapes))
        Problems.raise_if_any(self._refusals.grouped())
        self.notes += reading.notes
        inputs = tuple(self._input_port(d, readers) for d in declared)
        pairs = [pair for pair in self._states if any(pair)]
        if not self._states and (pairs := list(state_pairs(inputs, ports))):
            self.notes.append(StatesFound(tuple(pairs)))
        inputs, ports = with_states(inputs, ports, pairs)
        return self._result(inputs, ports, [s.source for s in live], reading)

    def _shape_of(self, name: str) -> tuple[int, ...] | None:
        known = self._shapes.of(name)
        return None if known is None else known.shape

    def _read_initializers(self, needed: set[str]) -> None:
        for proto in self._proto.initializer:
            if proto.name not in needed:
                continue
            try:
                values = read_tensor(proto, self._file.folder, self._allowance)
                bits = shared_bits(proto)
                self._build.constants[proto.name] = widened(Constant(values, bits=bits))
            except McuplanError as error:
                error.where = error.where or f"initializer {shown(proto.name)}"
                self._refusals.add(error)
        self._refusals.extend(
            UnsupportedType(
                "a sparse initializer",
                f"initializer {shown(text(sparse.values.name))}",
                "export dense weights",
            )
            for sparse in self._proto.sparse_initializer
        )

    def _names(self, live: Sequence[FileNode]) -> Names:
        """Names that the model does not use."""
        taken = {name for file_node in live for name in (*file_node.reads, *file_node.node.outputs)}
        taken.update(value.name for value in (*self._proto.input, *self._proto.initializer))
        return Names(taken)

    def _expand(self, live: Sequence[FileNode], names: Names) -> list[FileNode]:
        """Attributes read, quantized operators expanded; refused nodes marked."""
        expanded = []
        for file_node in live:
            try:
                full = read_attributes(file_node, self._file, self._allowance)
                expanded += [replace(full, node=node) for node in expand(full.node, names)]
                continue
            except McuplanError as error:
                self._refusals.add(error, file_node)
            except MISFIT as error:
                message = f"attributes or inputs do not fit the operator: {shown(str(error))}"
                self._refusals.add(DamagedModel(message, hint="export again"), file_node)
            expanded.append(replace(file_node, refused=True))
        return expanded

    def _read_inputs(
        self, reading: Reading, readers: Mapping[str, Sequence[OnnxNode]]
    ) -> list[Declared]:
        """Declare every input that is no initializer (old files list those too)."""
        constants = {t.name for t in self._proto.initializer}
        usable = []
        outputs = {value.name for value in self._proto.output}
        for value in self._proto.input:
            if value.name in constants:
                continue
            declared = self._dims.declared(value)
            if declared is None:
                continue
            self._shapes.inputs[value.name] = declared.shape
            if not math.prod(declared.shape):  # nothing that could be written
                values = np.zeros(declared.shape, declared.dtype.numpy)
                self._build.constants[declared.name] = widened(Constant(values))
                continue
            try:
                if reading.add_input(declared, readers, outputs):
                    self._whole.add(declared.name)
                usable.append(declared)
            except McuplanError as error:
                error.where = error.where or f"input {shown(value.name)}"
                self._refusals.add(error)
        self._refusals.extend([*self._dims.errors, *self._dims.check_given()])
        return usable

    def _outputs(self, reading: Reading) -> tuple[Port, ...]:
        """The outputs in the model's own layout, as far as they could be read."""
        ports = []
        for value in self._proto.output:
            where = f"output {shown(value.name)}"
            if value.name in self._build.constants and not self._add_literal(value.name, where):
                continue
            if not self._build.known(value.name):
                continue
            shape = self._build.shape(value.name)
            said = tensor_shape(value)
            if said is not None and len(said) != len(shape):
                self._refusals.add(
                    DamagedModel(f"declared with rank {len(said)}, computed {list(shape)}", where)
                )
                continue
            tensor = self._build.in_layout(value.name, plain(len(shape)))
            dtype, boundary = reading.output_types(value.name)
            whole = not self._build.dtype(value.name).is_float
            if dtype is DType.FLOAT32:
                said_type = ELEMENT_TYPES.get(value.type.tensor_type.elem_type, dtype)
                dtype = said_type if said_type in (DType.FLOAT16, DType.FLOAT64) else dtype
            ports.append(Port(tensor, value.name, shape, dtype, boundary, whole=whole))
        return tuple(ports)

    def _add_literal(self, name: str, where: str) -> bool:
        """Make an output of a constant; whether one can be made."""
        value = self._build.constants[name]
        kinds = [dtype.value for dtype in (*WHOLE, DType.FLOAT32, DType.FLOAT64)]
        if value.data.dtype.name not in kinds or np.isnan(value.data).any():
            kind = f"{value.data.dtype}{list(value.data.shape)}"
            text = f"a constant of {kind}, or with values that are no numbers"
            self._refusals.add(UnsupportedType(text, where, "remove this output"))
            return False
        add_literal(OnnxNode("Constant", "", self._opset, "", (), (name,), {}), self._build, value)
        return True

    def _input_port(self, declared: Declared, readers: Mapping[str, Sequence[OnnxNode]]) -> Port:
        """An input; float ones that only a QuantizeLinear to uint8 reads are uint8 in C."""
        tensor = self._build.in_layout(declared.name, input_layout(declared.shape))
        if declared.name in self._whole:
            return Port(tensor, declared.name, declared.shape, declared.dtype, whole=True)
        boundary = DType.INT8
        if declared.dtype is DType.UINT8 or self._is_quantized_to_uint8(declared.name, readers):
            boundary = DType.UINT8
        return Port(tensor, declared.name, declared.shape, declared.dtype, boundary)

    def _is_quantized_to_uint8(self, name: str, readers: Mapping[str, Sequence[OnnxNode]]) -> bool:
        """Whether all that is done with a tensor is to move and then quantize it to uint8."""
        found = readers.get(name, ())
        while len(found) == 1 and keeps_grid(found[0]):
            found = readers.get(found[0].outputs[0], ())
        if len(found) != 1 or found[0].op_type != "QuantizeLinear":
            return False
        scale, zero = (self._build.constant(found[0].input(i)) for i in (1, 2))
        if scale is None or scale.data.size != 1 or found[0].get_int("block_size", 0):
            return False  # on no grid of one scale
        return zero is None or zero.data.dtype == "u1"

    def _result(
        self,
        inputs: tuple[Port, ...],
        outputs: tuple[Port, ...],
        live: Sequence[OnnxNode],
        reading: Reading,
    ) -> ImportedModel:
        graph = self._build.graph(shown(self._file.path.stem), inputs, outputs)
        kinds = [node.kind for node in live]
        form = Form.QDQ if reading.is_quantized else Form.FLOAT32
        if QOPERATORS.intersection(kinds):
            form = Form.QOPERATOR
        notes = [*self.notes, *self._dims.notes]
        if dead := len(self._steps) - len(live):
            notes.append(LeftOut(dead))
        if form is Form.FLOAT32 and any(t.stored is not None for t in graph.tensors.values()):
            notes.append(IntegerWeights())
        sizes_of_blocks = [c.block for c in self._build.constants.values() if c.block]
        if sizes_of_blocks:
            block = max(set(sizes_of_blocks), key=lambda size: (sizes_of_blocks.count(size), size))
            notes.append(FreeBlocks(len(sizes_of_blocks), block))
        graph = replace(graph, notes=tuple(notes))
        sizes = (t.type.elements for t in graph.tensors.values() if t.data is None)
        _check_size(sum(sizes), ACTIVATIONS_LIMIT, "elements of all activations")
        return ImportedModel(
            self._file.path,
            graph,
            self._opset,
            self._file.sha256,
            int(self._file.proto.ir_version),
            _producer(self._file.proto),
            len(self._steps),
            form,
            _placeholder(self._file.proto),
        )


def _placeholder(proto: Any) -> str:
    """What was changed of the model that this one is a template of; none: it is none."""
    found = (p.value for p in list(proto.metadata_props)[:100] if p.key == PLACEHOLDER)
    return shown(text(next(found, ""))[:200])


def _producer(proto: Any) -> str:
    return shown(f"{text(proto.producer_name)} {text(proto.producer_version)}".strip())
