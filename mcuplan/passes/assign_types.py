# SPDX-License-Identifier: Apache-2.0
"""The one pass that gives every tensor its element type, from the grid it lies on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.errors import Problems, UnsupportedOp
from mcuplan.ir.editor import Editor
from mcuplan.ir.graph import Graph, Node, Port
from mcuplan.ir.types import DType, TensorType, Types
from mcuplan.ops.boundary import FlipSign

__all__ = ["assign_types"]

_HINT = "mcuplan ops lists the types of each operator"


def assign_types(graph: Graph) -> Graph:
    """Give every tensor the type it is stored as: the graph that runs on the device.

    Pattern: activations on grids, constants with stored integers.
    Becomes: the same nodes over tensors of the grids' types; what lies on no grid stays as it
    is (real values, indices). A sign flip where the model's boundary is uint8.
    Only if: every operator is defined for what it then reads and makes.
    Exact because: the integer meaning of each operator rounds its real result to the grid.

    Raises:
        Problems: operators that are not defined for their types, all of them.
    """
    edit = Editor(graph)
    for tensor in graph.tensors.values():
        if tensor.stored is not None:
            values, quant = tensor.stored.values, tensor.stored.quant
            kind = TensorType(values.shape, quant.dtype, quant)
            edit.set_tensor(replace(tensor, type=kind, data=np.array(values, order="C")))
        elif tensor.type.quant is not None and tensor.type.dtype is DType.FLOAT32:
            dtype = tensor.type.quant.dtype
            edit.set_tensor(replace(tensor, type=replace(tensor.type, dtype=dtype)))
    _flip_boundaries(edit, graph)
    typed = edit.done()
    _refuse_others(typed)
    return typed


def _refuse_others(graph: Graph) -> None:
    """Raise for each node whose operator is not defined for its types."""
    errors = []
    for node in graph.nodes:
        actual = graph.signature(node).types
        if not (node.op.is_view or any(types.admit(actual) for types in node.op.types)):
            message = f"{node.op.label} is not there for {_names(actual)}"
            errors.append(UnsupportedOp(message, graph.node_name(node), _HINT))
    Problems.raise_if_any(errors)


def _names(types: Types) -> str:
    """The types of a node as a message says them."""
    return " and ".join(dict.fromkeys((*types.inputs, *types.outputs)))


def _flip_boundaries(edit: Editor, graph: Graph) -> None:
    inputs = [_flip_input(edit, port) for port in graph.inputs]
    outputs = [_flip_output(edit, port) for port in graph.outputs]
    if any(inputs) or any(outputs):
        edit.set_ports(
            [new or old for new, old in zip(inputs, graph.inputs, strict=True)],
            [new or old for new, old in zip(outputs, graph.outputs, strict=True)],
        )


def _flip_input(edit: Editor, port: Port) -> Port | None:
    """Put a flip between a uint8 input and its readers; an input that is an output stays int8."""
    inner = edit.tensor(port.tensor)
    on_grid = inner.type.quant is not None and bool(edit.consumers(port.tensor))
    if port.boundary is not DType.UINT8 or not on_grid:
        return None
    outer = replace(inner, name=edit.fresh(f"{port.tensor}_u8"), type=_unsigned(inner.type))
    readers = edit.consumers(inner.name)
    edit.set_tensor(outer)
    flip = Node(edit.fresh("flip_input"), FlipSign(), (outer.name,), (inner.name,), port.name)
    first = readers[0]
    edit.replace(first, flip, first)
    return replace(port, tensor=outer.name)


def _flip_output(edit: Editor, port: Port) -> Port | None:
    producer = edit.producer(port.tensor)
    if port.whole or port.boundary is not DType.UINT8 or producer is None:
        return None
    inner = edit.tensor(port.tensor)
    outer = replace(inner, name=edit.fresh(f"{port.tensor}_u8"), type=_unsigned(inner.type))
    edit.set_tensor(outer)
    flip = Node(edit.fresh("flip_output"), FlipSign(), (inner.name,), (outer.name,), port.name)
    edit.replace(producer, producer, flip)
    return replace(port, tensor=outer.name)


def _unsigned(kind: TensorType) -> TensorType:
    return TensorType(kind.shape, DType.UINT8, kind.q.stored_as(DType.UINT8))
