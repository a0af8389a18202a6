# SPDX-License-Identifier: Apache-2.0
"""Functions that a model defines itself, put where they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from mcuplan.errors import DamagedModel, InputTooLarge, UnsupportedOp
from mcuplan.importer.apart import apart
from mcuplan.importer.protofile import NODES_LIMIT, ModelFile
from mcuplan.safe_text import shown

__all__ = ["inlined"]

_Key = tuple[str, str]  # domain and name of an operator
_EXPORT = "export again, or call onnx.inliner.inline_local_functions(model)"


def inlined(file: ModelFile) -> ModelFile:
    """The same model without functions of its own.

    Raises:
        DamagedModel: functions call each other in a circle, or ONNX cannot put them in place.
        InputTooLarge: they are far too many nodes when all are in place.
        UnsupportedOp: a function is of another opset than the model.
    """
    functions = {(f.domain, f.name): f for f in file.proto.functions}
    if not functions:
        return file
    sizes = _sizes(functions)
    total = sum(sizes.get(key, 1) for key in _called(file.proto.graph.node))
    if total > NODES_LIMIT:
        raise InputTooLarge(
            f"{total:,} nodes with all functions in place, of which a model may have "
            f"{NODES_LIMIT:,}",
            hint="check the export; no microcontroller runs such a model",
        )
    import onnx

    if not functions.keys() & set(_called(file.proto.graph.node)):
        made = onnx.ModelProto()
        made.CopyFrom(file.proto)
        del made.functions[:]
        return replace(file, proto=made)
    said = apart(partial(_in_place, file.proto))
    if not said:
        raise DamagedModel("functions that ONNX cannot put in place", "functions", _EXPORT)
    made = onnx.ModelProto.FromString(said)
    if made.functions:
        names = ", ".join(shown(f.name) for f in made.functions[:3])
        raise UnsupportedOp(f"functions of another opset than the model: {names}", hint=_EXPORT)
    return replace(file, proto=made)


def _in_place(proto: Any) -> bytes:
    from onnx import inliner

    try:
        return bytes(inliner.inline_local_functions(proto).SerializeToString())
    except Exception:  # classes of a compiled module, without a common base
        return b""


def _called(nodes: Iterable[Any]) -> Iterator[_Key]:
    """Operators of nodes, and of the nodes of their subgraphs."""
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            yield node.domain, node.op_type
            for attribute in node.attribute:
                waiting += [g.node for g in (attribute.g, *attribute.graphs) if g.node]


def _sizes(functions: Mapping[_Key, Any]) -> Mapping[_Key, int]:
    """How many nodes each function is when all are in place."""
    calls = {key: list(_called(f.node)) for key, f in functions.items()}
    known = {key: [k for k in inner if k in functions] for key, inner in calls.items()}
    sizes: dict[_Key, int] = {}
    try:
        for key in TopologicalSorter(known).static_order():
            sizes[key] = sum(sizes.get(inner, 1) for inner in calls[key])
    except CycleError as error:
        names = ", ".join(shown(name) for _, name in error.args[1][:4])
        raise DamagedModel("functions that call each other", names, "export again") from error
    return sizes
