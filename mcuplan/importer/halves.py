# SPDX-License-Identifier: Apache-2.0
"""Models of float16 as they are read: the same numbers, computed in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["widen_halves"]

_FLOAT, _HALF = 1, 10  # TensorProto.DataType
_TYPED = ("to", "dtype", "output_dtype")  # attributes that name an element type


def widen_halves(graph: Any) -> None:
    """Change a GraphProto with all tensors inside so that no tensor of it is float16."""
    from onnx import numpy_helper

    for part in _graphs(graph):
        for value in (*part.input, *part.output, *part.value_info):
            if value.type.tensor_type.elem_type == _HALF:
                value.type.tensor_type.elem_type = _FLOAT
        attributes = [a for node in part.node for a in node.attribute]
        tensors = [*part.initializer, *(a.t for a in attributes if a.type == 4)]
        for tensor in tensors:
            if tensor.data_type == _HALF:
                wide = numpy_helper.to_array(tensor).astype("float32")
                tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
        for attribute in attributes:
            if attribute.name in _TYPED and attribute.i == _HALF:
                attribute.i = _FLOAT


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and those within it."""
    waiting = [graph]
    while waiting:
        part = waiting.pop()
        yield part
        for node in part.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.type == 5 else [*attribute.graphs]
