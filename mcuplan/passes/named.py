# SPDX-License-Identifier: Apache-2.0
"""Layers by the names that users know them by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mcuplan.errors import McuplanError, Problems, UsageError, did_you_mean
from mcuplan.ir.graph import Graph, Node

__all__ = ["nodes_named"]


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
        for name in {node.origin, *map(graph.tensor_name, node.outputs)} - {""}:
            names.setdefault(name, []).append(node)
    errors: list[McuplanError] = [
        UsageError(f"no layer {name!r}, or it is part of another one", option, _near(name, names))
        for name, option in asked.items()
        if name not in names
    ]
    Problems.raise_if_any(errors)
    return {name: names[name] for name in asked}


def _near(name: str, known: Collection[str]) -> str:
    """A hint: names that hold what was asked for, cut short as reports cut it; else a near one."""
    parts = [part.casefold() for part in name.split("..") if part]
    holding = [one for one in known if parts and all(part in one.casefold() for part in parts)]
    if holding:
        return f'did you mean "{min(holding, key=len)}"?'
    return did_you_mean(name, known)
