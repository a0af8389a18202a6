# SPDX-License-Identifier: Apache-2.0
"""Writes a float graph as an ONNX model that any runtime loads, plain or as QDQ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuplan import __version__
from mcuplan.importer import PLACEHOLDER
from mcuplan.ir.builder import OnnxNode
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array, DType
from mcuplan.ir.writer import OPSET, Writer
from mcuplan.ops import all_writers

__all__ = ["as_placeholder", "to_onnx"]

_IR_VERSION = 8
_LATE_OPSET, _LATE_IR_VERSION = 21, 10  # the first that has integers of 16 and of 4 bits


def to_onnx(
    graph: Graph, *, qdq: bool, taps: Sequence[str] = (), standard: bool = False
) -> onnx.ModelProto:
    """An ONNX model that computes what the float graph computes; equal graphs, equal bytes.

    Inputs and outputs have the names, shapes, order and element types of the model file.

    Args:
        graph: float32; with ``qdq``, tensors that have a ``quant`` lie on that grid.
        qdq: write the grids as QuantizeLinear and DequantizeLinear pairs, and constants as
            the integers they are stored as; otherwise values are not rounded.
        taps: tensors that the model gives in addition, behind its own outputs and in this
            order, with our own order of axes.
        standard: write integers of 16 and 4 bits as ONNX has them from opset 21 on, not as older
            runtimes, and states of cells as real values, which is how they are read.
    """
    writers = all_writers()
    opset = _LATE_OPSET if standard and qdq and _has_late_types(graph) else OPSET
    writer = Writer(graph, grids=qdq, opset=opset, apart=standard)
    for port in graph.inputs:
        writer.add_input(port)
    with np.errstate(over="ignore"):  # an infinite factor is found in what it makes, not printed
        for node in graph.nodes:
            writer.add(node, writers[type(node.op)])
    outputs = [(port, writer.add_output(port)) for port in graph.outputs]
    outputs += [(_tap(graph, name), writer.read(name)) for name in taps]
    made = {value for node in writer.nodes for value in node.outputs}
    inputs = {port.name for port in graph.inputs}
    ports: dict[str, Port] = {}  # value -> the output it is
    taken = [port.name for port in (*graph.inputs, *graph.outputs)]
    for index, (port, value) in enumerate(outputs):
        if index >= len(graph.outputs) or port.name in inputs:  # two values cannot have one name
            port = _unique(port, taken)
            taken.append(port.name)
        if value not in made or value in ports:
            value = writer.node("Identity", [value])
        ports[value] = port
    names = {**writer.names(taken), **{value: port.name for value, port in ports.items()}}
    return _model(graph, writer, names, list(ports.values()))


def as_placeholder(model: onnx.ModelProto, changes: str) -> onnx.ModelProto:
    """The model, which says of itself that its weights are those of no training."""
    helper.set_model_props(model, {PLACEHOLDER: changes})
    return model


def _has_late_types(graph: Graph) -> bool:
    """Whether layers have activations of 16 bits or weights of 4.

    Cells keep activations of 16 bits in any model, for themselves.
    """
    wide = (
        tensor.wanted is DType.INT16 for tensor in graph.tensors.values() if tensor.data is None
    )
    stored = (tensor.stored for tensor in graph.tensors.values() if tensor.stored is not None)
    return any(wide) or any(each.quant.dtype in (DType.INT4, DType.INT4_BLOCKS) for each in stored)


def _tap(graph: Graph, tensor: str) -> Port:
    kind = graph.tensor(tensor).type
    return Port(tensor, tensor, kind.shape, kind.dtype)


def _unique(port: Port, taken: Sequence[str]) -> Port:
    name, k = port.name, 0
    while name in taken:
        k += 1
        name = f"{port.name}_{k}"
    return replace(port, name=name)


def _model(
    graph: Graph, writer: Writer, names: Mapping[str, str], outputs: Sequence[Port]
) -> onnx.ModelProto:
    body = helper.make_graph(
        [_node(node, names) for node in writer.nodes],
        graph.name or "model",
        [_value(port) for port in graph.inputs],
        [_value(port) for port in outputs],
        [
            _constant(names[value], data, narrow=value in writer.narrow)
            for value, data in writer.constants.items()
        ],
    )
    domains = sorted({node.domain for node in writer.nodes if node.domain})
    others = [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(
        body,
        producer_name="mcuplan",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", writer.opset), *others],
    )
    model.ir_version = _IR_VERSION if writer.opset == OPSET else _LATE_IR_VERSION
    return model


def _node(node: OnnxNode, names: Mapping[str, str]) -> onnx.NodeProto:
    attributes: dict[str, Any] = dict(sorted(node.attributes.items()))
    return helper.make_node(
        node.op_type,
        [names.get(value, value) for value in node.inputs],
        [names[value] for value in node.outputs],
        name=node.name,
        domain=node.domain,
        **attributes,
    )


def _value(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(port.name, port.dtype.onnx, port.shape)


def _constant(name: str, data: Array, *, narrow: bool) -> onnx.TensorProto:
    if narrow:
        return helper.make_tensor(name, onnx.TensorProto.INT4, data.shape, data.reshape(-1))
    return numpy_helper.from_array(np.asarray(data), name)
