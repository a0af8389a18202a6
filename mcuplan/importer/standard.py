# SPDX-License-Identifier: Apache-2.0
"""What ONNX itself forbids: its checker and its strict inference, in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mcuplan.errors import DamagedModel
from mcuplan.facts import Note, OpsetAssumed, OutOfOrder
from mcuplan.importer.apart import apart
from mcuplan.importer.protofile import ModelFile, type_name
from mcuplan.importer.shapes import Shapes, skeleton
from mcuplan.importer.structure import BEYOND_ONNX, MICROSOFT
from mcuplan.safe_text import shown

__all__ = ["dialects", "forbidden"]

_MISJUDGED = BEYOND_ONNX | {"MeanVarianceNormalization"}  # whose definition is no valid function
_CHECK = "export again; onnx.checker.check_model(path, full_check=True) says more"
_NODE = re.compile(r"\(op_type:(\w+)(?:, node name: ([^)]*))?\):?\s*")
_CONTEXT = re.compile(r"(?:^|\n)==> Context: .*", re.DOTALL)
_NAMED = re.compile(r"Name: (.*?) OpType: (\w+)")
_PREFIX = re.compile(r"^(?:\[\w+\]|Inference error\(s\):|\s)+")


def forbidden(shapes: Shapes) -> list[DamagedModel]:
    """Why ONNX refuses a model that could be read: at most one reason, the first it gives.

    The model is judged without the values of its large constants, and not at all where it
    is too large for that.
    """
    try:
        model = skeleton(shapes.file, shapes.nodes, shapes.inputs)
    except UnicodeDecodeError:
        return [DamagedModel("a name that is not UTF-8", "graph", "export again")]
    if model is None:
        return []
    for node in model.graph.node:
        if node.op_type in _MISJUDGED and not node.domain:
            node.op_type = "Identity"  # of the same type and shape
            del node.attribute[:], node.input[1:]
    if all(entry.domain != MICROSOFT for entry in model.opset_import):
        model.opset_import.add(domain=MICROSOFT, version=1)
    said = apart(partial(_said, model))
    if said is None:
        return [DamagedModel("ONNX's own checker breaks off at it", "graph", _CHECK)]
    return [_error(said.decode("utf-8"))] if said else []


def dialects(file: ModelFile) -> list[Note]:
    """What ONNX forbids and every runtime reads."""
    notes: list[Note] = []
    domains = {entry.domain for entry in file.proto.opset_import}
    if MICROSOFT not in domains and any(n.domain == MICROSOFT for n in file.proto.graph.node):
        notes.append(OpsetAssumed(MICROSOFT))
    if _out_of_order(file):
        notes.append(OutOfOrder())
    return notes


def _out_of_order(file: ModelFile) -> bool:
    """Whether a node reads what a later one makes."""
    made = {name for node in file.proto.graph.node for name in node.output if name}
    for node in file.proto.graph.node:
        if not made.isdisjoint(node.input):
            return True
        made.difference_update(node.output)
    return False


def _infer(model: Any) -> None:
    from onnx import shape_inference

    shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


def _check(model: Any) -> None:
    """The checker wants shapes of outputs, which the model need not state."""
    from onnx import TensorProto, checker, helper

    names = [value.name for value in model.graph.output]
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in names
    )
    checker.check_model(model)


def _said(model: Any) -> bytes:
    try:
        _infer(model)
        _check(model)
    except MemoryError:
        raise
    except Exception as error:  # classes of a compiled module, without a common base
        said = str(error)[:2000] or type(error).__name__
        return said.encode("utf-8", "replace")
    return b""


def _error(said: str) -> DamagedModel:
    node, context = _NODE.search(said), _NAMED.search(said)
    where = ""
    if node is not None:
        where = f"{node[2] or 'unnamed node'} ({node[1]})"
    elif context is not None:
        where = f"{context[1] or 'unnamed node'} ({context[2]})"
    text = _PREFIX.sub("", _NODE.sub("", _CONTEXT.sub("", said)))
    for found, ours in _WORDS.items():
        text = re.sub(found, ours, text)
    line = shown(" ".join(text.split()).rstrip("."))
    return DamagedModel(
        f"ONNX forbids it: {line}",
        shown(where) or "graph",
        _CHECK,
    )


def _types(found: re.Match[str]) -> str:
    made, declared = (type_name(int(code)) for code in found.groups())
    return f"the output is {made}, declared {declared}"


_WORDS: Mapping[str, str | Callable[[re.Match[str]], str]] = {
    r"Inferred elem type differs from existing elem type: \((\d+)\) vs \((\d+)\)": _types,
    r"type field and data field mismatch in attribute (\S+)": r"attribute \1 is not of its type",
    r"Node ?\([^)]*\) with schema\([^)]*\) has": "the node has",
    r"typestr: \w+, has unsupported type": "has the type",
    r"Graph must be in single static assignment \(SSA\) form, however": "tensors are made once,",
}
