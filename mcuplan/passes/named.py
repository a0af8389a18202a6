# SPDX-License-Identifier: Apache-2.0
"""Layers by the names that users know them by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mcuplan.errors import McuplanError, Problems, UnsupportedOp, UsageError
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Op
from mcuplan.ir.types import DType
from mcuplan.spelling import did_you_mean

__all__ = ["nodes_named", "nodes_of_type", "not_there"]

_LAYER_DTYPE = "--layer-dtype"


def nodes_named(graph: Graph, asked: Mapping[str, str]) -> Mapping[str, Sequence[Node]]:
    """The nodes of each name, their own in the model file or that of a tensor that they make.

    Args:
        graph: after the passes.
        asked: by name, the option that has it.

    Raises:
        Problems: there is no layer of some names, all of them.
    """
    names: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in dict.fromkeys((node.origin, *map(graph.tensor_name, node.outputs))):
            if name:
                names.setdefault(name, []).append(node)
    errors: list[McuplanError] = [
        UsageError(f"no layer {name!r}, or it is part of another one", option, _near(name, names))
        for name, option in asked.items()
        if name not in names
    ]
    Problems.raise_if_any(errors)
    return {name: names[name] for name in asked}


def nodes_of_type(graph: Graph, asked: Collection[str], dtype: DType) -> set[str]:
    """Nodes that are to be of a type, by the name of their own, or of a tensor that they make.

    Raises:
        UsageError, UnsupportedOp, Problems: there are no such nodes, or not in that type.
    """
    named = nodes_named(graph, {name: f"{_LAYER_DTYPE} {name}={dtype}" for name in asked})
    errors = [
        not_there(nodes[0].op, name, dtype)
        for name, nodes in named.items()
        if not all(graph.signature(node).admits(dtype) for node in nodes)
    ]
    Problems.raise_if_any(errors)
    return {node.name for nodes in named.values() for node in nodes}


def not_there(op: Op, where: str, dtype: DType) -> UnsupportedOp:
    """The error of a layer whose operator has no form in a type."""
    hint = "mcuplan ops lists the types of each operator"
    return UnsupportedOp(f"{op.label} is not there for {dtype}", where, hint)


def _near(name: str, known: Collection[str]) -> str:
    """A hint: names that hold what was asked for, cut short as reports cut it; else a near one."""
    parts = [part.casefold() for part in name.split("..") if part]
    holding = [one for one in known if parts and all(part in one.casefold() for part in parts)]
    if holding:
        return f'did you mean "{min(holding, key=len)}"?'
    return did_you_mean(name, known)
