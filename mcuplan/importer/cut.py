# SPDX-License-Identifier: Apache-2.0
"""Ends a model at tensors of the user's choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from mcuplan.errors import UsageError
from mcuplan.safe_text import shown
from mcuplan.spelling import did_you_mean

__all__ = ["end_at"]

_NEAR = 200  # names among which a similar one is looked for


def end_at(graph: Any, names: Sequence[str]) -> int:
    """Make tensors outputs of a GraphProto and drop whatever lies behind them.

    Outputs that depend on none of the tensors stay, in their order; new ones follow.

    Returns:
        How many nodes were dropped.

    Raises:
        UsageError: no node makes a tensor of that name.
    """
    made = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    for name in names:
        if name not in made:
            raise UsageError(
                f"no node makes a tensor {shown(name)!r}",
                f"--cut-output {shown(name)}",
                _hint(graph, name, made),
            )
    behind = _behind(graph, names)
    kept = [v for v in graph.output if v.name in names or v.name not in behind]
    present = {value.name for value in kept}
    types = {value.name: value for value in graph.value_info}
    added = [n for n in dict.fromkeys(names) if n not in present]
    outputs = [type(graph.output[0])() for _ in (*kept, *added)]
    for new, old in zip(outputs, [*kept, *(types.get(n) for n in added)], strict=True):
        if old is not None:
            new.CopyFrom(old)
    for new, name in zip(outputs[len(kept) :], added, strict=True):
        new.name = name
    del graph.output[:]
    graph.output.extend(outputs)
    return _prune(graph, made)


def _hint(graph: Any, name: str, made: Iterable[str]) -> str:
    """The tensor that a node of that name makes, else names like it."""
    for node in graph.node:
        if name and node.name == name:
            return f"that node makes {', '.join(map(shown, filter(None, node.output)))}"
    near = [tensor for tensor in made if name.lower() in tensor.lower()] or list(made)
    return shown(did_you_mean(name, near[-_NEAR:]))


def _behind(graph: Any, names: Sequence[str]) -> set[str]:
    """Every tensor that depends on one of the names."""
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in set(node.input):
            readers[name].append(node)
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        for node in readers.pop(waiting.pop(), []):
            fresh = [name for name in node.output if name and name not in found]
            found.update(fresh)
            waiting += fresh
    return found


def _prune(graph: Any, made: dict[str, int]) -> int:
    """Drop nodes that no output depends on; those with subgraphs keep whatever they read."""
    needed: set[int] = set()
    waiting = [value.name for value in graph.output]
    while waiting:
        index = made.get(waiting.pop())
        if index is not None and index not in needed:
            needed.add(index)
            waiting += graph.node[index].input
    dropped = [i for i in range(len(graph.node)) if i not in needed]
    for i in reversed(dropped):
        del graph.node[i]
    return len(dropped)
