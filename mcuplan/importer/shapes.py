# SPDX-License-Identifier: Apache-2.0
"""What ONNX itself says about a model: shapes and types behind nodes that are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mcuplan.importer.apart import apart
from mcuplan.importer.protofile import ModelFile

__all__ = ["Known", "Shapes", "skeleton"]

_LARGE = 1 << 10  # elements of a constant whose values no shape depends on
_TOO_LARGE = 4 << 20  # bytes of what is left without large constants


@dataclass(frozen=True, slots=True)
class Known:
    """A tensor as ONNX infers it: TensorProto.DataType, and sizes where all are fixed."""

    elem_type: int
    shape: tuple[int, ...]


@dataclass(slots=True)
class Shapes:
    """Shapes and types between nodes, inferred when the first is asked for.

    ``nodes`` are those of the file in order, ``inputs`` the sizes of inputs, dynamic ones
    resolved.
    """

    file: ModelFile
    nodes: Sequence[Any]
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _found: Mapping[str, Known] | None = None

    def of(self, name: str) -> Known | None:
        """What is known of a tensor, None where its type or a size is not."""
        if self._found is None:
            self._found = {**_stated(self.file.proto.graph.value_info), **self._inferred()}
        return self._found.get(name)

    def _inferred(self) -> Mapping[str, Known]:
        from onnx import GraphProto

        try:
            model = skeleton(self.file, self.nodes, self.inputs)
        except Exception:  # what it raises for a broken model has no other base
            return {}
        said = apart(partial(_infer, model)) if model is not None else None
        graph = GraphProto.FromString(said or b"")
        return _stated([*graph.value_info, *graph.output])


def _infer(model: Any) -> bytes:
    """What ONNX knows of a model's tensors; nothing of a broken one."""
    from onnx import GraphProto, shape_inference

    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # what it raises for a broken model has no other base
        return b""
    known = GraphProto(value_info=graph.value_info, output=graph.output)
    return bytes(known.SerializeToString())


def _stated(values: Sequence[Any]) -> Mapping[str, Known]:
    found = {}
    for value in values:
        tensor = value.type.tensor_type
        if not tensor.HasField("shape") or not tensor.elem_type:
            continue
        sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
        if all(n > 0 for n in sizes):
            found[str(value.name)] = Known(int(tensor.elem_type), tuple(sizes))
    return found


def skeleton(
    file: ModelFile, nodes: Sequence[Any], shapes: Mapping[str, Sequence[int]]
) -> Any | None:
    """The model without the values of its large constants, which become inputs.

    Args:
        file: the model.
        nodes: its nodes, each behind those that it reads.
        shapes: sizes of inputs to put in place of the declared ones.

    Returns:
        A ModelProto, or None where the model is too large to be looked at.
    """
    import onnx

    graph = file.proto.graph
    made = onnx.ModelProto(ir_version=file.proto.ir_version)
    made.opset_import.extend(file.proto.opset_import)
    made.functions.extend(file.proto.functions)
    body = made.graph
    body.name = graph.name or "graph"
    constants = {t.name for t in graph.initializer}
    for value in graph.input:
        if value.name not in constants:
            body.input.add().CopyFrom(value)
            _resize(body.input[-1], shapes.get(value.name))
    for tensor in graph.initializer:
        if tensor.data_location == 1 or math.prod(tensor.dims) > _LARGE:
            body.input.append(_declared(tensor.name, tensor))
        else:
            body.initializer.add().CopyFrom(tensor)
            if file.proto.ir_version < 4:
                body.input.append(_declared(tensor.name, tensor))
    for node in nodes:
        large = _large_constant(node)
        if large is None:
            body.node.add().CopyFrom(node)
        else:
            body.input.append(_declared(node.output[0], large))
    for value in graph.output:
        output = body.output.add(name=value.name)
        output.type.CopyFrom(value.type)
        output.type.tensor_type.ClearField("shape")
        if not value.type.tensor_type.elem_type:
            output.ClearField("type")
    return made if made.ByteSize() <= _TOO_LARGE else None


def _large_constant(node: Any) -> Any | None:
    """The tensor of a Constant node, where it is large."""
    if node.op_type != "Constant" or len(node.output) != 1:
        return None
    for attribute in node.attribute:
        if attribute.name == "value" and math.prod(attribute.t.dims) > _LARGE:
            return attribute.t
    return None


def _declared(name: str, tensor: Any) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))


def _resize(value: Any, shape: Sequence[int] | None) -> None:
    if shape is None or len(shape) != len(value.type.tensor_type.shape.dim):
        return
    for dim, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = size
