# SPDX-License-Identifier: Apache-2.0
"""Retype an annotated float graph: activations and constants become integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuplan.ir.graph import Editor, Graph, Node, Port
from mcuplan.ir.types import DType, TensorType
from mcuplan.ops.boundary import FlipSign

__all__ = ["to_integer"]


def to_integer(graph: Graph) -> Graph:
    """Rewrite a float graph with grids to the int8 graph that runs on the device.

    Pattern: every activation has a grid, every constant stored integers.
    Becomes: the same nodes over int8 tensors; a sign flip where the model's boundary is
    uint8.
    Only if: `assign_grids` ran.
    Exact because: the integer meaning of each operator rounds its real result to the grid.
    """
    edit = Editor(graph)
    for name, tensor in graph.tensors.items():
        if tensor.data is None:
            dtype = DType.INT8 if tensor.type.dtype is DType.FLOAT32 else tensor.type.dtype
            edit.set_tensor(replace(tensor, type=replace(tensor.type, dtype=dtype)))
            continue
        stored = tensor.stored
        assert stored is not None, f"constant {name} has no integers"
        kind = TensorType(stored.values.shape, stored.quant.dtype, stored.quant)
        edit.set_tensor(replace(tensor, type=kind, data=np.ascontiguousarray(stored.values)))
    _flip_boundaries(edit, graph)
    return edit.done()


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
    if port.boundary is not DType.UINT8 or not edit.consumers(port.tensor):
        return None
    inner = edit.tensor(port.tensor)
    outer = replace(inner, name=edit.fresh(f"{port.tensor}_u8"), type=_unsigned(inner.type))
    readers = edit.consumers(inner.name)
    edit.set_tensor(outer)
    flip = Node(edit.fresh("flip_input"), FlipSign(), (outer.name,), (inner.name,), port.name)
    first = readers[0]
    edit.replace(first, flip, first)
    return replace(port, tensor=outer.name)


def _flip_output(edit: Editor, port: Port) -> Port | None:
    producer = edit.producer(port.tensor)
    if port.boundary is not DType.UINT8 or producer is None:
        return None
    inner = edit.tensor(port.tensor)
    outer = replace(inner, name=edit.fresh(f"{port.tensor}_u8"), type=_unsigned(inner.type))
    edit.set_tensor(outer)
    flip = Node(edit.fresh("flip_output"), FlipSign(), (inner.name,), (outer.name,), port.name)
    edit.replace(producer, producer, flip)
    return replace(port, tensor=outer.name)


def _unsigned(kind: TensorType) -> TensorType:
    return TensorType(kind.shape, DType.UINT8, kind.q.stored_as(DType.UINT8))
